// LoopRecord: the states before each step of a loop, for a reverse pass. All of them where they fit 16 MiB;
// otherwise every √steps-th, from which the others are computed once more, segment by segment.
#pragma once

#include <algorithm>
#include <cmath>

#include "loopcore/buffer.hpp"
#include "loopcore/stop.hpp"

namespace loopcore {

class LoopRecord {
 public:
  /// For states of `size` doubles.
  LoopRecord(Index steps, Index size, Index most_doubles = Index{1} << 21)
      : steps_(steps), size_(size), segment_(std::max<Index>(steps, 1)) {
    if (steps > 0 && size > most_doubles / steps) {
      segment_ = static_cast<Index>(std::ceil(std::sqrt(static_cast<double>(steps))));
    }
    last_ = steps > 0 ? (steps - 1) / segment_ * segment_ : 0;
    marks_ = Buffer(last_ / segment_ * size_);
    states_ = Buffer(std::min(segment_, steps) * size_);
  }

  /// undo(step, state) for step = steps − 1 … 0, state being what it was before that step. `loop` has
  /// advance(step), save(to) and load(from), and stands before step 0.
  template <class Loop, class Undo>
  void reverse(Loop&& loop, Undo&& undo, Stop& stop) {
    for (Index step = 0; step < last_ && !stop.raised(); ++step) {
      if (step % segment_ == 0) loop.save(marks_.data() + step / segment_ * size_);
      loop.advance(step);
    }
    for (Index begin = last_; begin >= 0 && !stop.raised(); begin -= segment_) {
      if (begin < last_) loop.load(marks_.data() + begin / segment_ * size_);
      const Index end = std::min(begin + segment_, steps_);
      for (Index step = begin; step < end && !stop.raised(); ++step) {
        loop.save(states_.data() + (step - begin) * size_);
        if (step + 1 < end) loop.advance(step);
      }
      for (Index step = end - 1; step >= begin && !stop.raised(); --step) {
        undo(step, static_cast<const double*>(states_.data() + (step - begin) * size_));
      }
    }
  }

 private:
  Index steps_;
  Index size_;
  Index segment_;   // steps
  Index last_ = 0;  // step at which the last segment begins
  Buffer marks_;    // (segments − 1, size)
  Buffer states_;   // (segment, size)
};

}  // namespace loopcore
