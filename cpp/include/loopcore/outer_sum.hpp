// OuterSum: Σ_i left_iᵀ right_i of vectors that come one after the other, as the adjoints of weights do.
#pragma once

#include <algorithm>

#include "loopcore/looped_vjp_engine.hpp"
#include "loopcore/task_matrix.hpp"

namespace loopcore {

template <class L>
class OuterSum {
 public:
  /// For vectors of D numbers.
  explicit OuterSum(Index D) : D_(D), left_(most, D), right_(most, D), sum_(D, D) {}

  /// From zero.
  void open() {
    waiting_ = 0;
    sum_.fill(0);
  }

  /// left, right (D,)
  void add(const double* left, const double* right) {
    std::copy_n(left, left_.stride(), left_.row(waiting_));
    std::copy_n(right, right_.stride(), right_.row(waiting_));
    if (++waiting_ == most) flush();
  }

  /// (D, D)
  const TaskMatrix<L>& sum() {
    flush();
    return sum_;
  }

  /// total ← total + the sums of the first `tasks` tasks, (D, D)
  void add_to(double* total, Index tasks) {
    flush();
    add_tasks(sum_, D_, tasks, total);
  }

 private:
  // Taken up one by one, each pair would read and write all of the sum.
  static constexpr Index most = 16;

  void flush() {
    if (waiting_ == 0) return;
    multiply(left_.left().transposed(), right_.right(), D_, waiting_, L::lanes(D_), sum_.row(0),
             sum_.stride(), true);
    waiting_ = 0;
  }

  Index D_;
  Index waiting_ = 0;
  TaskMatrix<L> left_;   // (most, D)
  TaskMatrix<L> right_;  // (most, D)
  TaskMatrix<L> sum_;    // (D, D)
};

}  // namespace loopcore
