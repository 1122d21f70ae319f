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
    [&]<Index... N>(std::integer_sequence<Index, N...>) {
      ((part == N + 1 ? visit(begin, std::integral_constant<Index, N + 1>()) : void()), ...);
    }(std::make_integer_sequence<Index, Most>());
    begin += part;
  }
}

/// One tile of `multiply`, at the first row and lane of its operands.
template <Index R, Index C, class Left, class Right>
void multiply_tile(Left left, Right right, Index inner, bool adds, double* out, Index stride) {
  Lane sum[R][C];
  for (Index r = 0; r < R; ++r) {
    for (Index c = 0; c < C; ++c) {
      sum[r][c] = adds ? Lane::load(out + r * stride + c * lane_width) : Lane::zero();
    }
  }
  for (Index k = 0; k < inner; ++k) {
    Lane right_k[C];
    for (Index c = 0; c < C; ++c) right_k[c] = right(k, c);
    for (Index r = 0; r < R; ++r) {
      const Lane left_k = left(r, k);
      for (Index c = 0; c < C; ++c) sum[r][c] = madd(left_k, right_k[c], sum[r][c]);
    }
  }
  for (Index r = 0; r < R; ++r) {
    for (Index c = 0; c < C; ++c) sum[r][c].store(out + r * stride + c * lane_width);
  }
}

/// Two rows, whose sums with more lanes at once hide their latency: with a (33, 128), 3.6 µs against 4.5. A
/// function of its own: within `multiply`, the compiler would no longer inline the tiles.
template <class Left, class Right>
[[gnu::noinline]] void multiply_two_rows(Left left, Right right, Index inner, Index lanes,
                                         bool adds, double* out, Index stride) {
  for_each_part<2 * tile_lanes>(lanes, [&](Index c, auto C) {
    const Right columns{right.data + c * right.column, right.row, right.column};
    multiply_tile<2, C>(left, columns, inner, adds, out + c * lane_width, stride);
  });
}

}  // namespace detail

/// out_rc = Σ_k left_rk right_kc for r < rows, k < inner and c < lanes, or out_rc added to it where the
/// product `adds`. Rows of out are `stride` doubles apart. Every sum runs in the order of k, so a row has
/// the same bits alone and in company.
template <class Left, class Right>
[[gnu::noinline]] void multiply(Left left, Right right, Index rows, Index inner, Index lanes,
                                double* out, Index stride, bool adds = false) {
  const auto tile = [&](Index r, auto R, Index c, auto C) {
    detail::multiply_tile<R, C>(Left{left.data + r * left.row, left.row, left.column},
                                Right{right.data + c * right.column, right.row, right.column},
                                inner, adds, out + r * stride + c * lane_width, stride);
  };
  if (rows == 1) {  // with more lanes at once, its few sums hide their latency
    constexpr std::integral_constant<Index, 1> one;
    detail::for_each_part<8>(lanes, [&](Index c, auto C) { tile(0, one, c, C); });
    return;
  }
  if (rows == 2) return detail::multiply_two_rows(left, right, inner, lanes, adds, out, stride);
  detail::for_each_part<detail::tile_lanes>(lanes, [&](Index c, auto C) {
    constexpr Index most_rows = std::min<Index>(detail::tile_sums / C, 8);
    detail::for_each_part<most_rows>(rows, [&](Index r, auto R) { tile(r, R, c, C); });
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
