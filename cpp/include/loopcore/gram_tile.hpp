// GramTile: a register tile of S = Σ_i z_i z_iᵀ, and where its sum goes.
#pragma once

#include <algorithm>

#include "loopcore/ahead.hpp"
#include "loopcore/lane.hpp"
#include "loopcore/lane_blocks.hpp"
#include "loopcore/types.hpp"

namespace loopcore {

/// A tile is one lane of rows by so many lanes of columns: 24, 12 or 8 chains of multiply-adds, enough
/// to hide their latency, and as many as leave registers for the operands.
inline constexpr Index tile_lanes = lane_width < 4 ? 4 : 3;

/// The place of a tile in LaneBlocks: row r of its lane l is at data + l · block + r · lane_width.
struct TilePlace {
  double* data = nullptr;
  Index block = 0;

  double* at(Index l, Index r) const { return data + l * block + r * lane_width; }
};

/// What becomes of a tile's sum over one panel.
struct TileSum {
  TilePlace before;         // the sum over the panels before, or null where there is none
  TilePlace after;          // where the sum with this panel goes; with a carry, what it is added to
  double* carry = nullptr;  // of `after`, placed alike; null: `after` is overwritten
  bool opens_carry = false;   // the carry holds nothing yet
  bool closes_carry = false;  // the carry ends in the total

  template <Index R, Index L>
  void take(Lane (&sum)[R][L]) const {
    if (before.data != nullptr) {
      for_each<R, L>(
          [&](Index l, Index r) { sum[r][l] = Lane::load(before.at(l, r)) + sum[r][l]; });
    }
    if (carry == nullptr) {
      for_each<R, L>([&](Index l, Index r) { sum[r][l].store(after.at(l, r)); });
      return;
    }
    const TilePlace carries{carry, after.block};
    for_each<R, L>([&](Index l, Index r) {
      Lane total = Lane::load(after.at(l, r));
      Lane lost = opens_carry ? Lane::zero() : Lane::load(carries.at(l, r));
      add_with_carry(sum[r][l], total, lost);
      if (closes_carry) {
        (total + lost).store(after.at(l, r));
      } else {
        total.store(after.at(l, r));
        lost.store(carries.at(l, r));
      }
    });
  }

  template <Index R, Index L, class F>
  static void for_each(F&& f) {
    for (Index l = 0; l < L; ++l) {
      for (Index r = 0; r < R; ++r) f(l, r);
    }
  }
};

/// Columns of z_i, lane by lane: row i of lane l is at data + l · block + i · step.
struct TileColumns {
  const double* data = nullptr;
  Index block = 0;
  Index step = lane_width;
};

/// S_jk = Σ_i left_ij z_ik over `rows` rows i, for R rows j and L lanes of columns k: each entry in one
/// chain from zero. The rows of `left` are a lane apart.
template <Index R, Index L>
void add_tile(const double* left, TileColumns columns, Index rows, const TileSum& place,
              Ahead& ahead) {
  Lane sum[R][L];
  for (auto& row : sum) std::fill_n(row, L, Lane::zero());
  for (Index i = 0; i < rows; ++i, left += lane_width, columns.data += columns.step) {
    if (i % 16 == 0) ahead.ask();
    Lane z[L];
    for (Index l = 0; l < L; ++l) z[l] = Lane::load(columns.data + l * columns.block);
    for (Index r = 0; r < R; ++r) {
      const Lane z_j = Lane::broadcast(left[r]);
      for (Index l = 0; l < L; ++l) sum[r][l] = madd(z_j, z[l], sum[r][l]);
    }
  }
  place.take(sum);
}

/// The tile of R ≥ rows_j rows j and exactly `lanes` lanes of columns.
template <Index R = lane_width, Index L = tile_lanes>
void add_tile_of(Index rows_j, Index lanes, const double* left, const TileColumns& columns,
                 Index rows, const TileSum& place, Ahead& ahead) {
  if constexpr (R > 1) {
    if (2 * rows_j <= R) {
      return add_tile_of<R / 2, L>(rows_j, lanes, left, columns, rows, place, ahead);
    }
  }
  if constexpr (L > 1) {
    if (lanes < L) return add_tile_of<R, L - 1>(rows_j, lanes, left, columns, rows, place, ahead);
  }
  add_tile<R, L>(left, columns, rows, place, ahead);
}

}  // namespace loopcore
