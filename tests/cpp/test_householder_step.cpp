#include <doctest/doctest.h>

#include <cmath>
#include <loopcore/householder_step.hpp>
#include <loopcore/token_gram.hpp>

#include "exact.hpp"

using namespace loopcore;

TEST_CASE("the step is 1/λ_max, u its eigenvector, and S is left as it is") {
  for (const auto& [n, d] : {std::pair<Index, Index>{60, 40}, {5, 33}, {3, 1}, {100, 100}}) {
    const testing::Prompt<> prompt(n, d);
    const Team team(1);
    TokenGram tokens(n, d, 1);
    Stop stop = testing::never_stop();
    tokens.form(prompt.task().X, 0, nullptr, nullptr, 0, false, team, stop);
    const auto exact = static_cast<double>(testing::lambda_max(prompt));
    HouseholderStep step(d);
    const double before = tokens.S()(d - 1, 0);
    CHECK(step.find(tokens.S(), stop) * exact == doctest::Approx(1).epsilon(1e-14));
    CHECK(tokens.S()(d - 1, 0) == before);
    double norm = 0;
    for (Index j = 0; j < d; ++j) {
      double sum = 0;
      for (Index k = 0; k < d; ++k) sum += tokens.S()(j, k) * step.u()[k];
      CHECK(std::abs(sum - exact * step.u()[j]) < 1e-13 * exact);
      norm += step.u()[j] * step.u()[j];
    }
    CHECK(norm == doctest::Approx(1).epsilon(1e-14));
  }
}

TEST_CASE("S = 0 has no step") {
  HouseholderStep step(8);
  Buffer S(LaneBlocks::size(padded(8), 8));
  Stop stop = testing::never_stop();
  CHECK(step.find({S.data(), padded(8)}, stop) == 0);
}
