#include <doctest/doctest.h>

#include <limits>
#include <loopcore/range.hpp>

#include "problem.hpp"

using namespace loopcore;

TEST_CASE("largest_magnitude keeps a NaN that was met before or now") {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const double values[] = {1, -7, 3};
  CHECK(largest_magnitude(values, 3) == 7.0);
  CHECK(std::isnan(largest_magnitude(values, 3, nan)));
  const double with_nan[] = {1, nan, 9};
  CHECK(std::isnan(largest_magnitude(with_nan, 3)));
}

TEST_CASE("scaling brings the largest entries of X and y to the middle of the range") {
  testing::Prompt<> prompt(5, 3, 1, 160);
  double row[3];
  const Scaling scaling = find_scaling(prompt.task(), row);
  double largest = 0;
  for (const double x : prompt.X) largest = std::max(largest, std::abs(std::ldexp(x, scaling.x)));
  CHECK(largest >= 0x1p149);
  CHECK(largest < 0x1p150);
  CHECK(std::ldexp(0x1p-1074, exponent_to_middle(0x1p-1074)) == 0x1p-151);
  CHECK(exponent_to_middle(1e30) == 0);
  CHECK(exponent_to_middle(0.0) == 0);
  CHECK(exponent_to_middle(std::numeric_limits<double>::infinity()) == 0);
}

TEST_CASE("scaled step sizes and values stand for the same loop") {
  const Scaling scaling{.x = 3, .y = -2};
  CHECK(scaling.eta(1.0) == 0x1p-6);   // η̃ = 4⁻ˣ η
  CHECK(scaling.alpha(1.0) == 0x1p5);  // α̃ = 2^(x−y) α
  CHECK(scaling.is_identity() == false);
}

TEST_CASE("the safe range, in scalars and lanes alike; neither NaN nor infinity is in it") {
  for (const double value :
       {0.0, 0x1p-400, 0x1p-399, 1.0, 0x1p399, 0x1p400, std::numeric_limits<double>::infinity(),
        std::numeric_limits<double>::quiet_NaN()}) {
    CHECK(in_safe_range(value) == (value > 0x1p-400 && value < 0x1p400));
    CHECK(any(in_safe_range(Lane::broadcast(value))) == in_safe_range(value));
  }
}
