// Tile product: out_rc = Σ_k left_rk right_kc, the one dense product of the general family. Its factors are
// numbers or lanes at any strides, so the same few kernels multiply prompts that lie side by side and the
// columns of a single one.
#pragma once

#include <algorithm>
#include <type_traits>
#include <utility>

#include "loopcore/lane.hpp"
#include "loopcore/stop.hpp"
#include "loopcore/types.hpp"

namespace loopcore {

/// A matrix of lanes, or of numbers that stand for a lane of the same ones. Strides are in doubles.
template <bool has_lanes>
struct Factor {
  const double* data = nullptr;
  Index row = 0;     // from row to row
  Index column = 0;  // from column to column

  Lane operator()(Index j, Index k) const {
    const double* at = data + j * row + k * column;
    return has_lanes ? Lane::load(at) : Lane::broadcast(*at);
  }
  Factor transposed() const { return {data, column, row}; }
};
using LaneFactor = Factor<true>;
using NumberFactor = Factor<false>;

// Everything of a tile is inlined by force: left to itself, GCC decides by what else the file holds, and where it
// does not, or keeps the sums in memory, a quarter of the speed is lost.
namespace detail {

// A tile's sums, with their factors, fill the registers: 32 of them with AVX-512, otherwise 16.
inline constexpr Index tile_lanes = lane_width == 8 ? 4 : 2;
inline constexpr Index tile_sums = lane_width == 8 ? 24 : 12;

/// visit(begin, N) for parts of [0, size) of N, a constant of at most `Most`, all about as large.
template <Index Most, class Visit>
[[gnu::always_inline]] inline void for_each_part(Index size, Visit&& visit) {
  for (Index begin = 0; begin < size;) {
    const Index parts = (size - begin + Most - 1) / Most;
    const Index part = (size - begin + parts - 1) / parts;
    [&]<Index... N>(std::integer_sequence<Index, N...>) __attribute__((always_inline)) {
      ((part == N + 1 ? visit(begin, std::integral_constant<Index, N + 1>()) : void()), ...);
    }(std::make_integer_sequence<Index, Most>());
    begin += part;
  }
}

/// One tile of `multiply`, at the first row and lane of its operands.
template <Index R, Index C, class Left, class Right>
[[gnu::always_inline]] inline void multiply_tile(Left left, Right right, Index inner, bool adds,
                                                 double* out, Index stride) {
  Lane sum[R][C];
#pragma GCC unroll 8
  for (Index r = 0; r < R; ++r) {
#pragma GCC unroll 8
    for (Index c = 0; c < C; ++c) sum[r][c] = Lane::zero();
  }
  for (Index k = 0; k < inner; ++k) {
    Lane right_k[C];
#pragma GCC unroll 8
    for (Index c = 0; c < C; ++c) right_k[c] = right(k, c);
#pragma GCC unroll 8
    for (Index r = 0; r < R; ++r) {
      const Lane left_k = left(r, k);
#pragma GCC unroll 8
      for (Index c = 0; c < C; ++c) sum[r][c] = madd(left_k, right_k[c], sum[r][c]);
    }
  }
#pragma GCC unroll 8
  for (Index r = 0; r < R; ++r) {
#pragma GCC unroll 8
    for (Index c = 0; c < C; ++c) {
      double* const at = out + r * stride + c * lane_width;
      (adds ? Lane::load(at) + sum[r][c] : sum[r][c]).store(at);
    }
  }
}

/// One or two rows, whose few sums hide their latency with more lanes at once: two with a (33, 128) take 3.6 µs so,
/// and 4.5 as others. A function of its own: within `multiply`, GCC keeps fewer sums in registers (42 ms become 60).
template <Index R, Index Most, class Left, class Right>
[[gnu::noinline]] void multiply_few_rows(Left left, Right right, Index inner, Index lanes,
                                         bool adds, double* out, Index stride) {
  for_each_part<Most>(lanes, [&](Index c, auto C) __attribute__((always_inline)) {
    const Right columns{right.data + c * right.column, right.row, right.column};
    multiply_tile<R, C>(left, columns, inner, adds, out + c * lane_width, stride);
  });
}

}  // namespace detail

/// out_rc = Σ_k left_rk right_kc for r < rows, k < inner and c < lanes, or out_rc added to it where the
/// product `adds`. Rows of out are `stride` doubles apart. Every sum runs in the order of k, so a row has
/// the same bits alone and in company.
template <class Left, class Right>
[[gnu::noinline]] void multiply(Left left, Right right, Index rows, Index inner, Index lanes,
                                double* out, Index stride, bool adds = false) {
  constexpr Index most_lanes = detail::tile_lanes;
  if (rows == 1 || rows == 2) {
    const auto few = rows == 1 ? detail::multiply_few_rows<1, 8, Left, Right>
                               : detail::multiply_few_rows<2, 2 * most_lanes, Left, Right>;
    return few(left, right, inner, lanes, adds, out, stride);
  }
  detail::for_each_part<most_lanes>(lanes, [&](Index c, auto C) __attribute__((always_inline)) {
    constexpr Index most_rows = std::min<Index>(detail::tile_sums / C, 8);
    const Right columns{right.data + c * right.column, right.row, right.column};
    detail::for_each_part<most_rows>(rows, [&](Index r, auto R) __attribute__((always_inline)) {
      const Left tile_rows{left.data + r * left.row, left.row, left.column};
      detail::multiply_tile<R, C>(tile_rows, columns, inner, adds,
                                  out + r * stride + c * lane_width, stride);
    });
  });
}

/// The same, with looks at `stop`, if there is one, where the factors are large: after some columns of tiles,
/// which are taken one after the other anyway. Small products are for the caller to report. Incomplete if
/// stopped.
template <class Left, class Right>
void multiply(Left left, Right right, Index rows, Index inner, Index lanes, double* out,
              Index stride, bool adds, Stop* stop) {
  constexpr Index work_between_looks = Index{1} << 24;  // multiply-adds, 0.5 to 8 ms
  const Index work = rows * inner * lane_width;         // of a lane of columns
  if (stop == nullptr || work * lanes <= work_between_looks) {
    return multiply(left, right, rows, inner, lanes, out, stride, adds);
  }
  const Index tiles = std::max<Index>(work_between_looks / (work * detail::tile_lanes), 1);
  const Index part = tiles * detail::tile_lanes;
  for (Index c = 0; c < lanes && !stop->raised(); c += part) {
    const Index count = std::min(part, lanes - c);
    const Right columns{right.data + c * right.column, right.row, right.column};
    multiply(left, columns, rows, inner, count, out + c * lane_width, stride, adds);
    stop->after(work * count);
  }
}

}  // namespace loopcore
