// KeyBars: the adjoints of the keys, laid out as the keys are.
#pragma once

#include <algorithm>

#include "loopcore/buffer.hpp"
#include "loopcore/keys.hpp"
#include "loopcore/lane_blocks.hpp"
#include "loopcore/lane_layout.hpp"
#include "loopcore/task_matrix.hpp"
#include "loopcore/tile_product.hpp"

namespace loopcore {

template <class L>
class KeyBars;

/// A key a row.
template <>
class KeyBars<TasksInLanes> {
 public:
  KeyBars(Index most, Index D) : D_(D), rows_(most, D) {}

  void clear() { rows_.fill(0); }

  /// z̄_j ← z̄_j + Σ_s w_sj v_s,  s < count, for the keys in the first `lanes` lanes
  void add(Index count, Index lanes, LaneFactor w, const TaskMatrix<TasksInLanes>& v) {
    multiply(w.transposed(), v.right(), lanes, count, D_, rows_.row(0), rows_.stride(), true);
  }

  /// z_i ← z_i + z̄_i for the keys begin … begin + count − 1, (count, stride)
  void add_to(Index begin, Index count, double* z, Index stride) const {
    for (Index i = 0; i < count; ++i) {
      for (Index k = 0; k < D_; ++k) {
        double* const to = z + i * stride + k * lane_width;
        (Lane::load(to) + rows_.lane(begin + i, k)).store(to);
      }
    }
  }

  /// z ← z + z̄_i, (D,), and z̄_i ← 0
  void move_to(Index i, double* z) {
    for (Index k = 0; k < D_; ++k) {
      (Lane::load(z + k * lane_width) + rows_.lane(i, k)).store(z + k * lane_width);
      rows_.put(i, k, Lane::zero());
    }
  }

 private:
  Index D_;
  TaskMatrix<TasksInLanes> rows_;  // (most, D)
};

/// A key a column.
template <>
class KeyBars<ColumnsInLanes> {
 public:
  KeyBars(Index most, Index D)
      : D_(D), stride_(column_stride(most)), columns_(padded(D) * stride_) {}

  void clear() { columns_.fill(0); }

  void add(Index count, Index lanes, LaneFactor w, const TaskMatrix<ColumnsInLanes>& v) {
    multiply(v.left().transposed(), w, D_, count, lanes, columns_.data(), stride_, true);
  }

  void add_to(Index begin, Index count, double* z, Index stride) const {
    for (Index i = 0; i < count; i += lane_width) {
      for (Index k = 0; k < D_; k += lane_width) {
        double tile[lane_width * lane_width];
        transpose(columns_.data() + k * stride_ + begin + i, stride_, tile, lane_width);
        for (Index r = 0; r < std::min(lane_width, count - i); ++r) {
          double* const to = z + (i + r) * stride + k;
          (Lane::load(to) + Lane::load(tile + r * lane_width)).store(to);
        }
      }
    }
  }

  void move_to(Index i, double* z) {
    for (Index k = 0; k < D_; ++k) {
      z[k] += columns_[k * stride_ + i];
      columns_[k * stride_ + i] = 0;
    }
  }

 private:
  Index D_;
  Index stride_;
  Buffer columns_;  // (padded(D), stride)
};

}  // namespace loopcore
