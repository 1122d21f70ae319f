// TaskMatrix: a matrix a task, its columns in lanes of whichever layout, and the products of such matrices
// with each other and with weights that all tasks share.
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
  Index stride() const { return stride_; }

  Lane element(Index j, Index k) const { return L::element(row(j), k); }
  Lane lane(Index j, Index c) const { return Lane::load(row(j) + c * lane_width); }
  void put(Index j, Index c, Lane value) { value.store(row(j) + c * lane_width); }
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
};

/// put(r, c, lane c of row r of left right) for `rows` rows of left from `first` on;  left (·, size),
/// right (size, size)
template <class L, class Put>
void multiply(const TaskMatrix<L>& left, Index first, Index rows, const TaskMatrix<L>& right,
              Index size, Put&& put) {
  multiply_tiles(
      rows, L::lanes(size), size, [&](Index r, Index k) { return left.element(first + r, k); },
      [&](Index k, Index c) { return right.lane(k, c); }, put);
}
template <class L, class Put>
void multiply(const TaskMatrix<L>& left, Index first, Index rows, SharedMatrix right, Index size,
              Put&& put) {
  multiply_tiles(
      rows, L::lanes(size), size, [&](Index r, Index k) { return left.element(first + r, k); },
      [&](Index k, Index c) { return L::shared(right.row(k), c); }, put);
}
template <class L, class Put>
void multiply(SharedMatrix left, const TaskMatrix<L>& right, Index size, Put&& put) {
  multiply_tiles(
      size, L::lanes(size), size, [&](Index r, Index k) { return Lane::broadcast(left(r, k)); },
      [&](Index k, Index c) { return right.lane(k, c); }, put);
}

/// out ← left right, of which only the lower triangle is computed and then mirrored: left(r, k) and
/// right(k, c) are the factors of a symmetric (size, size) product.
template <class L, class Left, class Right>
void multiply_symmetric(Index size, Index inner, Left&& left, Right&& right, TaskMatrix<L>& out) {
  constexpr Index rows_of_block = lane_width;
  for (Index begin = 0; begin < size; begin += rows_of_block) {
    const Index rows = std::min(rows_of_block, size - begin);
    const Index lanes = L::lanes(begin + rows);
    multiply_tiles(
        rows, lanes, inner, [&](Index r, Index k) { return left(begin + r, k); }, right,
        [&](Index r, Index c, Lane sum) { out.put(begin + r, c, sum); });
  }
  for (Index j = 0; j < size; ++j) {
    for (Index k = 0; k < j; ++k) {
      for (Index t = 0; t < L::tasks; ++t) L::entry(out.row(k), j, t) = L::entry(out.row(j), k, t);
    }
  }
}

}  // namespace loopcore
