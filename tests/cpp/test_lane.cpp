#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <loopcore/lane.hpp>

using namespace loopcore;

TEST_CASE("a lane loads, adds up and stores at any address") {
  double values[2 * lane_width + 1];
  for (Index k = 0; k < 2 * lane_width + 1; ++k) values[k] = static_cast<double>(k);
  const Lane lane = Lane::load(values + 1);
  CHECK(lane.sum() == lane_width * (lane_width + 1) / 2.0);
  lane.store(values + 2);
  CHECK(values[2] == 1.0);
  CHECK(values[1 + lane_width] == lane_width);
}

TEST_CASE("load_first reads no further than it is told") {
  double values[lane_width];
  for (Index k = 0; k < lane_width; ++k) values[k] = std::numeric_limits<double>::quiet_NaN();
  values[0] = 3;
  CHECK(Lane::load_first(values, 1).sum() == 3.0);
  CHECK(Lane::load_first(values, 0).sum() == 0.0);
}

TEST_CASE("madd rounds alike in scalars and lanes") {
  // (1 + 2⁻³⁰)² = 1 + 2⁻²⁹ + 2⁻⁶⁰: what is left after −1 − 2⁻²⁹ is 2⁻⁶⁰ if fused, 0 if not.
  const double a = 1 + 0x1p-30;
  const double c = -1 - 0x1p-29;
  double lane[lane_width];
  madd(Lane::broadcast(a), Lane::broadcast(a), Lane::broadcast(c)).store(lane);
  for (Index k = 0; k < lane_width; ++k) CHECK(lane[k] == madd(a, a, c));
#ifdef __FMA__
  CHECK(madd(a, a, c) == 0x1p-60);
#else
  CHECK(madd(a, a, c) == 0.0);
#endif
}

TEST_CASE("broadcast keeps the sign of zero") {
  double lane[lane_width];
  Lane::broadcast(-0.0).store(lane);
  CHECK(std::signbit(lane[lane_width - 1]));
}

TEST_CASE("a sum with carry of equal terms does not drift") {
  double plain = 0;
  double total = 0;
  double carry = 0;
  for (int k = 0; k < 1000000; ++k) {
    plain += 1.0 / 3;
    add_with_carry(1.0 / 3, total, carry);
  }
  const double exact = static_cast<double>(1000000.0L * static_cast<long double>(1.0 / 3));
  CHECK(std::abs(plain - exact) / exact > 1e-14);
  CHECK(total + carry == exact);
}
