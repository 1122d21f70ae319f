// Keys: the rows that are attended to, as scores read them: the same number of a lane of keys, or of one key
// of a lane of tasks.
#pragma once

#include <algorithm>

#include "loopcore/buffer.hpp"
#include "loopcore/lane_layout.hpp"

namespace loopcore {

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
  Keys(Index most, Index D) : D_(D), stride_(padded(most)), columns_(D * stride_) {}

  void assign(const double* rows, Index count, Index stride) {
    for (Index i = 0; i < count; ++i) replace(i, rows + i * stride);
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
  Buffer columns_;  // (D, stride)
};

}  // namespace loopcore
