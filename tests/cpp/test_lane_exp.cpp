#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <loopcore/lane_exp.hpp>
#include <random>

using namespace loopcore;

namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

/// exp of one element among others; the same in every one.
double exp_of(double x) {
  Lane lane = Lane::broadcast(-1.25);
  double result = 0;
  for (Index k = 0; k < lane_width; ++k) {
    Lane one = lane;
    one.set(k, x);
    const Lane found = exp(one);
    if (k > 0 && !std::isnan(x)) CHECK(found[k] == result);
    if (lane_width > 1) CHECK(found[(k + 1) % lane_width] == exp(lane)[0]);
    result = found[k];
  }
  return result;
}

/// The largest |exp(x) − eˣ| / (u eˣ) over random x in a range.
double largest_error(double low, double high, int count) {
  std::mt19937 generator(1);
  std::uniform_real_distribution<double> uniform(low, high);
  long double largest = 0;
  for (int i = 0; i < count; ++i) {
    double x[lane_width];
    for (double& x_k : x) x_k = uniform(generator);
    const Lane found = exp(Lane::load(x));
    for (Index k = 0; k < lane_width; ++k) {
      const long double exact = std::exp(static_cast<long double>(x[k]));
      largest = std::max(largest, std::abs(found[k] - exact) / exact);
    }
  }
  return static_cast<double>(largest * 0x1p53L);
}

}  // namespace

TEST_CASE("exp is within 2 u wherever the result is normal") {
  CHECK(largest_error(-708.39, 709.78, 40000) <= 2);
  CHECK(largest_error(-1, 1, 40000) <= 2);
  CHECK(largest_error(-1e-8, 1e-8, 1000) <= 2);
  double largest = 0;
  for (int n = -1021; n <= 1023; ++n) {  // where the nearest multiple of ln 2 changes
    const auto middle = static_cast<double>((n + 0.5L) * 0.693147180559945309417232L);
    largest = std::max(largest, largest_error(middle, std::nextafter(middle, infinity), 1));
  }
  CHECK(largest <= 2);
}

TEST_CASE("exp has std::exp's special values") {
  CHECK(exp_of(0.0) == 1);
  CHECK(exp_of(-0.0) == 1);
  CHECK(exp_of(infinity) == infinity);
  CHECK(exp_of(-infinity) == 0);
  CHECK_FALSE(std::signbit(exp_of(-infinity)));
  CHECK(std::isnan(exp_of(std::numeric_limits<double>::quiet_NaN())));
  CHECK(std::isnan(exp_of(-std::numeric_limits<double>::quiet_NaN())));
  CHECK(exp_of(0x1p-1074) == 1);
  CHECK(exp_of(std::numeric_limits<double>::max()) == infinity);
  CHECK(exp_of(std::numeric_limits<double>::lowest()) == 0);
}

TEST_CASE("exp overflows and underflows where std::exp does") {
  const double highest = 0x1.62e42fefa39efp+9;  // ln of the largest number
  CHECK(exp_of(highest) == doctest::Approx(std::numeric_limits<double>::max()).epsilon(1e-12));
  CHECK(std::isfinite(exp_of(highest)));
  CHECK(exp_of(std::nextafter(highest, infinity)) == infinity);
  CHECK(exp_of(710) == infinity);
  const double lowest = -745.13;  // rounds to 2⁻¹⁰⁷⁴, below −745.134 to 0
  CHECK(exp_of(lowest) == 0x1p-1074);
  CHECK(exp_of(-745.14) == 0);
  CHECK(exp_of(-746) == 0);
}

TEST_CASE("a subnormal exp is off by at most its last bit") {
  for (double x = -745.1; x < -708.4; x += 0.0371) {
    const double exact = static_cast<double>(std::exp(static_cast<long double>(x)));
    CHECK(std::abs(exp_of(x) - exact) <= 0x1p-1074);
  }
}
