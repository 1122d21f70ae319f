#include <doctest/doctest.h>

#include "problem.hpp"

using namespace loopcore;

TEST_CASE("S holds XᵀX, Xᵀy and yᵀy") {
  for (const auto& [n, d] : testing::shapes) {
    const testing::Prompt<> prompt(n, d, static_cast<unsigned>(n + d));
    const Task task = prompt.task();
    TokenGram gram(d + 1);
    Stop stop = testing::never_stop();
    REQUIRE(gram.form(task.X, &task.y, n, d, 0, 0, stop));
    const auto token = [&](Index i, Index k) {
      return static_cast<long double>(k < d ? prompt.x(i, k)
                                            : prompt.y[static_cast<std::size_t>(i)]);
    };
    for (Index j = 0; j <= d; ++j) {
      for (Index k = 0; k <= d; ++k) {
        long double exact = 0;
        long double magnitude = 0;
        for (Index i = 0; i < n; ++i) {
          exact += token(i, j) * token(i, k);
          magnitude += std::abs(token(i, j) * token(i, k));
        }
        CHECK(std::abs(static_cast<double>(gram.S()(j, k) - exact)) <=
              8 * 0x1p-53 * static_cast<double>(magnitude));
        CHECK(gram.S()(j, k) == gram.S()(k, j));
      }
    }
  }
}

TEST_CASE("storage and strides change no bit of S") {
  const Index n = 150, d = 11;
  const testing::Prompt<float> prompt(n, d);
  const std::vector<double> wide(prompt.X.begin(), prompt.X.end());
  std::vector<float> columns(prompt.X.size());
  for (Index i = 0; i < n; ++i) {
    for (Index k = 0; k < d; ++k) columns[static_cast<std::size_t>(k * n + i)] = prompt.x(i, k);
  }
  Stop stop = testing::never_stop();
  TokenGram a(d), b(d), c(d);
  REQUIRE(a.form(prompt.task().X, nullptr, n, d, 0, 0, stop));
  REQUIRE(b.form(testing::view(wide, d), nullptr, n, d, 0, 0, stop));
  REQUIRE(c.form(testing::view(columns, n).transposed(), nullptr, n, d, 0, 0, stop));
  for (Index j = 0; j < d; ++j) {
    for (Index k = 0; k < d; ++k) {
      CHECK(a.S()(j, k) == b.S()(j, k));
      CHECK(a.S()(j, k) == c.S()(j, k));
    }
  }
}

TEST_CASE("many equal rows are summed without drift, and a second task starts afresh") {
  const Index n = 100000;
  const std::vector<double> x(static_cast<std::size_t>(n), 1.0 / 3);
  TokenGram gram(1);
  Stop stop = testing::never_stop();
  for (int repeat = 0; repeat < 2; ++repeat) {
    REQUIRE(gram.form(testing::view(x, 1), nullptr, n, 1, 0, 0, stop));
    const long double exact = 100000.0L * static_cast<long double>(1.0 / 3) * (1.0 / 3);
    CHECK(std::abs(static_cast<double>((gram.S()(0, 0) - exact) / exact)) < 22 * 0x1p-53);
  }
}
