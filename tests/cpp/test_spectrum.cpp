#include <doctest/doctest.h>

#include <loopcore/spectrum.hpp>

#include "exact.hpp"
#include "svd.hpp"

using namespace loopcore;

TEST_CASE("λ_max is that of the loop's own step, λ_min that of the singular values") {
  for (const auto& [n, d] : {std::pair<Index, Index>{30, 6}, {5, 9}, {200, 1}}) {
    const testing::Prompt<> prompt(n, d, 11);
    Stop stop = testing::never_stop();
    SpectrumSolver solver(n, d, 0x1p-52);
    const Spectrum found = solver(prompt.task(), stop);
    CHECK(found.rank == std::min(n, d));
    CHECK(found.rescaled(found.lambda_max, 0) ==
          doctest::Approx(static_cast<double>(testing::lambda_max(prompt))).epsilon(1e-14));
    LeastSquares singular(n, d, 0x1p-52);
    if (found.rank > 1)
      CHECK(found.lambda_min == singular.spectrum(prompt.task(), stop).lambda_min);
    if (found.rank == 1) CHECK(found.kappa() == 1.0);
  }
}
