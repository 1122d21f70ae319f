// Keys: the rows that are attended to, as scores read them: the same number of a lane of keys, or of one key
// of a lane of tasks.
#pragma once

#include <algorithm>

#include "loopcore/buffer.hpp"
#include "loopcore/lane_blocks.hpp"
#include "loopcore/lane_layout.hpp"

namespace loopcore {

/// Doubles from column to column of at least so many numbers: an odd number of lanes. With 128 keys, columns
/// 1 KiB apart would share four sets of the first-level cache (a softmax loop: 1.5 times as long).
inline Index column_stride(Index most) {
  const Index lanes = padded(most) / lane_width;
  return (lanes % 2 == 0 ? lanes + 1 : lanes) * lane_width;
}

template <class L>
class Keys;

/// The rows themselves.
template <>
class Keys<TasksInLanes> {
 public:
  Keys(Index, Index) {}

  /// rows (count, stride)
  void assign(const double* rows, Index, Index stride) {
    rows_ = rows;
    stride_ = stride;
  }
  void replace(Index, const double*) {}

  /// (D, lanes of keys): number k of the keys in lane j, for the lanes from `first` on.
  LaneFactor columns(Index first) const { return {rows_ + first * stride_, lane_width, stride_}; }

 private:
  const double* rows_ = nullptr;
  Index stride_ = 0;
};

/// The rows transposed, padded with zeros to whole lanes of keys.
template <>
class Keys<ColumnsInLanes> {
 public:
  Keys(Index most, Index D) : D_(D), stride_(column_stride(most)), columns_(padded(D) * stride_) {}

  void assign(const double* rows, Index count, Index stride) {
    Index i = 0;
    for (; i + lane_width <= count; i += lane_width) {
      for (Index k = 0; k < D_; k += lane_width) {
        transpose(rows + i * stride + k, stride, columns_.data() + k * stride_ + i, stride_);
      }
    }
    for (; i < count; ++i) replace(i, rows + i * stride);
  }
  void replace(Index i, const double* row) {
    for (Index k = 0; k < D_; ++k) columns_[k * stride_ + i] = row[k];
  }

  LaneFactor columns(Index first) const {
    return {columns_.data() + first * lane_width, stride_, lane_width};
  }

 private:
  Index D_;
  Index stride_;
  Buffer columns_;  // (padded(D), stride)
};

}  // namespace loopcore
