// TaskMatrix: a matrix a task, its columns in lanes of whichever layout, as operand of products.
#pragma once

#include <algorithm>

#include "loopcore/buffer.hpp"
#include "loopcore/lane.hpp"
#include "loopcore/lane_layout.hpp"
#include "loopcore/tile_product.hpp"

namespace loopcore {

/// (rows, columns) a task, row by row.
template <class L>
class TaskMatrix {
 public:
  TaskMatrix() = default;
  TaskMatrix(Index rows, Index columns)
      : stride_(L::doubles(columns)), values_(rows * L::doubles(columns)) {}

  double* row(Index j) { return values_.data() + j * stride_; }
  const double* row(Index j) const { return values_.data() + j * stride_; }
  Index stride() const { return stride_; }  // doubles, from row to row

  Lane lane(Index j, Index c) const { return Lane::load(row(j) + c * lane_width); }
  void put(Index j, Index c, Lane value) { value.store(row(j) + c * lane_width); }

  /// The rows from `first` on as the left factor of a product, and all as its right one.
  typename L::Left left(Index first = 0) const { return {row(first), stride_, L::left_stride}; }
  LaneFactor right() const { return {row(0), stride_, lane_width}; }

  void fill(double value) { values_.fill(value); }
  void assign(const TaskMatrix& other) {
    std::copy_n(other.values_.data(), values_.size(), values_.data());
  }

 private:
  Index stride_ = 0;
  Buffer values_;
};

/// A matrix that all tasks share, (rows, stride), padded with zeros to whole lanes.
struct SharedMatrix {
  const double* data = nullptr;
  Index stride = 0;

  double operator()(Index j, Index k) const { return data[j * stride + k]; }
  const double* row(Index j) const { return data + j * stride; }

  NumberFactor left() const { return {data, stride, 1}; }
  template <class L>
  typename L::SharedRight right() const {
    return {data, stride, L::shared_stride};
  }
};

/// The first rows of out ← the rows of left, `rows` from `first` on, times right, (size, size); or they are
/// added to it. Incomplete if stopped.
template <class L, class Right>
void multiply_rows(const TaskMatrix<L>& left, Index first, Index rows, Right right, Index size,
                   TaskMatrix<L>& out, bool adds = false, Stop* stop = nullptr) {
  multiply(left.left(first), right, rows, size, L::lanes(size), out.row(0), out.stride(), adds,
           stop);
}

/// out ← left right, symmetric of that size: the lower triangle is computed, and then mirrored. Incomplete if
/// stopped.
template <class L, class Left>
void multiply_symmetric(Left left, LaneFactor right, Index size, Index inner, TaskMatrix<L>& out,
                        Stop* stop = nullptr) {
  for (Index begin = 0; begin < size; begin += lane_width) {
    const Index rows = std::min(lane_width, size - begin);
    const Left rows_of_left{left.data + begin * left.row, left.row, left.column};
    multiply(rows_of_left, right, rows, inner, L::lanes(begin + rows), out.row(begin),
             out.stride());
    if (stop != nullptr && stop->after(rows * inner * (begin + rows) * L::tasks)) return;
  }
  L::mirror(out.row(0), out.stride(), size);
}

}  // namespace loopcore
