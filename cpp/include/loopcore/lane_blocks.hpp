// LaneBlocks: how matrices are stored where kernels work on a few lanes of columns at a time.
#pragma once

#include "loopcore/lane.hpp"
#include "loopcore/pack.hpp"
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

/// to ← fromᵀ, both (lane_width, lane_width), with rows so many doubles apart.
inline void transpose(const double* from, Index from_stride, double* to, Index to_stride) {
  const double* rows[lane_width];
  for (Index k = 0; k < lane_width; ++k) rows[k] = from + k * from_stride;
  Lane columns[lane_width];
  transpose(rows, 0, lane_width, columns);
  for (Index k = 0; k < lane_width; ++k) columns[k].store(to + k * to_stride);
}

}  // namespace loopcore
