#include <doctest/doctest.h>

#include "problem.hpp"

using namespace loopcore;

TEST_CASE("loops follow the q-recursion in long double, primal and dual") {
  for (const auto& [n, d] : testing::shapes) {
    const testing::Prompt<> prompt(n, d, static_cast<unsigned>(n + 5 * d));
    const auto eta = static_cast<double>(1 / prompt.lambda_max());
    for (const bool dual : n < d ? std::vector<bool>{true, false} : std::vector<bool>{false}) {
      Gram gram(n, d, dual);
      Stop stop = testing::never_stop();
      gram.form(prompt.task(1.5), {}, stop);
      CHECK(gram.in_range());
      CHECK(gram.lambda_max(stop) ==
            doctest::Approx(static_cast<double>(prompt.lambda_max())).epsilon(1e-14));
      for (Index t = 0; t < 30; ++t) gram.loop(eta, stop);
      const auto exact = prompt.loops(30, 1.5L, [eta](Index) { return eta; });
      const double* q = gram.q();
      CHECK(testing::relative_difference(std::vector<double>(q, q + d), exact) < 2e-14);
    }
  }
}

TEST_CASE("large S is summed by panels: a constant X of 600 columns does not drift") {
  const Index n = 601, d = 600;
  const testing::Prompt<> base(n, d);
  std::vector<double> X(static_cast<std::size_t>(n * d), 0.1);
  std::vector<double> y(static_cast<std::size_t>(n), 0.3);
  Task task{.n = n, .d = d, .X = testing::view(X, d), .y = testing::view(y)};
  task.alpha = 1;
  Gram gram(n, d, false);
  Stop stop = testing::never_stop();
  gram.form(task, {}, stop);
  const double lambda = 0.01 * static_cast<double>(n * d);
  for (int t = 0; t < 3; ++t) gram.loop(0.5 / lambda, stop);
  // q = −c 1 with c = (1 − 2⁻³) · 0.3 / (0.1 d)
  const double expected = -0.875 * 0.3 / (0.1 * static_cast<double>(d));
  for (Index k = 0; k < d; ++k)
    CHECK(gram.q()[k] == doctest::Approx(expected).epsilon(60 * 0x1p-53));
}

TEST_CASE("what leaves the range of double is seen") {
  Stop stop = testing::never_stop();
  for (const double exponent : {-160.0, 160.0}) {
    const testing::Prompt<> prompt(6, 3, 1, exponent);
    Gram gram(6, 3, false);
    gram.form(prompt.task(), {}, stop);
    CHECK_FALSE(gram.in_range());
    double row[3];
    gram.form(prompt.task(), find_scaling(prompt.task(), row), stop);
    CHECK(gram.in_range());
  }
}
