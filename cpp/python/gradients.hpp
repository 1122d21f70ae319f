// Gradients: where the cotangents of operands go. Each has the shape of its operand, so that what several
// tasks share is a sum over them.
#pragma once

#include <algorithm>

#include "arrays.hpp"
#include "loopcore/batch.hpp"

namespace loopcore::python {

/// The sum over tasks runs in their order, whatever the threads and the blocks: tasks of a block leave
/// their terms side by side, and these are added one after the other.
class Gradient {
 public:
  Gradient() = default;

  /// After operand.align_to(batch). `core` numbers a task.
  Gradient(const Operand& operand, const Batch& batch, Index core, bool float32)
      : core_(core), float32_(float32) {
    const Index missing = batch.shape().size() - operand.leading_axes();
    strides_.resize(batch.shape().size(), 0);
    Index tasks = 1;
    for (Index k = operand.leading_axes() - 1; k >= 0; --k) {
      if (operand.shape()[k] != 1) strides_[missing + k] = tasks * core;
      tasks *= operand.shape()[k];
    }
    is_shared_ = tasks != batch.size();
    array_ =
        make_aligned(operand.shape(), float32 ? py::dtype::of<float>() : py::dtype::of<double>());
    if (is_shared_) sum_ = Buffer(tasks * core);
  }

  explicit operator bool() const { return static_cast<bool>(array_); }
  const py::array& array() const { return array_; }
  /// Numbers a task of a block, and a task of a thread, for which place() needs memory.
  Index block_core() const { return is_shared_ ? core_ : 0; }
  Index thread_core() const { return !is_shared_ && float32_ ? core_ : 0; }

  /// For so many tasks from number `first` on.
  void open_block(Index first, Index count) {
    first_ = first;
    if (block_.size() < count * block_core()) block_ = Buffer(count * block_core());
  }

  /// Where the task writes its numbers; `own`, thread_core() numbers, where the thread keeps them.
  double* place(Index task, const Axes& index, double* own) {
    if (is_shared_) return block_.data() + (task - first_) * core_;
    return float32_ ? own : data<double>() + offset(index);
  }

  /// Once a task has written: into an array of another type.
  void take(const Axes& index, const double* own) {
    if (thread_core() > 0) std::copy_n(own, core_, data<float>() + offset(index));
  }

  /// Adds up the terms of the block, tasks [first, last).
  void close_block(const Batch& batch, Index last, int threads, StopFlag& flag) {
    if (!is_shared_) return;
    constexpr Index part = 1024;
    const Index parts = (core_ + part - 1) / part;
    const auto make_worker = [&](int) {
      return [&, index = Axes()](Index k, Stop&) mutable {
        const Index begin = k * part;
        const Index end = std::min(begin + part, core_);
        for (Index task = first_; task < last; ++task) {
          batch.unravel(task, index);
          double* sum = sum_.data() + offset(index);
          const double* term = block_.data() + (task - first_) * core_;
          for (Index i = begin; i < end; ++i) sum[i] += term[i];
        }
      };
    };
    const double work = static_cast<double>(std::min(part, core_) * (last - first_));
    for_each_task(parts, useful_threads(threads, parts, work), flag, make_worker);
  }

  /// Once all tasks are in.
  void finish() {
    if (!is_shared_) return;
    if (float32_) {
      std::copy_n(sum_.data(), sum_.size(), data<float>());
    } else {
      std::copy_n(sum_.data(), sum_.size(), data<double>());
    }
  }

 private:
  template <class S>
  S* data() {
    return static_cast<S*>(array_.mutable_data());
  }
  Index offset(const Axes& index) const {
    Index offset = 0;
    for (Index k = 0; k < strides_.size(); ++k) offset += index[k] * strides_[k];
    return offset;
  }

  Index core_ = 0;
  bool float32_ = false;
  bool is_shared_ = false;  // by several tasks, or by none
  Axes strides_;            // over the batch, in numbers: 0 where the operand is broadcast
  py::array array_ = py::reinterpret_steal<py::array>(py::handle());
  Buffer sum_;    // as the array, where it is shared
  Buffer block_;  // (tasks of the block, core)
  Index first_ = 0;
};

}  // namespace loopcore::python
