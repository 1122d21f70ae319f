// Ahead: memory that will be read soon, asked for a few cache lines at a time while other work goes on.
//
// A core waits for some 16 lines at once. Asked for more it stands still, and asked for nothing while it
// computes the memory does: at the paper's size a lane of tasks took 1,050 ns from memory and 570 ns from
// the cache, and takes 720 ns with its lines asked for in the middle of the work on the lane before.
#pragma once

#include <cstddef>

#include "loopcore/lane.hpp"
#include "loopcore/types.hpp"

namespace loopcore {

/// Asks for the cache line at an address, which need not exist.
inline void prefetch([[maybe_unused]] const std::byte* address) {
#if defined(__GNUC__)
  __builtin_prefetch(address);
#endif
}

class Ahead {
 public:
  /// What follows a lane of tasks, if the tasks go on as they lie: a hint, it need not exist.
  void aim_behind(const Task* tasks, Index count) {
    ranges_ = 0;
    if (count < lane_width || lane_width == 1) return;
    const std::byte* X = tasks[0].X.data;
    const std::byte* y = tasks[0].y.data;
    aim_behind(X, tasks[1].X.data - X, tasks[0].n * tasks[0].X.row_stride);
    aim_behind(y, tasks[1].y.data - y, tasks[0].n * tasks[0].y.stride);
  }

  /// So many rows of X from `begin` on, where they lie without gaps.
  void aim_at_rows(const MatrixView& X, Index begin, Index rows, Index d) {
    ranges_ = 0;
    if (X.row_stride == d * X.column_stride) {
      aim(X.data + begin * X.row_stride, rows * X.row_stride);
    }
  }

  /// Asks for the next few lines.
  void ask() {
    if (ranges_ == 0) return;
    constexpr Index line = 64;
    constexpr Index lines_at_once = 8;
    const std::byte*& next = next_[ranges_ - 1];
    for (Index k = 0; k < lines_at_once; ++k) prefetch(next + k * line);
    next += lines_at_once * line;
    if (next >= end_[ranges_ - 1]) --ranges_;
  }

  /// Whether nothing is left to ask for.
  bool is_done() const { return ranges_ == 0; }

 private:
  // More than that would push out of the second-level cache what is at work.
  static constexpr Index most_bytes = Index{1} << 18;

  /// The lane of vectors or matrices behind this one, where they follow each other without gaps.
  void aim_behind(const std::byte* first, Index distance, Index bytes) {
    if (distance == bytes) aim(first + lane_width * bytes, lane_width * bytes);
  }

  void aim(const std::byte* from, Index bytes) {
    if (bytes <= 0 || bytes > most_bytes) return;
    next_[ranges_] = from;
    end_[ranges_] = from + bytes;
    ++ranges_;
  }

  int ranges_ = 0;
  const std::byte* next_[2];
  const std::byte* end_[2];
};

}  // namespace loopcore
