// TokenGram: S = Σ_i z_i z_iᵀ over the context tokens z_i = (x_i, y_i), in one pass.
//
// S holds everything the loop ever asks of the context: its blocks are XᵀX and Xᵀy. Rows are summed in
// fixed panels, each entry in one chain of multiply-adds over the rows in order, and the panels' sums
// are added with a carry. The bits of S depend on nothing but the numbers and the instruction set.
#pragma once

#include <algorithm>
#include <cmath>

#include "loopcore/buffer.hpp"
#include "loopcore/lane.hpp"
#include "loopcore/rows.hpp"
#include "loopcore/stop.hpp"
#include "loopcore/types.hpp"

namespace loopcore {

/// (rows, columns) stored by blocks of one lane of columns, each block row by row: a kernel that works
/// on a few lanes of columns reads memory in order, whatever the number of columns.
struct LaneBlocks {
  double* data = nullptr;
  Index rows = 0;

  static Index size(Index rows, Index columns) { return rows * padded(columns); }
  double* block(Index column) const { return data + column / lane_width * rows * lane_width; }
  double& operator()(Index row, Index column) const {
    return block(column)[row * lane_width + column % lane_width];
  }
};

class TokenGram {
 public:
  /// For tokens of `width` numbers.
  explicit TokenGram(Index width)
      : width_(width),
        reader_(width),
        y_(panel_rows),
        panel_(LaneBlocks::size(panel_rows, width)),
        sums_(LaneBlocks::size(padded(width), width)),
        carries_(LaneBlocks::size(padded(width), width)) {}

  /// S of the n tokens (2^s x_i, 2^t y_i), or of the rows 2^s x_i alone where y is null. `columns` is
  /// the length of x_i. False if stopped.
  bool form(const MatrixView& X, const VectorView* y, Index n, Index columns, int scale_x,
            int scale_y, Stop& stop) {
    sums_.fill(0);
    if (n > panel_rows) carries_.fill(0);
    reader_.open(X, columns, scale_x);
    const double factor_y = std::ldexp(1.0, scale_y);
    const Index used = columns + (y != nullptr ? 1 : 0);
    for (Index begin = 0; begin < n; begin += panel_rows) {
      const Index rows = std::min(panel_rows, n - begin);
      if (y != nullptr) y->read(begin, rows, y_.data());
      reader_.for_each(begin, begin + rows, [&](auto R, Index i, const double* const* x) {
        for (Index r = 0; r < R; ++r) {
          const Index row = i - begin + r;
          put_row(row, x[r], columns, used);
          if (y != nullptr) panel()(row, columns) = factor_y * y_[row];
        }
      });
      if (!add_panel(rows, used, begin > 0, stop)) return false;
    }
    complete(used, n > panel_rows);
    return true;
  }

  LaneBlocks S() { return {sums_.data(), padded(width_)}; }
  Index width() const { return width_; }

 private:
  // A register tile of S: so many rows by so many lanes of columns, eight chains of multiply-adds,
  // enough to hide their latency and few enough to stay in registers. The rows divide a lane.
  static constexpr Index tile_rows = lane_width < 4 ? lane_width : 4;
  static constexpr Index tile_lanes = 8 / tile_rows;

  /// x, (columns,), and zeros after it.
  void put_row(Index row, const double* x, Index columns, Index used) {
    for (Index k = 0; k < used; k += lane_width) {
      Lane::load_first(x + k, columns - k).store(&panel()(row, k));
    }
  }

  /// The lower triangle of S, in tiles.
  bool add_panel(Index rows, Index used, bool with_carry, Stop& stop) {
    for (Index j = 0; j < used; j += tile_rows) {
      const Index lanes = (j + tile_rows - 1) / lane_width + 1;
      Index lane = 0;
      for (; lane + tile_lanes <= lanes; lane += tile_lanes)
        add_tile<tile_lanes>(rows, j, lane, with_carry);
      for (; lane < lanes; ++lane) add_tile<1>(rows, j, lane, with_carry);
      if (stop.after(rows * tile_rows * lanes * lane_width)) return false;
    }
    return true;
  }

  /// S_jk += Σ_i z_ij z_ik for tile_rows rows j and `lanes` lanes of columns k.
  template <Index lanes>
  void add_tile(Index rows, Index j, Index first_lane, bool with_carry) {
    const double* left = &panel()(0, j);
    const double* right = panel().block(first_lane * lane_width);
    constexpr Index block = panel_rows * lane_width;
    Lane sum[tile_rows][lanes];
    for (auto& row : sum) std::fill_n(row, lanes, Lane::zero());
    for (Index i = 0; i < rows; ++i, left += lane_width, right += lane_width) {
      Lane z[lanes];
      for (Index l = 0; l < lanes; ++l) z[l] = Lane::load(right + l * block);
      for (Index r = 0; r < tile_rows; ++r) {
        const Lane z_j = Lane::broadcast(left[r]);
        for (Index l = 0; l < lanes; ++l) sum[r][l] = madd(z_j, z[l], sum[r][l]);
      }
    }
    for (Index r = 0; r < tile_rows; ++r) {
      for (Index l = 0; l < lanes; ++l) {
        const Index column = (first_lane + l) * lane_width;
        if (!with_carry) {
          sum[r][l].store(&S()(j + r, column));
          continue;
        }
        Lane total = Lane::load(&S()(j + r, column));
        Lane carry = Lane::load(&carries()(j + r, column));
        add_with_carry(sum[r][l], total, carry);
        total.store(&S()(j + r, column));
        carry.store(&carries()(j + r, column));
      }
    }
  }

  /// Adds the carries, and mirrors the lower triangle.
  void complete(Index used, bool with_carry) {
    for (Index j = 0; j < used; ++j) {
      for (Index k = 0; k <= j; ++k) {
        if (with_carry) S()(j, k) += carries()(j, k);
        S()(k, j) = S()(j, k);
      }
    }
  }

  LaneBlocks panel() { return {panel_.data(), panel_rows}; }
  LaneBlocks carries() { return {carries_.data(), padded(width_)}; }

  Index width_;
  RowReader reader_;
  Buffer y_;        // (panel_rows,)
  Buffer panel_;    // (panel_rows, width)
  Buffer sums_;     // (width, width)
  Buffer carries_;  // (width, width)
};

}  // namespace loopcore
