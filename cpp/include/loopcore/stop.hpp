// Stop: how a caller ends a long run early. The kernels report the work they do; now and then that
// turns into a look at the clock, and a few times a second into a question to the caller.
#pragma once

#include <atomic>
#include <chrono>

#include "loopcore/types.hpp"

namespace loopcore {

/// Asked on the calling thread only, at most every 50 ms; true means: give up.
using Poll = bool (*)();

/// What all threads of one call share.
struct StopFlag {
  Poll poll = nullptr;
  std::atomic<bool> raised{false};
};

/// One thread's view of the flag.
class Stop {
 public:
  Stop(StopFlag& flag, bool is_calling_thread)
      : flag_(flag), polls_(is_calling_thread && flag.poll != nullptr) {}

  StopFlag& flag() { return flag_; }
  bool raised() const { return flag_.raised.load(std::memory_order_relaxed); }
  void raise() { flag_.raised.store(true, std::memory_order_relaxed); }

  /// Call after `work` multiply-adds. True means: return at once, the result is not wanted.
  bool after(Index work) {
    work_ += work;
    if (work_ < work_between_looks) return false;
    work_ = 0;
    return look();
  }

  bool look() {
    if (polls_ && !raised()) {
      const Clock::time_point now = Clock::now();
      if (next_poll_ == Clock::time_point{}) next_poll_ = now + time_between_polls;
      if (now >= next_poll_) {
        next_poll_ = now + time_between_polls;
        if (flag_.poll()) raise();
      }
    }
    return raised();
  }

 private:
  using Clock = std::chrono::steady_clock;
  // 2¹⁹ multiply-adds take 0.02 to 1 ms, a look at the clock 30 ns.
  static constexpr Index work_between_looks = Index{1} << 19;
  static constexpr std::chrono::milliseconds time_between_polls{50};

  StopFlag& flag_;
  bool polls_;
  Index work_ = 0;
  Clock::time_point next_poll_{};
};

}  // namespace loopcore
