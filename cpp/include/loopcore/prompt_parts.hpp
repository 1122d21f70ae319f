// PromptParts: one large prompt in parts of its rows, or of its keys, which a team of threads shares. It is the
// only way in which the engines of the general family split the work on a prompt.
#pragma once

#include <algorithm>

#include "loopcore/batch.hpp"
#include "loopcore/stop.hpp"
#include "loopcore/types.hpp"

namespace loopcore {

/// Rows begin … end − 1, or lanes of keys.
struct PromptPart {
  Index number = 0;
  Index begin = 0;
  Index end = 0;
};

/// Parts of whole blocks, one at least. They follow from the sizes alone, so that sums made part by part and added
/// in their order have the same bits for any number of threads.
class PromptParts {
 public:
  /// What it takes to read a number from memory and write it, in multiply-adds: 1 ns at least.
  static constexpr Index work_of_a_copy = 16;

  /// How many parts are worth while for so many multiply-adds in all.
  static Index count_for(double work, Index most = 256) {
    constexpr double least_work = 0x1p20;  // a part: 60 µs, and 20 to wake a thread
    return static_cast<Index>(std::clamp(work / least_work, 1.0, static_cast<double>(most)));
  }

  /// Of begin … end − 1, in blocks of `block`; at most so many parts.
  PromptParts(Index begin, Index end, Index block, Index work_each, Index most = 256)
      : begin_(begin), end_(std::max(begin, end)) {
    const Index blocks = (end_ - begin_ + block - 1) / block;
    const Index parts =
        count_for(static_cast<double>(end_ - begin_) * static_cast<double>(work_each), most);
    size_ = std::max<Index>((blocks + parts - 1) / parts, 1) * block;
    count_ = std::max<Index>((end_ - begin_ + size_ - 1) / size_, 1);
  }

  Index count() const { return count_; }

  PromptPart operator[](Index number) const {
    const Index begin = begin_ + number * size_;
    return {number, begin, std::min(begin + size_, end_)};
  }

  /// How many threads of a team will have something to do.
  Index workers(const Team& team) const { return std::min<Index>(team.threads(), count_); }

  /// work(part, thread, stop) for every part, thread < workers(team).
  template <class Work>
  void for_each(const Team& team, Work&& work, Stop& stop) const {
    team.for_each(
        count_, [&](Index k, int thread, Stop& inner) { work((*this)[k], thread, inner); }, stop);
  }

 private:
  Index begin_;
  Index end_;
  Index size_;   // of a part
  Index count_;  // parts
};

}  // namespace loopcore
