#include <doctest/doctest.h>

#include <loopcore/buffer.hpp>
#include <loopcore/gram_tile.hpp>

using namespace loopcore;

TEST_CASE("a tile of any size is the sum, then joins what was there") {
  const Index rows = 13;
  const Index lanes = tile_lanes;
  Buffer left(rows * lane_width), right(lanes * rows * lane_width);
  for (Index k = 0; k < left.size(); ++k) left[k] = static_cast<double>(k % 7 - 3);
  for (Index k = 0; k < right.size(); ++k) right[k] = static_cast<double>(k % 5 - 1);
  Ahead ahead;
  const TileColumns columns{right.data(), rows * lane_width};
  for (Index j = 1; j <= lane_width; ++j) {
    for (Index l = 1; l <= lanes; ++l) {
      const Index block = lane_width * lane_width;
      Buffer sum(lanes * block), carry(lanes * block);
      TileSum place;
      place.after = {sum.data(), block};
      const auto check = [&](double factor) {
        for (Index lane = 0; lane < l; ++lane) {
          for (Index r = 0; r < j; ++r) {
            for (Index k = 0; k < lane_width; ++k) {
              double exact = 0;  // small integers: no rounding
              for (Index i = 0; i < rows; ++i) {
                exact += left[i * lane_width + r] * right[(lane * rows + i) * lane_width + k];
              }
              CHECK(sum[lane * block + r * lane_width + k] == factor * exact);
            }
          }
        }
      };
      add_tile_of(j, l, left.data(), columns, rows, place, ahead);
      check(1);
      place.before = place.after;
      add_tile_of(j, l, left.data(), columns, rows, place, ahead);
      check(2);
      place.before = {};
      place.carry = carry.data();
      place.opens_carry = true;
      add_tile_of(j, l, left.data(), columns, rows, place, ahead);
      place.opens_carry = false;
      place.closes_carry = true;
      add_tile_of(j, l, left.data(), columns, rows, place, ahead);
      check(4);
    }
  }
}
