// Rows: where looped prompts, and their adjoints, are written.
#pragma once

#include <atomic>

#include "loopcore/prompt_rows.hpp"

namespace loopcore::python {

/// Rows of some prompts in a row into the result, (..., K, rows, D).
class Rows final : public RowSink {
 public:
  /// Made without the GIL: no Python object in sight.
  Rows(void* data, bool float32, Index readouts, Index rows, Index first, Index D)
      : data_(static_cast<std::byte*>(data)),
        float32_(float32),
        readouts_(readouts),
        rows_(rows),
        first_(first),
        D_(D) {}

  /// The prompts that run together begin at this number.
  void begin(Index prompt) { prompt_ = prompt; }

  /// Whether all that came was finite.
  bool finite() const { return finite_.load(std::memory_order_relaxed); }

  void put(Index prompt, Index k, Index row, const double* token) override {
    const Index at = (((prompt_ + prompt) * readouts_ + k) * rows_ + row - first_) * D_;
    const bool all_finite = float32_ ? copy(token, reinterpret_cast<float*>(data_) + at)
                                     : copy(token, reinterpret_cast<double*>(data_) + at);
    if (!all_finite) finite_.store(false, std::memory_order_relaxed);
  }

 private:
  /// to ← token, and whether all is finite. Without a branch, so that it runs in lanes.
  template <class Number>
  bool copy(const double* token, Number* to) const {
    bool all_finite = true;
    for (Index j = 0; j < D_; ++j) {
      to[j] = static_cast<Number>(token[j]);
      all_finite &= to[j] - to[j] == 0;
    }
    return all_finite;
  }

  std::byte* data_;
  bool float32_;
  Index readouts_;
  Index rows_;
  Index first_;
  Index D_;
  Index prompt_ = 0;
  std::atomic<bool> finite_ = true;
};

}  // namespace loopcore::python
