#include <doctest/doctest.h>

#include <algorithm>
#include <loopcore/tile_product.hpp>
#include <vector>

using namespace loopcore;

TEST_CASE("tiles of lanes cover each lane once, and none is much narrower than another") {
  for (Index lanes = 0; lanes <= 40; ++lanes) {
    Index next = 0, narrowest = 8, widest = 0;
    detail::for_each_tile_of_lanes<8>(lanes, [&](Index c, auto C) {
      CHECK(c == next);
      next = c + C;
      narrowest = std::min<Index>(narrowest, C);
      widest = std::max<Index>(widest, C);
    });
    CHECK(next == lanes);
    if (lanes > 0) CHECK(widest - narrowest <= 1);
  }
}

TEST_CASE("multiply_tiles puts each sum once, for every size of tile, and zeros for an empty sum") {
  const auto left = [](Index r, Index k) {
    return Lane::broadcast(static_cast<double>((r * 5 + k * k) % 7 - 3));
  };
  const auto right = [](Index k, Index c) {
    Lane lane = Lane::zero();
    for (Index t = 0; t < lane_width; ++t) lane.set(t, static_cast<double>((k + 3 * c + t) % 11));
    return lane;
  };
  for (const Index inner : {0, 1, 7, 33}) {
    for (Index rows = 0; rows <= 9; ++rows) {
      for (Index lanes = 0; lanes <= 19; ++lanes) {
        std::vector<int> times(static_cast<std::size_t>(rows * lanes));
        bool exact = true;  // small integers: no rounding, whatever the order
        multiply_tiles(rows, lanes, inner, left, right, [&](Index r, Index c, Lane sum) {
          ++times[static_cast<std::size_t>(r * lanes + c)];
          for (Index t = 0; t < lane_width; ++t) {
            double expected = 0;
            for (Index k = 0; k < inner; ++k) expected += left(r, k)[t] * right(k, c)[t];
            exact = exact && sum[t] == expected;
          }
        });
        CHECK(exact);
        CHECK(times == std::vector<int>(times.size(), 1));
      }
    }
  }
}

TEST_CASE("a row has the same bits alone and in company") {
  const auto left = [](Index r, Index k) {
    return Lane::broadcast(1 / static_cast<double>(3 + r + 2 * k));
  };
  const auto right = [](Index k, Index c) {
    return Lane::broadcast(1 / static_cast<double>(7 + k - c));
  };
  const Index rows = 7, lanes = 5, inner = 40;
  std::vector<double> all(static_cast<std::size_t>(rows * lanes));
  multiply_tiles(rows, lanes, inner, left, right, [&](Index r, Index c, Lane sum) {
    all[static_cast<std::size_t>(r * lanes + c)] = sum[0];
  });
  for (Index row = 0; row < rows; ++row) {
    multiply_tiles(
        1, lanes, inner, [&](Index, Index k) { return left(row, k); }, right,
        [&](Index, Index c, Lane sum) {
          CHECK(sum[0] == all[static_cast<std::size_t>(row * lanes + c)]);
        });
  }
}
