// TokenReader: context tokens z_i = (2^s x_i, 2^t y_i) into panels that the kernels read in order.
#pragma once

#include <algorithm>
#include <cmath>

#include "loopcore/buffer.hpp"
#include "loopcore/lane_blocks.hpp"
#include "loopcore/rows.hpp"
#include "loopcore/types.hpp"

namespace loopcore {

/// The tokens of one call: X (n, d), and a lane of targets y_t (n,) at most.
struct Tokens {
  MatrixView X;
  int scale_x = 0;
  const VectorView* y = nullptr;
  const int* scale_y = nullptr;
  Index count = 0;  // of targets
};

class TokenReader {
 public:
  /// For rows x_i of d entries.
  explicit TokenReader(Index d) : d_(d), reader_(d), y_(lane_width * panel_rows) {}

  void open(const Tokens& tokens) {
    tokens_ = tokens;
    reader_.open(tokens.X, d_, tokens.scale_x);
    const MatrixView columns = tokens.X.transposed();
    has_native_columns_ = tokens.scale_x == 0 && d_ > 1 && columns.has_native_rows();
    if (tokens.count < lane_width) y_.fill(0);
  }

  const MatrixView& X() const { return tokens_.X; }

  /// How many doubles apart rows lie that can be computed with in place; 0 where they cannot.
  Index stride_in_place() const {
    if (tokens_.scale_x != 0 || !tokens_.X.has_native_rows()) return 0;
    return tokens_.X.row_stride / static_cast<Index>(sizeof(double));
  }
  const double* row_in_place(Index i) const {
    return reinterpret_cast<const double*>(tokens_.X.data + i * tokens_.X.row_stride);
  }

  /// `rows` ≤ panel_rows tokens from `begin` on into `panel`, (panel_rows, d + one lane): x_i padded
  /// with zeros to whole lanes, all or from one lane on, and where there are targets the lane of them.
  void read(Index begin, Index rows, Index first_lane, LaneBlocks panel) {
    if (tokens_.count > 0) read_targets(begin, rows, panel.block(padded(d_)));
    if (has_native_columns_) return read_columns(begin, rows, panel);
    reader_.for_each(begin, begin + rows, [&](auto R, Index i, const double* const* x) {
      const Index block = panel.rows * lane_width;
      Index k = first_lane * lane_width;
      double* row = panel.block(k) + (i - begin) * lane_width;
      for (; k + lane_width <= d_; k += lane_width, row += block) {
        for (Index r = 0; r < R; ++r) Lane::load(x[r] + k).store(row + r * lane_width);
      }
      if (k >= d_) return;
      for (Index r = 0; r < R; ++r) {
        Lane::load_first(x[r] + k, d_ - k).store(row + r * lane_width);
      }
    });
  }

 private:
  void read_targets(Index begin, Index rows, double* lane) {
    for (Index t = 0; t < tokens_.count; ++t) {
      double* y = y_.data() + t * panel_rows;
      tokens_.y[t].read(begin, rows, y);
      if (tokens_.scale_y[t] == 0) continue;
      const double factor = std::ldexp(1.0, tokens_.scale_y[t]);
      for (Index i = 0; i < rows; ++i) y[i] *= factor;
    }
    for (Index i = 0; i < rows; i += lane_width) {
      transpose(y_.data() + i, panel_rows, lane + i * lane_width, lane_width);
    }
  }

  /// Xᵀ lies row by row: a lane of its rows at a time, for row by row of X each would be read
  /// `panel_rows` times from a cache that holds too few of them.
  void read_columns(Index begin, Index rows, LaneBlocks panel) {
    const Index stride = tokens_.X.column_stride / static_cast<Index>(sizeof(double));
    const double* first = reinterpret_cast<const double*>(tokens_.X.data) + begin;
    for (Index k = 0; k < d_; k += lane_width) {
      const double* column = first + k * stride;
      double* lane = panel.block(k);
      const Index width = std::min(lane_width, d_ - k);
      Index i = 0;
      if (width == lane_width) {
        for (; i + lane_width <= rows; i += lane_width) {
          transpose(column + i, stride, lane + i * lane_width, lane_width);
        }
      }
      for (; i < rows; ++i) {
        double* row = lane + i * lane_width;
        for (Index c = 0; c < lane_width; ++c) row[c] = c < width ? column[c * stride + i] : 0;
      }
    }
  }

  Index d_;
  RowReader reader_;
  Buffer y_;  // (lane_width, panel_rows)
  Tokens tokens_;
  bool has_native_columns_ = false;
};

}  // namespace loopcore
