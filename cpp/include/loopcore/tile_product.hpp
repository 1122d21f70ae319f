// Tile product: out_rc = Σ_k left(r, k) right(k, c), the one dense product of the general family. What left
// and right are, numbers of one task or of a lane of tasks, is said by whoever calls.
#pragma once

#include <type_traits>
#include <utility>

#include "loopcore/lane.hpp"
#include "loopcore/packed_gram.hpp"
#include "loopcore/types.hpp"

namespace loopcore {

namespace detail {

/// visit(c, C) for tiles of C lanes, C a constant of at most `Most`, all about as wide: a narrow one has
/// too few sums to hide the latency of a multiply-add.
template <Index Most, class Visit>
[[gnu::always_inline]] inline void for_each_tile_of_lanes(Index lanes, Visit&& visit) {
  for (Index c = 0; c < lanes;) {
    const Index tiles = (lanes - c + Most - 1) / Most;
    const Index width = (lanes - c + tiles - 1) / tiles;
    [&]<Index... C>(std::integer_sequence<Index, C...>) {
      ((width == C + 1 ? visit(c, std::integral_constant<Index, C + 1>()) : void()), ...);
    }(std::make_integer_sequence<Index, Most>());
    c += width;
  }
}

}  // namespace detail

/// put(r, c, Σ_k left(r, k) right(k, c)) for r < rows, c < lanes, k < inner. The sums run in the order of k,
/// so a row has the same bits alone and in company.
template <class Left, class Right, class Put>
[[gnu::always_inline]] inline void multiply_tiles(Index rows, Index lanes, Index inner, Left&& left,
                                                  Right&& right, Put&& put) {
  const auto make_tile = [&](Index r0, auto R, Index c0, auto C) {
    Lane sum[R][C];
    for (auto& row : sum) {
      for (Lane& entry : row) entry = Lane::zero();
    }
    detail::add_outer_products<R, C>(
        0, inner, [&](Index k, Index r) { return left(r0 + r, k); },
        [&](Index k, Index c) { return right(k, c0 + c); }, sum);
    for (Index r = 0; r < R; ++r) {
      for (Index c = 0; c < C; ++c) put(r0 + r, c0 + c, sum[r][c]);
    }
  };
  constexpr Index tile = lane_width == 8 ? 4 : 2;  // with the factors it fills the registers
  Index r = 0;
  for (; r + tile <= rows; r += tile) {
    detail::for_each_tile_of_lanes<4>(
        lanes, [&](Index c, auto C) { make_tile(r, std::integral_constant<Index, tile>(), c, C); });
  }
  for (; r < rows; ++r) {  // one row alone hides the latency of the sums with more of them
    detail::for_each_tile_of_lanes<8>(
        lanes, [&](Index c, auto C) { make_tile(r, std::integral_constant<Index, 1>(), c, C); });
  }
}

}  // namespace loopcore
