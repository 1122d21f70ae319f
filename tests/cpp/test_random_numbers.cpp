#include "loopcore/random_numbers.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <vector>

using namespace loopcore;

TEST_CASE("philox gives the words of its authors' known answers") {
  CHECK(philox({0, 0, 0, 0}, {0, 0}) ==
        Words{0x16554D9ECA36314C, 0xDB20FE9D672D0FDC, 0xD7E772CEE186176B, 0x7E68B68AEC7BA23B});
  const std::uint64_t ones = ~std::uint64_t{0};
  CHECK(philox({ones, ones, ones, ones}, {ones, ones}) ==
        Words{0x87B092C3013FE90B, 0x438C3C67BE8D0224, 0x9CC7D7C69CD777B6, 0xA09CAEBF594F0BA0});
}

TEST_CASE("the logarithm of a lane is within 4 u of its value") {
  for (int k = 0; k < 2000; ++k) {
    const double u = std::ldexp(1 + k / 2001.0, -(k * 53) / 2000);
    const double expected = std::log(u);
    CHECK(std::abs(detail::log(Lane::broadcast(u))[0] - expected) <= 0x1p-51 * std::abs(expected));
  }
  CHECK(detail::log(Lane::broadcast(1))[0] == 0);
}

TEST_CASE("cosine and sine of a lane are within 4 u in all quarters") {
  for (int k = 0; k <= 4000; ++k) {
    const double w = k / 4000.0;
    const auto [c, s] = detail::cos_sin(Lane::broadcast(w));
    // From the nearest quarter, so that the angle is exact where they vanish.
    const double quarter = std::round(4 * w);
    const double rest = 2 * std::numbers::pi * (w - quarter / 4);
    const double cosines[] = {std::cos(rest), -std::sin(rest), -std::cos(rest), std::sin(rest)};
    const auto turn = static_cast<std::size_t>(quarter) % 4;
    CHECK(std::abs(c[0] - cosines[turn]) <= 0x1p-51);
    CHECK(std::abs(s[0] - cosines[(turn + 3) % 4]) <= 0x1p-51);
  }
}

TEST_CASE("numbers depend on key, task, stream and place alone") {
  for (const bool normal : {true, false}) {
    const auto draw = [&](std::uint64_t task, std::uint64_t stream, Index count) {
      RandomNumbers numbers({1, 2}, task, stream);
      std::vector<double> drawn(static_cast<std::size_t>(count));
      normal ? numbers.normal(drawn.data(), count) : numbers.uniform(drawn.data(), count);
      return drawn;
    };
    const std::vector<double> many = draw(3, 4, 300);
    for (const Index count : {0, 1, 3, 16, 17, 127, 128, 129}) {
      const std::vector<double> few = draw(3, 4, count);
      CHECK(std::equal(few.begin(), few.end(), many.begin()));
    }
    CHECK(draw(4, 3, 300) != many);
    CHECK(draw(3, 5, 300) != many);
    for (const double x : many) CHECK((normal ? std::abs(x) < 8.6 : x >= 0 && x < 1));
  }
}

TEST_CASE("the ends of the uniform numbers make finite normal ones") {
  const double last = 1 - 0x1p-53;
  for (const double u : {0.0, 0x1p-53, 0.5, last}) {
    for (const double w : {0.0, 0.25, 0.5, 0.75, last}) {
      const auto [first, second] = normal_pair(Lane::broadcast(u), Lane::broadcast(w));
      const double square = first[0] * first[0] + second[0] * second[0];
      CHECK(square == doctest::Approx(-2 * std::log1p(-u)).epsilon(1e-14));
    }
  }
}
