#include "looped.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <stdexcept>

#include "allocations.hpp"

namespace loopcore::testing {

namespace {

constexpr Index widths[] = {2, 5, 8, 9, 17, 33};
constexpr Index contexts[] = {0, 1, 7, 8, 9, 65};

/// Rows of numbers, one a layer and head, and D·D of them.
void draw(std::vector<double>& matrices, double scale, std::mt19937& generator) {
  std::normal_distribution<double> normal;
  for (double& entry : matrices) entry = scale * normal(generator);
}

/// Keeps what it is handed.
class Keep : public RowSink {
 public:
  Keep(const LoopedProblem& problem, std::size_t prompts)
      : tokens(prompts), problem_(problem), rows_(problem.rows() - problem.first_wanted()) {
    const auto size = static_cast<Index>(problem.at.size()) * rows_ * problem.model.D;
    for (auto& all : tokens) {
      all.assign(static_cast<std::size_t>(size), std::numeric_limits<double>::signaling_NaN());
    }
  }

  void put(Index prompt, Index k, Index row, const double* token) override {
    const Index D = problem_.model.D;
    auto& all = tokens.at(static_cast<std::size_t>(prompt));
    const Index to = (k * rows_ + row - problem_.first_wanted()) * D;
    std::copy_n(token, D, all.begin() + to);
  }

  std::vector<Tokens<double>> tokens;

 private:
  const LoopedProblem& problem_;
  Index rows_;
};

/// h(s_j) of the keys that one row sees, in place; `counted` of them are in the sum of a softmax.
template <class Real>
void weigh(Attention attention, std::vector<Real>& s, Index visible, Index counted) {
  using std::exp;
  if (attention == Attention::softmax && counted > 0) {
    const Real largest = *std::max_element(s.begin(), s.begin() + counted);
    Real sum = 0;
    for (Index j = 0; j < counted; ++j) sum += exp(s[static_cast<std::size_t>(j)] - largest);
    for (Real& score : s) score = exp(score - largest) / sum;
  } else {
    for (Real& score : s) {
      if (attention == Attention::relu) score = std::max<Real>(score, 0);
      if (attention == Attention::exp) score = exp(score);
    }
  }
  s.resize(static_cast<std::size_t>(visible));
}

/// One loop of one layer over a prompt, (n + m, D).
template <class Real>
class Layer {
 public:
  Layer(const LoopedCase& looped, Index layer)
      : problem_(looped.problem), D_(problem_.model.D), layer_(layer) {}

  void operator()(std::vector<Real>& Z, Real eta) {
    const std::vector<Real> before = Z;
    const Index first = problem_.model.update == Update::query ? problem_.n : 0;
    for (Index i = first; i < problem_.rows(); ++i) {
      const Real* z = &before[static_cast<std::size_t>(i * D_)];
      std::vector<Real> to = times(z, problem_.model.skip);
      for (Index h = 0; h < problem_.model.heads; ++h) {
        const Index at = (layer_ * problem_.model.heads + h) * D_ * D_;
        const std::vector<Real> received = attend(before, i, times(z, problem_.model.Q + at));
        const std::vector<Real> moved = times(received.data(), problem_.model.P + at);
        for (std::size_t k = 0; k < to.size(); ++k) to[k] -= eta * moved[k];
      }
      std::copy(to.begin(), to.end(), Z.begin() + i * D_);
    }
  }

 private:
  /// z A
  std::vector<Real> times(const Real* z, const double* A) const {
    std::vector<Real> product(static_cast<std::size_t>(D_));
    for (Index j = 0; j < D_; ++j) {
      for (Index k = 0; k < D_; ++k) {
        product[static_cast<std::size_t>(k)] += z[j] * static_cast<Real>(A[j * D_ + k]);
      }
    }
    return product;
  }

  /// Σ_j h(u·z_j) z_j over the keys of row i
  std::vector<Real> attend(const std::vector<Real>& Z, Index i, const std::vector<Real>& u) const {
    const Index visible = problem_.visible(i);
    const Index counted = problem_.counted(i);
    std::vector<Real> s(static_cast<std::size_t>(std::max(visible, counted)));
    const auto z = [&](std::size_t j) { return &Z[j * static_cast<std::size_t>(D_)]; };
    for (std::size_t j = 0; j < s.size(); ++j) {
      for (std::size_t k = 0; k < u.size(); ++k) s[j] += u[k] * z(j)[k];
    }
    weigh(problem_.model.attention, s, visible, counted);
    std::vector<Real> sum(static_cast<std::size_t>(D_));
    for (std::size_t j = 0; j < s.size(); ++j) {
      for (std::size_t k = 0; k < sum.size(); ++k) sum[k] += s[j] * z(j)[k];
    }
    return sum;
  }

  const LoopedProblem& problem_;
  Index D_;
  Index layer_;
};

/// max |a − b| / max |b| at one read-out, from `begin` on
double relative_error(const Tokens<double>& a, const Tokens<long double>& b, std::size_t begin,
                      std::size_t end) {
  long double difference = 0, size = 0;
  for (std::size_t k = begin; k < end; ++k) {
    if (!std::isfinite(a[k])) return std::numeric_limits<double>::infinity();
    difference = std::max(difference, std::abs(static_cast<long double>(a[k]) - b[k]));
    size = std::max(size, std::abs(b[k]));
  }
  return static_cast<double>(difference / size);
}

bool have_same_bits(const Tokens<double>& a, const Tokens<double>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(double)) == 0;
}

Tokens<double> run_one(LoopedEngine& engine, const LoopedProblem& problem,
                       const loopcore::Prompt& prompt) {
  return run(engine, problem, {&prompt, 1})[0];
}

template <class Check>
void for_each_layout(Layouts layouts, Check&& check) {
  {
    INFO("tasks in lanes");
    check(layouts.tasks);
  }
  {
    INFO("columns in lanes");
    check(layouts.columns);
  }
}

void check(Layouts layouts, const Variant& variant, const Sizes& sizes, unsigned seed) {
  const LoopedCase looped(variant, sizes, seed);
  CAPTURE(static_cast<int>(variant.attention));
  CAPTURE(static_cast<int>(variant.update));
  CAPTURE(static_cast<int>(variant.mask));
  CAPTURE(variant.normalizes_all);
  CAPTURE(variant.has_skip);
  CAPTURE(variant.mean);
  CAPTURE(sizes.D);
  CAPTURE(sizes.n);
  CAPTURE(sizes.m);
  CAPTURE(sizes.layers);
  CAPTURE(sizes.heads);
  for_each_layout(layouts, [&](MakeEngine make) {
    const auto engine = make(looped.problem);
    CHECK(error(*engine, looped) < 30);
  });
}

}  // namespace

LoopedCase::LoopedCase(const Variant& variant_, const Sizes& sizes_, unsigned seed)
    : sizes(sizes_), variant(variant_) {
  const auto weights = static_cast<std::size_t>(sizes.layers * sizes.heads * sizes.D * sizes.D);
  P.resize(weights);
  Q.resize(weights);
  skip.resize(static_cast<std::size_t>(sizes.D * sizes.D));
  draw_weights(seed);
  problem.model = {.D = sizes.D,
                   .layers = sizes.layers,
                   .heads = sizes.heads,
                   .P = P.data(),
                   .Q = Q.data(),
                   .skip = skip.data(),
                   .attention = variant.attention,
                   .update = variant.update,
                   .mask = variant.mask,
                   .normalizes_all = variant.normalizes_all,
                   .mean = variant.mean};
  problem.n = sizes.n;
  problem.m = sizes.m;
  problem.T = sizes.T;
  problem.at = {0, std::min<Index>(1, sizes.T), sizes.T};
  problem.only_queries = variant.only_queries;
  draw_prompts(seed);
}

void LoopedCase::draw_weights(unsigned seed) {
  std::mt19937 generator(seed);
  const Index D = sizes.D;
  const double scale = 1 / std::sqrt(static_cast<double>(D));
  draw(P, scale, generator);
  draw(Q, 1, generator);
  draw(skip, variant.has_skip ? 0.2 * scale : 0, generator);
  for (Index k = 0; k < D; ++k) skip[static_cast<std::size_t>(k * D + k)] += 1;
  if (!variant.targets) return;
  const auto size = static_cast<std::size_t>(D);
  for (std::size_t entry = 0; entry < P.size(); ++entry) {
    const std::size_t j = entry / size % size, k = entry % size, y = size - 1;
    if (j != y || k != y) P[entry] = 0;
    if (j == y || k == y) Q[entry] = 0;
  }
  for (std::size_t j = 0; j < size; ++j) {
    for (std::size_t k = 0; k + 1 < size; ++k) skip[j * size + k] = j == k ? 1 : 0;
  }
}

void LoopedCase::draw_prompts(unsigned seed) {
  std::mt19937 generator(seed + 1);
  Z.resize(static_cast<std::size_t>(sizes.prompts * problem.rows() * sizes.D));
  draw(Z, 1 / std::sqrt(static_cast<double>(sizes.D)), generator);
  floats_.assign(Z.begin(), Z.end());
  Z.assign(floats_.begin(), floats_.end());
  columns_.resize(Z.size());
  sparse_.resize(3 * Z.size(), std::numeric_limits<double>::quiet_NaN());
  const auto rows = static_cast<std::size_t>(problem.rows());
  const auto D = static_cast<std::size_t>(sizes.D);
  for (std::size_t k = 0; k < Z.size(); ++k) {
    const std::size_t prompt = k / (rows * D), row = k / D % rows;
    columns_[(prompt * D + k % D) * rows + row] = Z[k];
    sparse_[3 * k] = Z[k];
    if (k % D == D - 1) targets_.push_back(Z[k]);
  }
  eta.resize(static_cast<std::size_t>(sizes.prompts * sizes.T * sizes.layers));
  const auto keys = static_cast<double>(variant.attention == Attention::softmax ? 1 : sizes.n + 1);
  const auto divisor = static_cast<double>(variant.mean ? std::max<Index>(sizes.n, 1) : 1);
  std::uniform_real_distribution<double> uniform(0.1, 0.5);
  for (double& step : eta) {
    step = uniform(generator) * divisor / keys / static_cast<double>(sizes.heads);
  }
}

loopcore::Prompt LoopedCase::prompt_in_parts(Index p) const {
  const double* Z_p = Z.data() + p * problem.rows() * sizes.D;
  const double* y_p = targets_.data() + p * problem.rows();
  const auto rows_from = [&](Index row) {
    return loopcore::TokenRows{.x = matrix_view(Z_p + row * sizes.D, sizes.D),
                               .y = vector_view(y_p + row)};
  };
  return {.context = rows_from(0), .queries = rows_from(sizes.n), .eta = {}};
}

loopcore::Prompt LoopedCase::prompt(Index p, Storage storage) const {
  const Index size = problem.rows() * sizes.D;
  MatrixView view;
  switch (storage) {
    case Storage::packed: view = matrix_view(Z.data() + p * size, sizes.D); break;
    case Storage::float32: view = matrix_view(floats_.data() + p * size, sizes.D); break;
    case Storage::columns:
      view = matrix_view(columns_.data() + p * size, problem.rows()).transposed();
      break;
    case Storage::sparse:
      view = matrix_view(sparse_.data() + 3 * p * size, 3 * sizes.D);
      view.column_stride *= 3;
      break;
    case Storage::parts: break;
  }
  loopcore::Prompt prompt =
      storage == Storage::parts ? prompt_in_parts(p) : literal_prompt(view, sizes.n, sizes.D);
  prompt.eta = matrix_view(eta.data() + p * sizes.T * sizes.layers, sizes.layers);
  if (variant.constant) prompt.eta.row_stride = 0;
  return prompt;
}

std::vector<loopcore::Prompt> LoopedCase::prompts() const {
  std::vector<loopcore::Prompt> prompts;
  for (Index p = 0; p < sizes.prompts; ++p) prompts.push_back(prompt(p));
  return prompts;
}

template <class Real>
Tokens<Real> loop_literally(const LoopedCase& looped, Index p) {
  const LoopedProblem& problem = looped.problem;
  const Index D = problem.model.D;
  const Index size = problem.rows() * D;
  std::vector<Real> Z(looped.Z.begin() + p * size, looped.Z.begin() + (p + 1) * size);
  Tokens<Real> wanted;
  for (Index t = 0; t <= problem.T; ++t) {
    for (const Index at : problem.at) {
      if (at == t) wanted.insert(wanted.end(), Z.begin() + problem.first_wanted() * D, Z.end());
    }
    if (t == problem.T) break;
    for (Index layer = 0; layer < problem.model.layers; ++layer) {
      const Index loop = p * problem.T + (looped.variant.constant ? 0 : t);
      Real eta = looped.eta[static_cast<std::size_t>(loop * problem.model.layers + layer)];
      if (problem.model.mean) eta = problem.n == 0 ? 0 : eta / static_cast<Real>(problem.n);
      Layer<Real>(looped, layer)(Z, eta);
    }
  }
  return wanted;
}
template Tokens<double> loop_literally<double>(const LoopedCase&, Index);
template Tokens<long double> loop_literally<long double>(const LoopedCase&, Index);

std::vector<Tokens<double>> run(LoopedEngine& engine, const LoopedProblem& problem,
                                std::span<const loopcore::Prompt> prompts) {
  Keep keep(problem, prompts.size());
  Stop stop = never_stop();
  engine.open(prompts, stop);
  Index t = 0;
  for (std::size_t k = 0; k < problem.at.size(); ++k) {
    engine.advance(t, problem.at[k], stop);
    t = problem.at[k];
    engine.write(static_cast<Index>(k), keep, stop);
  }
  return keep.tokens;
}

double error(LoopedEngine& engine, const LoopedCase& looped) {
  const std::vector<loopcore::Prompt> prompts = looped.prompts();
  double worst = 0;
  for (std::size_t begin = 0; begin < prompts.size();) {
    const std::size_t count =
        std::min(prompts.size() - begin, static_cast<std::size_t>(engine.most()));
    const auto found = run(engine, looped.problem, {&prompts[begin], count});
    for (std::size_t p = 0; p < count; ++p) {
      const auto number = static_cast<Index>(begin + p);
      const Tokens<long double> exact = loop_literally<long double>(looped, number);
      const Tokens<double> literal = loop_literally<double>(looped, number);
      const std::size_t size = exact.size() / looped.problem.at.size();
      for (std::size_t from = 0; from < exact.size(); from += size) {
        const double unit = std::max(0x1p-53, relative_error(literal, exact, from, from + size));
        worst = std::max(worst, relative_error(found[p], exact, from, from + size) / unit);
      }
    }
    begin += count;
  }
  return worst;
}

void check_against_literal(Layouts layouts, std::span<const Variant> variants) {
  unsigned seed = 0;
  for (const Index D : widths) {  // each with a variant, all variants in turn
    for (const Index n : contexts) {
      Variant variant = variants[seed % variants.size()];
      variant.has_skip = seed / 2 % 2 == 1;
      variant.mean = seed % 5 == 0;
      variant.constant = seed % 3 == 0;
      variant.only_queries = seed % 4 == 0;
      Sizes sizes{.D = D, .n = n, .layers = 1 + seed / 3 % 2, .heads = 1 + seed % 3 % 2};
      sizes.prompts = n == 65 ? 1 : 1 + seed % 3;
      if (variant.allows_queries() && seed % 2 == 0) sizes.m = n == 65 ? 2 : 9;
      check(layouts, variant, sizes, seed++);
    }
  }
  for (Variant variant : variants) {  // every one at some sizes
    for (const bool has_skip : {false, true}) {
      variant.has_skip = has_skip;
      variant.mean = !has_skip;
      check(layouts, variant, {.D = 5, .n = 9, .prompts = lane_width}, seed++);
      check(layouts, variant, {.D = 9, .n = 33, .heads = 1, .prompts = 2}, seed++);
    }
    // Several panels of rows and of keys.
    check(layouts, variant, {.D = 3, .n = 300, .layers = 1, .heads = 1, .T = 1}, seed++);
    if (variant.allows_queries()) check(layouts, variant, {.D = 3, .n = 9, .m = 130}, seed++);
    check(layouts, variant, {.T = 0}, seed++);
  }
}

void check_large(Layouts layouts, std::span<const Variant> variants, const Sizes& sizes) {
  unsigned seed = 0;
  for (Variant variant : variants) {
    variant.has_skip = seed % 2 == 0;
    check(layouts, variant, sizes, seed++);
  }
}

void check_company(Layouts layouts, std::span<const Variant> variants) {
  for (Variant variant : variants) {
    variant.has_skip = true;
    const LoopedCase looped(variant, {.D = 5, .n = 40, .prompts = lane_width});
    const auto engine = layouts.tasks(looped.problem);
    CHECK(engine->most() == lane_width);
    CHECK(layouts.columns(looped.problem)->most() == 1);
    std::vector<loopcore::Prompt> prompts = looped.prompts();
    const auto all = run(*engine, looped.problem, prompts);
    for (Index count = 1; count <= lane_width; ++count) {
      std::rotate(prompts.begin(), prompts.begin() + 1, prompts.end());
      const auto some =
          run(*engine, looped.problem, {prompts.data(), static_cast<std::size_t>(count)});
      for (std::size_t p = 0; p < some.size(); ++p) {
        const std::size_t number = (p + static_cast<std::size_t>(count)) % all.size();
        CHECK(have_same_bits(some[p], all[number]));
      }
    }
  }
}

void check_storage(Layouts layouts, std::span<const Variant> variants) {
  const LoopedCase looped(variants.back(), {.D = 5, .n = 70});
  for_each_layout(layouts, [&](MakeEngine make) {
    const auto engine = make(looped.problem);
    const Tokens<double> expected = run_one(*engine, looped.problem, looped.prompt(0));
    std::vector<loopcore::Prompt> mixed;
    for (const Storage storage :
         {Storage::float32, Storage::columns, Storage::sparse, Storage::parts}) {
      mixed.push_back(looped.prompt(0, storage));
      CHECK(have_same_bits(run_one(*engine, looped.problem, mixed.back()), expected));
    }
    mixed.resize(static_cast<std::size_t>(std::min<Index>(engine->most(), 3)));
    for (const auto& tokens : run(*engine, looped.problem, mixed)) {
      CHECK(have_same_bits(tokens, expected));
    }
  });
}

namespace {

/// The others' bits, in the same lane or after it, where one prompt is not finite.
void check_mates(MakeEngine make, const LoopedCase& sound, const LoopedCase& unsound) {
  const auto engine = make(sound.problem);
  std::vector<loopcore::Prompt> prompts = sound.prompts();
  prompts.resize(static_cast<std::size_t>(std::min(engine->most(), sound.sizes.prompts)));
  const auto before = run(*engine, sound.problem, prompts);
  std::vector<loopcore::Prompt> others = prompts;
  others[0] = unsound.prompt(0);
  const auto beside = run(*engine, unsound.problem, others);
  const auto after = run(*engine, sound.problem, prompts);
  CHECK_FALSE(std::all_of(beside[0].begin(), beside[0].end(),
                          [](double value) { return std::isfinite(value); }));
  for (std::size_t p = 0; p < before.size(); ++p) {
    if (p > 0) CHECK(have_same_bits(beside[p], before[p]));
    CHECK(have_same_bits(after[p], before[p]));
  }
}

/// Of queries that nobody sees, a NaN in one leaves the others' bits alone.
void check_queries(MakeEngine make, const Variant& variant) {
  const Sizes sizes{.D = 5, .n = 9, .m = 3};
  const LoopedCase sound(variant, sizes);
  LoopedCase unsound(variant, sizes);
  unsound.z(0, sizes.n + 1, 0) = std::numeric_limits<double>::quiet_NaN();
  const auto engine = make(sound.problem);
  const Tokens<double> before = run_one(*engine, sound.problem, sound.prompt(0));
  Tokens<double> after = run_one(*engine, unsound.problem, unsound.prompt(0));
  const Index rows = sizes.n + sizes.m;
  for (Index k = 0; k < 3; ++k) {
    const Index row = (k * rows + sizes.n + 1) * sizes.D;
    CHECK(std::isnan(after[static_cast<std::size_t>(row)]));
    std::copy_n(before.begin() + row, sizes.D, after.begin() + row);
  }
  CHECK(have_same_bits(after, before));
}

}  // namespace

void check_containment(Layouts layouts, std::span<const Variant> variants) {
  const Sizes sizes{.D = 5, .n = 9, .prompts = lane_width};
  for (const Variant& variant : variants) {
    const LoopedCase sound(variant, sizes);
    LoopedCase not_a_number(variant, sizes), infinite(variant, sizes), huge(variant, sizes);
    not_a_number.z(0, 0, sizes.D - 1) = std::numeric_limits<double>::quiet_NaN();
    infinite.step(0, 0) = std::numeric_limits<double>::infinity();
    for (Index i = 0; i < huge.problem.rows(); ++i) huge.z(0, i, 0) = 1e200;
    huge.step(0, 0) = 1e200;
    for_each_layout(layouts, [&](MakeEngine make) {
      CAPTURE(static_cast<int>(variant.attention));
      for (const LoopedCase* unsound : {&not_a_number, &infinite, &huge}) {
        check_mates(make, sound, *unsound);
      }
      if (variant.allows_queries()) check_queries(make, variant);
    });
  }
}

void check_stop(Layouts layouts, std::span<const Variant> variants) {
  for (Variant variant : variants) {
    variant.constant = true;
    LoopedCase looped(variant, {.D = 5, .n = 9, .T = 1});
    looped.problem.T = Index{1} << 40;  // hours
    looped.problem.at = {looped.problem.T};
    for_each_layout(layouts, [&](MakeEngine make) {
      const auto engine = make(looped.problem);
      const std::vector<loopcore::Prompt> prompts = looped.prompts();
      Stop never = never_stop();
      engine->open(prompts, never);
      StopFlag flag;
      flag.raised = true;
      Stop stop(flag, true);
      engine->advance(0, looped.problem.T, stop);
      CHECK(stop.raised());
    });
  }
}

void check_allocations(Layouts layouts, std::span<const Variant> variants) {
  for (Variant variant : variants) {
    variant.has_skip = true;
    const LoopedCase looped(variant, {.D = 9, .n = 70, .prompts = lane_width});
    for_each_layout(layouts, [&](MakeEngine make) {
      const auto engine = make(looped.problem);
      std::vector<loopcore::Prompt> prompts;
      for (Index p = 0; p < engine->most(); ++p) {
        prompts.push_back(looped.prompt(p, p % 2 == 0 ? Storage::float32 : Storage::packed));
      }
      Keep keep(looped.problem, prompts.size());
      Stop stop = never_stop();
      const long before = allocations();
      engine->open(prompts, stop);
      engine->advance(0, looped.problem.T, stop);
      engine->write(2, keep, stop);
      CHECK(allocations() == before);
    });
  }
}

namespace {

/// Fails in the middle.
class Full : public RowSink {
 public:
  explicit Full(Index row) : row_(row) {}

  void put(Index, Index, Index row, const double*) override {
    if (row == row_) throw std::length_error("no room");
  }

 private:
  Index row_;
};

void check_shared(MakeTeamEngine make, const LoopedCase& looped, const Tokens<double>& expected,
                  int threads) {
  const LoopedProblem& problem = looped.problem;
  const auto engine = make(problem, Team(threads));
  const loopcore::Prompt prompt = looped.prompt(0, Storage::float32);
  CHECK(have_same_bits(run_one(*engine, problem, prompt), expected));
  Keep keep(problem, 1);
  Full full(problem.n / 2);
  StopFlag flag;
  Stop stop(flag, true);
  const long before = allocations();
  engine->open({&prompt, 1}, stop);
  engine->advance(0, problem.T, stop);
  engine->write(2, keep, stop);
  CHECK(allocations() == before);
  if (!problem.only_queries) CHECK_THROWS_AS(engine->write(2, full, stop), std::length_error);
  flag.raised = false;  // by the exception
  CHECK(have_same_bits(run_one(*engine, problem, prompt), expected));
  flag.raised = true;
  engine->open({&prompt, 1}, stop);
  engine->advance(0, problem.T, stop);
  engine->write(2, keep, stop);
  CHECK(stop.raised());
}

}  // namespace

void check_team(TeamLayouts layouts, std::span<const Variant> variants, const Sizes& sizes) {
  for (Variant variant : variants) {
    variant.has_skip = true;
    for (const bool only_queries : {false, true}) {
      variant.only_queries = only_queries;
      const LoopedCase looped(variant, sizes);
      for (const MakeTeamEngine make : {layouts.tasks, layouts.columns}) {
        CAPTURE(static_cast<int>(variant.attention));
        CAPTURE(static_cast<int>(variant.update));
        CAPTURE(make == layouts.tasks);
        const auto alone = make(looped.problem, Team(1));
        const Tokens<double> expected = run_one(*alone, looped.problem, looped.prompt(0));
        for (const int threads : {2, 3, 8}) check_shared(make, looped, expected, threads);
      }
    }
  }
}

}  // namespace loopcore::testing
