#include <doctest/doctest.h>

#include <cmath>
#include <loopcore/looped_vjp_plan.hpp>
#include <random>
#include <vector>

#include "problem.hpp"

using namespace loopcore;

namespace {

using Numbers = std::vector<double>;

struct Rows final : LoopedVjpSink {
  Rows(Index prompts, const LoopedProblem& problem)
      : rows(problem.rows()),
        D(problem.model.D),
        layers(problem.model.layers),
        T(problem.T),
        Z(static_cast<std::size_t>(prompts * rows * D)),
        eta(static_cast<std::size_t>(prompts * T * layers)) {}

  void put(Index prompt, Index, Index row, const double* token) override {
    std::copy_n(token, D, Z.data() + (prompt * rows + row) * D);
  }
  void put_step(Index prompt, Index loop, Index layer, double bar) override {
    eta[static_cast<std::size_t>((prompt * T + loop) * layers + layer)] = bar;
  }

  Index rows, D, layers, T;
  Numbers Z;
  Numbers eta;
};

/// Some prompts, the weights that they share, and the adjoints of what they become.
struct Case {
  Index prompts = 7;  // the last lane is not full
  LoopedProblem problem;
  Numbers Z, P, Q, skip, eta, Z_bar;

  Case(Attention attention, Update update, Mask mask, Index n, Index D) {
    LoopedModel& model = problem.model;
    model = {
        .D = D, .layers = 2, .heads = 2, .attention = attention, .update = update, .mask = mask};
    problem.n = n;
    problem.T = 3;
    problem.at = {problem.T};
    std::mt19937 random(5);
    std::normal_distribution<double> normal;
    const auto fill = [&](Numbers& values, Index count, double scale) {
      values.resize(static_cast<std::size_t>(count));
      for (double& value : values) value = scale * normal(random);
    };
    const double scale = 1 / std::sqrt(static_cast<double>(D));
    fill(Z, prompts * problem.rows() * D, scale);
    fill(Z_bar, prompts * problem.rows() * D, 1);
    fill(P, 4 * D * D, scale);
    fill(Q, 4 * D * D, 0.3 * scale);  // or exp would grow beyond what differences can follow
    fill(skip, D * D, 0.1);
    for (Index j = 0; j < D; ++j) skip[static_cast<std::size_t>(j * (D + 1))] += 0.9;
    fill(eta, prompts * 6, 0.01);
    model.P = P.data();
    model.Q = Q.data();
    model.skip = skip.data();
  }

  std::vector<Prompt> views(const Numbers& values) const {
    std::vector<Prompt> all;
    for (Index t = 0; t < prompts; ++t) {
      const Index D = problem.model.D;
      const MatrixView view = matrix_view(values.data() + t * problem.rows() * D, D);
      all.push_back(literal_prompt(view, problem.n, D));
      all.back().eta = matrix_view(eta.data() + t * 6, 2);
    }
    return all;
  }

  /// Σ ⟨Z(T), Z̄⟩ over all prompts
  double value() const {
    const auto engine = make_looped_engine<ColumnsInLanes>(problem, LoopedPath::attention_rows);
    Stop stop = testing::never_stop();
    Rows end(prompts, problem);
    const std::vector<Prompt> all = views(Z);
    for (Index t = 0; t < prompts; ++t) {
      Rows one(1, problem);
      engine->open({&all[static_cast<std::size_t>(t)], 1}, stop);
      engine->advance(0, problem.T, stop);
      engine->write(0, one, stop);
      std::copy(one.Z.begin(), one.Z.end(), end.Z.begin() + t * problem.rows() * problem.model.D);
    }
    double sum = 0;
    for (std::size_t k = 0; k < end.Z.size(); ++k) sum += end.Z[k] * Z_bar[k];
    return sum;
  }
};

/// All adjoints one after the other: Z, η, P, Q, skip.
template <class L>
Numbers gradient(const Case& given, LoopedPath path) {
  const auto engine = make_looped_vjp_engine<L>(given.problem, path);
  Stop stop = testing::never_stop();
  const std::vector<Prompt> prompts = given.views(given.Z), bars = given.views(given.Z_bar);
  Rows sink(given.prompts, given.problem);
  Numbers P(given.P.size()), Q(given.Q.size()), skip(given.skip.size());
  const WeightBars weights{P.data(), Q.data(), skip.data()};
  Numbers all;
  for (Index t = 0; t < given.prompts; t += engine->most()) {
    const Index count = std::min(engine->most(), given.prompts - t);
    Rows some(count, given.problem);
    const auto first = static_cast<std::size_t>(t), size = static_cast<std::size_t>(count);
    engine->run({&prompts[first], size}, {&bars[first], size}, weights, some, stop);
    const auto part = [&](const Numbers& from, Numbers& to) {
      std::copy(from.begin(), from.end(),
                to.begin() + t * static_cast<Index>(to.size()) / given.prompts);
    };
    part(some.Z, sink.Z);
    part(some.eta, sink.eta);
  }
  for (const Numbers* part : {&sink.Z, &sink.eta, &P, &Q, &skip}) {
    all.insert(all.end(), part->begin(), part->end());
  }
  return all;
}

/// The largest difference, as a part of the largest number.
double difference(const Numbers& a, const Numbers& b) {
  REQUIRE(a.size() == b.size());
  double largest = 0, size = 0;
  for (std::size_t k = 0; k < a.size(); ++k) {
    largest = std::max(largest, std::abs(a[k] - b[k]));
    size = std::max(size, std::abs(a[k]));
  }
  return largest / size;
}

}  // namespace

TEST_CASE("the gradient is that of differences, in both layouts") {
  for (const Attention attention :
       {Attention::linear, Attention::relu, Attention::exp, Attention::softmax}) {
    for (const Update update : {Update::query, Update::all}) {
      for (const Mask mask : {Mask::context, Mask::all, Mask::causal}) {
        Case given(attention, update, mask, 6, 3);
        const Numbers found = gradient<TasksInLanes>(given, LoopedPath::attention_rows);
        CHECK(difference(found, gradient<ColumnsInLanes>(given, LoopedPath::attention_rows)) <
              1e-13);
        std::size_t k = 0;
        for (Numbers* part : {&given.Z, &given.eta, &given.P, &given.Q, &given.skip}) {
          for (std::size_t j = 0; j < part->size(); ++j, ++k) {
            if (j % 5 != 0) continue;
            const double kept = (*part)[j];
            const double h = 1e-5;
            (*part)[j] = kept + h;
            const double above = given.value();
            (*part)[j] = kept - h;
            const double below = given.value();
            (*part)[j] = kept;
            const double expected = (above - below) / (2 * h);
            CHECK(std::abs(found[k] - expected) < 1e-6 * (1 + std::abs(expected)));
          }
        }
      }
    }
  }
}

TEST_CASE("a short context is undone by sums too, unless scores are less work") {
  for (const Mask mask : {Mask::context, Mask::all, Mask::causal}) {
    const auto path = [&](Update update, Index n, Index D) {
      return choose_looped_vjp_path(Case(Attention::linear, update, mask, n, D).problem);
    };
    CHECK(path(Update::query, 30, 9) == LoopedPath::linear_query);
    CHECK(path(Update::query, 9, 9) == LoopedPath::linear_query);
    CHECK(path(Update::query, 3, 40) == LoopedPath::attention_rows);
    const LoopedPath sums =
        mask == Mask::causal ? LoopedPath::attention_rows : LoopedPath::linear_all;
    CHECK(path(Update::all, 30, 9) == sums);
    CHECK(path(Update::all, 9, 9) == sums);
    CHECK(path(Update::all, 3, 40) == LoopedPath::attention_rows);
  }
}

TEST_CASE("sums over the keys have the gradient of the keys") {
  for (const Index D : {3, 9, 20}) {
    for (const Mask mask : {Mask::context, Mask::all, Mask::causal}) {
      const Case query(Attention::linear, Update::query, mask, 30, D);
      const Numbers expected = gradient<ColumnsInLanes>(query, LoopedPath::attention_rows);
      CHECK(difference(expected, gradient<TasksInLanes>(query, LoopedPath::linear_query)) < 1e-13);
      CHECK(difference(expected, gradient<ColumnsInLanes>(query, LoopedPath::linear_query)) <
            1e-13);
      if (mask == Mask::causal) continue;
      const Case all(Attention::linear, Update::all, mask, 30, D);
      const Numbers rows = gradient<TasksInLanes>(all, LoopedPath::attention_rows);
      CHECK(difference(rows, gradient<TasksInLanes>(all, LoopedPath::linear_all)) < 1e-13);
      CHECK(difference(rows, gradient<ColumnsInLanes>(all, LoopedPath::linear_all)) < 1e-13);
    }
  }
}
