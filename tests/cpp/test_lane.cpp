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

namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();
constexpr double nan_value = std::numeric_limits<double>::quiet_NaN();

/// A lane of k-th element values[k % count].
template <std::size_t count>
Lane lane_of(const double (&values)[count]) {
  Lane lane = Lane::zero();
  for (Index k = 0; k < lane_width; ++k) lane.set(k, values[static_cast<std::size_t>(k) % count]);
  return lane;
}

/// The same bits, or both NaN.
bool is_same(double a, double b) {
  return std::isnan(a) ? std::isnan(b) : a == b && std::signbit(a) == std::signbit(b);
}

}  // namespace

TEST_CASE("arithmetic is that of doubles, element by element") {
  const double left[] = {1.5, -0.0, 1e300, -infinity, 0x1p-1074, 3, nan_value, -7};
  const double right[] = {-2, 0.0, 1e300, infinity, 3, 0.1};
  const Lane a = lane_of(left);
  const Lane b = lane_of(right);
  for (Index k = 0; k < lane_width; ++k) {
    CHECK(is_same((a + b)[k], a[k] + b[k]));
    CHECK(is_same((a - b)[k], a[k] - b[k]));
    CHECK(is_same((a * b)[k], a[k] * b[k]));
    CHECK(is_same((a / b)[k], a[k] / b[k]));
    CHECK(is_same((-a)[k], -a[k]));
    CHECK(is_same((2.5 * a)[k], 2.5 * a[k]));
    CHECK(is_same(madd(0.1, a, b)[k], madd(0.1, a[k], b[k])));
  }
}

TEST_CASE("select, abs and max go element by element; a NaN is chosen where it stood first") {
  const double left[] = {1, -2, nan_value, 4, -infinity, 6, 0, -8};
  const double right[] = {3, -5, 1, nan_value, 0};
  const Lane a = lane_of(left);
  const Lane b = lane_of(right);
  for (Index k = 0; k < lane_width; ++k) {
    CHECK(is_same(select(a < b, a, b)[k], a[k] < b[k] ? a[k] : b[k]));
    CHECK(is_same(select(a <= b, a, b)[k], a[k] <= b[k] ? a[k] : b[k]));
    CHECK(is_same(abs(a)[k], std::abs(a[k])));
    CHECK(is_same(max(a, b)[k], a[k] < b[k] ? b[k] : a[k]));
  }
}

TEST_CASE("any sees a single element, and is not misled by NaN") {
  CHECK_FALSE(any(Lane::zero() < Lane::zero()));
  CHECK_FALSE(any(Lane::broadcast(nan_value) <= Lane::broadcast(nan_value)));
  for (Index k = 0; k < lane_width; ++k) {
    Lane one = Lane::zero();
    one.set(k, 1);
    CHECK(any(Lane::zero() < one));
    one.set(k, infinity);
    CHECK(any(Lane::zero() < one));
  }
}

TEST_CASE("sqrt is rounded as the scalar one") {
  const double values[] = {2, 0, 0x1p-1074, infinity, 3, 1e300, 0.1, -1};
  const Lane roots = sqrt(lane_of(values));
  for (Index k = 0; k < lane_width; ++k) {
    CHECK(is_same(roots[k], std::sqrt(lane_of(values)[k])));
  }
}

TEST_CASE("prefix sums, which a NaN reaches from its element on") {
  const double values[] = {1, 20, 300, 4000, 5e4, 6e5, 7e6, 8e7};
  const Lane sums = prefix_sums(lane_of(values));
  double sum = 0;
  for (Index k = 0; k < lane_width; ++k) {
    sum += values[k];
    CHECK(sums[k] == sum);
    Lane one = lane_of(values);
    one.set(k, nan_value);
    for (Index j = 0; j < lane_width; ++j) {
      if (j < k) {
        CHECK(prefix_sums(one)[j] == sums[j]);
      } else {
        CHECK(std::isnan(prefix_sums(one)[j]));
      }
    }
  }
}

TEST_CASE("padded is the next multiple of the width") {
  CHECK(padded(0) == 0);
  CHECK(padded(1) == lane_width);
  CHECK(padded(lane_width) == lane_width);
  CHECK(padded(lane_width + 1) == 2 * lane_width);
}
