// Checkpoints: the states of T loops, for a pass backwards over them: all recorded where that is little,
// otherwise recorded a segment at a time, from a state kept at the start of each, which costs one
// more run of the loops and holds about 2 √T states.
#pragma once

#include <algorithm>
#include <cmath>

#include "loopcore/buffer.hpp"
#include "loopcore/stop.hpp"
#include "loopcore/types.hpp"

namespace loopcore {

/// Loops that are taken backwards together, so that a sum over them runs in registers.
inline constexpr Index loops_at_once = 32;

/// Loops of a segment. Up to 2¹⁵ numbers a task, 2 MiB for eight side by side, all loops are one.
inline Index choose_segment(Index T, Index size) {
  constexpr Index most_numbers = Index{1} << 15;
  if (T <= most_numbers / std::max<Index>(size, 1)) return std::max<Index>(T, 1);
  const auto root = static_cast<Index>(std::sqrt(static_cast<double>(T)));
  return (root / loops_at_once + 1) * loops_at_once;
}

template <class Value>
class Checkpoints {
 public:
  /// For T loops on states of (size,), in segments of so many: all, or a multiple of loops_at_once.
  Checkpoints(Index T, Index size, Index segment)
      : T_(T),
        size_(size),
        segment_(std::clamp<Index>(segment, 1, std::max<Index>(T, 1))),
        marks_((T + segment_ - 1) / segment_ * size),
        states_((segment_ + 1) * size) {}

  /// The loops 0 … T − 1 from q_0 = start;  step(t, q_t, q_{t+1}) runs one. False if stopped.
  template <class Step>
  bool run(const Value* start, Step&& step, Stop& stop) {
    std::copy_n(start, size_, states_.data());
    for (Index begin = 0; begin < T_; begin += segment_) {
      if (begin > 0) std::copy_n(state(segment_), size_, states_.data());
      std::copy_n(states_.data(), size_, mark(begin));
      if (!record(begin, step, stop)) return false;
    }
    return true;
  }

  /// visit(begin, end, states) for all loops, a few in a row, from the last to the first: states, (end −
  /// begin, size), are q_begin … q_{end−1}. After run(), with its step. False if stopped.
  template <class Step, class Visit>
  bool run_backwards(Step&& step, Visit&& visit, Stop& stop) {
    for (Index begin = last_of(T_, segment_); begin >= 0; begin -= segment_) {
      const Index end = std::min(begin + segment_, T_);
      if (end < T_) {
        std::copy_n(mark(begin), size_, states_.data());
        if (!record(begin, step, stop)) return false;
      }
      for (Index k = last_of(end - begin, loops_at_once); k >= 0; k -= loops_at_once) {
        visit(begin + k, std::min(begin + k + loops_at_once, end), state(k));
        if (stop.raised()) return false;
      }
    }
    return true;
  }

 private:
  /// Where the last of the parts of `count` begins; negative where there is none.
  static Index last_of(Index count, Index part) { return (count + part - 1) / part * part - part; }

  /// The segment that begins at the state in front.
  template <class Step>
  bool record(Index begin, Step&& step, Stop& stop) {
    const Index loops = std::min(segment_, T_ - begin);
    for (Index k = 0; k < loops; ++k) {
      step(begin + k, state(k), state(k + 1));
      if (stop.raised()) return false;
    }
    return true;
  }

  Value* state(Index k) { return states_.data() + k * size_; }
  Value* mark(Index begin) { return marks_.data() + begin / segment_ * size_; }

  Index T_;
  Index size_;
  Index segment_;
  Array<Value> marks_;   // (segments, size): the first state of each
  Array<Value> states_;  // (segment + 1, size): those of the segment at work, and what follows it
};

}  // namespace loopcore
