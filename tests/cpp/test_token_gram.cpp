#include <doctest/doctest.h>

#include <cmath>
#include <loopcore/token_gram.hpp>
#include <vector>

#include "problem.hpp"

using namespace loopcore;

namespace {

/// X (n, d), and a lane of targets.
template <class T = double>
struct Context {
  Context(Index n_, Index d_, unsigned seed = 0) : n(n_), d(d_), prompt(n_, d_, seed) {
    for (Index t = 0; t < lane_width; ++t) {
      const testing::Prompt<double> other(n, 1, seed + 100 + static_cast<unsigned>(t));
      targets.push_back(other.X);
    }
    for (const auto& target : targets) y.push_back(testing::view(target));
  }

  MatrixView X() const { return testing::view(prompt.X, d); }

  Index n, d;
  testing::Prompt<T> prompt;
  std::vector<std::vector<double>> targets;
  std::vector<VectorView> y;
};

const int no_scale[lane_width] = {};

/// What one call gives, S (d, d) and b (d, lane_width).
struct Sums {
  std::vector<double> S;
  std::vector<double> b;
  std::vector<double> yy;

  bool operator==(const Sums& other) const {
    return S == other.S && b == other.b && yy == other.yy;
  }
};

Sums read_out(TokenGram& gram, Index d, Index count) {
  Sums sums;
  for (Index j = 0; j < d; ++j) {
    for (Index k = 0; k < d; ++k) sums.S.push_back(gram.S()(j, k));
    double b[lane_width];
    gram.b()[j].store(b);
    sums.b.insert(sums.b.end(), b, b + lane_width);
  }
  for (Index t = 0; t < count; ++t) sums.yy.push_back(gram.yy(t));
  return sums;
}

Sums form(const MatrixView& X, Index n, Index d, const VectorView* y, Index count, int threads = 1,
          int scale_x = 0, const int* scale_y = no_scale) {
  StopFlag flag;
  Stop stop(flag, true);
  Team team(threads);
  TokenGram gram(n, d, threads);
  REQUIRE(gram.form(X, scale_x, y, scale_y, count, false, team, stop));
  return read_out(gram, d, count);
}

/// The largest error of Σ_i a_i b_i in units of u Σ_i |a_i b_i|.
template <class A, class B>
double error(double sum, Index n, A&& a, B&& b) {
  long double exact = 0;
  long double magnitude = 0;
  for (Index i = 0; i < n; ++i) {
    const long double term = static_cast<long double>(a(i)) * static_cast<long double>(b(i));
    exact += term;
    magnitude += std::abs(term);
  }
  if (magnitude == 0) return sum == 0 ? 0 : HUGE_VAL;
  return static_cast<double>(std::abs(sum - exact) / magnitude * 0x1p53L);
}

double largest_error(const Context<>& context, Index count, const Sums& sums) {
  const Index n = context.n, d = context.d;
  const auto x = [&](Index k) { return [&context, k](Index i) { return context.prompt.x(i, k); }; };
  const auto y = [&](Index t) {
    return [&context, t, count](Index i) {
      return t < count ? context.targets[static_cast<std::size_t>(t)][static_cast<std::size_t>(i)]
                       : 0.0;
    };
  };
  double largest = 0;
  const auto check = [&](double value, auto&& a, auto&& b) {
    largest = std::max(largest, error(value, n, a, b));
  };
  for (Index j = 0; j < d; ++j) {
    for (Index k = 0; k <= j; ++k) {
      check(sums.S[static_cast<std::size_t>(j * d + k)], x(j), x(k));
    }
    for (Index t = 0; t < lane_width; ++t) {
      check(sums.b[static_cast<std::size_t>(j * lane_width + t)], x(j), y(t));
    }
  }
  for (Index t = 0; t < count; ++t) check(sums.yy[static_cast<std::size_t>(t)], y(t), y(t));
  return largest;
}

bool is_symmetric(const Sums& sums, Index d) {
  for (Index j = 0; j < d; ++j) {
    for (Index k = 0; k < j; ++k) {
      if (sums.S[static_cast<std::size_t>(j * d + k)] !=
          sums.S[static_cast<std::size_t>(k * d + j)]) {
        return false;
      }
    }
  }
  return true;
}

}  // namespace

TEST_CASE("S, b and yᵀy are the sums, for every shape and number of targets") {
  for (const Index n : {1, 7, 63, 64, 65, 512, 513, 1100, 9000}) {
    for (const Index d : {1, 2, 7, 8, 9, 33, 64, 65, 130}) {
      const Context<> context(n, d, static_cast<unsigned>(n + d));
      for (const Index count : {Index{0}, Index{1}, std::min<Index>(3, lane_width), lane_width}) {
        if (n > 1100 && d > 9 && count != 1) continue;
        const Sums sums = form(context.X(), n, d, context.y.data(), count);
        CAPTURE(n);
        CAPTURE(d);
        CAPTURE(count);
        CHECK(largest_error(context, count, sums) < 8);
        CHECK(is_symmetric(sums, d));
      }
    }
  }
}

TEST_CASE("a wide S, computed in blocks by all threads, is the same sum") {
  for (const auto& [n, d] : {std::pair<Index, Index>{3, 257}, {700, 300}, {1100, 520}}) {
    const Context<> context(n, d);
    const Sums sums = form(context.X(), n, d, context.y.data(), lane_width);
    CHECK(largest_error(context, lane_width, sums) < 8);
    CHECK(is_symmetric(sums, d));
  }
}

TEST_CASE("the number of threads changes no bit") {
  for (const auto& [n, d] :
       {std::pair<Index, Index>{300, 33}, {9000, 65}, {3000, 250}, {1100, 300}}) {
    const Context<> context(n, d);
    const Sums one = form(context.X(), n, d, context.y.data(), lane_width, 1);
    for (const int threads : {2, 3}) {
      CHECK(form(context.X(), n, d, context.y.data(), lane_width, threads) == one);
    }
  }
}

TEST_CASE("a target has the same bits alone and beside others") {
  const Index n = 700, d = 37;
  const Context<> context(n, d);
  const Sums all = form(context.X(), n, d, context.y.data(), lane_width);
  for (Index t = 0; t < lane_width; ++t) {
    const Sums one = form(context.X(), n, d, &context.y[static_cast<std::size_t>(t)], 1);
    CHECK(one.S == all.S);
    CHECK(one.yy[0] == all.yy[static_cast<std::size_t>(t)]);
    for (Index j = 0; j < d; ++j) {
      CHECK(one.b[static_cast<std::size_t>(j * lane_width)] ==
            all.b[static_cast<std::size_t>(j * lane_width + t)]);
    }
  }
}

TEST_CASE("scales are exact powers of two") {
  const Index n = 150, d = 11;
  const Context<> context(n, d);
  std::vector<double> X = context.prompt.X;
  for (double& x : X) x *= 0x1p-300;
  int scale_y[lane_width];
  std::vector<std::vector<double>> targets = context.targets;
  std::vector<VectorView> y;
  for (Index t = 0; t < lane_width; ++t) {
    scale_y[t] = static_cast<int>(5 * t);
    for (double& value : targets[static_cast<std::size_t>(t)])
      value = std::ldexp(value, -scale_y[t]);
    y.push_back(testing::view(targets[static_cast<std::size_t>(t)]));
  }
  CHECK(form(testing::view(X, d), n, d, y.data(), lane_width, 1, 300, scale_y) ==
        form(context.X(), n, d, context.y.data(), lane_width));
}

TEST_CASE("storage and strides change no bit") {
  for (const auto& [n, d] : {std::pair<Index, Index>{150, 11}, {70, 48}, {600, 290}}) {
    const Context<float> context(n, d);
    const std::vector<float>& X = context.prompt.X;
    const std::vector<double> wide(X.begin(), X.end());
    std::vector<float> columns(X.size());
    std::vector<double> wide_columns(X.size());
    std::vector<double> sparse(static_cast<std::size_t>(3 * n * d));
    for (Index i = 0; i < n; ++i) {
      for (Index k = 0; k < d; ++k) {
        const float x = context.prompt.x(i, k);
        columns[static_cast<std::size_t>(k * n + i)] = x;
        wide_columns[static_cast<std::size_t>(k * n + i)] = x;
        sparse[static_cast<std::size_t>(3 * (i * d + k))] = x;
      }
    }
    MatrixView strided = testing::view(sparse, 3 * d);
    strided.column_stride *= 3;
    const auto sums = [&, n = n, d = d](const MatrixView& view) {
      return form(view, n, d, context.y.data(), lane_width);
    };
    const Sums packed = sums(testing::view(wide, d));
    CHECK(sums(context.X()) == packed);
    CHECK(sums(testing::view(columns, n).transposed()) == packed);
    CHECK(sums(testing::view(wide_columns, n).transposed()) == packed);
    CHECK(sums(strided) == packed);
  }
}

TEST_CASE("keep_S gives the same b for new targets, and keeps S") {
  StopFlag flag;
  Stop stop(flag, true);
  Team team(2);
  for (const auto& [n, d] : {std::pair<Index, Index>{50, 33}, {64, 64}, {9000, 70}, {1100, 300}}) {
    const Context<> first(n, d);
    const Context<> second(n, d, 7);
    for (const int scale : {0, 1}) {  // rows used in place, and rows that must be copied
      TokenGram kept(n, d, 2), fresh(n, d, 2);
      REQUIRE(kept.form(first.X(), scale, first.y.data(), no_scale, 1, false, team, stop));
      const Sums before = read_out(kept, d, 1);
      REQUIRE(kept.form(first.X(), scale, second.y.data(), no_scale, lane_width, true, team, stop));
      REQUIRE(
          fresh.form(first.X(), scale, second.y.data(), no_scale, lane_width, false, team, stop));
      CHECK(read_out(kept, d, lane_width) == read_out(fresh, d, lane_width));
      REQUIRE(kept.form(first.X(), scale, first.y.data(), no_scale, 1, true, team, stop));
      CHECK(read_out(kept, d, 1) == before);
    }
  }
}

TEST_CASE("a second task on the same object starts afresh") {
  StopFlag flag;
  Stop stop(flag, true);
  Team team(1);
  for (const auto& [n, d] : {std::pair<Index, Index>{5, 3}, {600, 20}, {9000, 65}, {1100, 300}}) {
    Context<> context(n, d), spoiled(n, d, 1);
    spoiled.prompt.X[0] = NAN;
    spoiled.targets[0][0] = INFINITY;
    TokenGram gram(n, d, 1);
    REQUIRE(gram.form(spoiled.X(), 0, spoiled.y.data(), no_scale, lane_width, false, team, stop));
    REQUIRE(gram.form(context.X(), 0, context.y.data(), no_scale, 1, false, team, stop));
    CHECK(read_out(gram, d, 1) == form(context.X(), n, d, context.y.data(), 1));
  }
}

TEST_CASE("padding is zero") {
  const Index n = 70, d = lane_width + 1;
  const Context<> context(n, d);
  StopFlag flag;
  Stop stop(flag, true);
  Team team(1);
  TokenGram gram(n, d, 1);
  REQUIRE(gram.form(context.X(), 0, context.y.data(), no_scale, 1, false, team, stop));
  CHECK(gram.S().rows == padded(d));
  for (Index j = 0; j < padded(d); ++j) {
    for (Index k = d; k < padded(d); ++k) {
      CHECK(gram.S()(j, k) == 0);
      CHECK(gram.S()(k, j) == 0);
    }
  }
}

TEST_CASE("a million equal rows are summed without drift") {
  const Index n = 1000000;
  const double third = 1.0 / 3;
  const std::vector<double> x(static_cast<std::size_t>(n), third);
  const VectorView y = testing::view(x);
  const Sums sums = form(testing::view(x, 1), n, 1, &y, 1, 2);
  const long double exact = 1000000.0L * third * third;  // a running sum would drift in long double
  for (const double sum : {sums.S[0], sums.b[0], sums.yy[0]}) {
    CHECK(std::abs(static_cast<double>((sum - exact) / exact)) < 25 * 0x1p-53);
  }
}

TEST_CASE("a raised flag ends the sum") {
  for (const Index d : {130, 300}) {
    const Index n = 3000;
    const Context<> context(n, d);
    StopFlag flag;
    Stop stop(flag, true);
    Team team(2);
    TokenGram gram(n, d, 2);
    stop.raise();
    CHECK(!gram.form(context.X(), 0, nullptr, nullptr, 0, false, team, stop));
  }
}
