// Batch: independent pieces of work over threads, tasks of a batch or parts of one large task. The only
// parallel loop of the library.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <exception>
#include <mutex>
#include <thread>

#include "loopcore/stop.hpp"
#include "loopcore/types.hpp"

#ifdef _OPENMP
#include <omp.h>
#endif

namespace loopcore {

/// As many threads as OpenMP would use: OMP_NUM_THREADS, or the cores at hand. 1 without OpenMP.
inline int default_threads() {
#ifdef _OPENMP
  return omp_get_max_threads();
#else
  return 1;
#endif
}

/// The cores that this process may use. 1 without OpenMP.
inline int processors() {
#ifdef _OPENMP
  return omp_get_num_procs();
#else
  return 1;
#endif
}

/// No more threads than there are tasks, nor so many that starting them costs more than they save.
inline int useful_threads(int wanted, Index tasks, double work_per_task) {
  constexpr double least_work = 0x1p17;  // multiply-adds a thread, about the time to wake it: 20 µs
  const double by_work = static_cast<double>(tasks) * work_per_task / least_work;
  const double limit = std::max(1.0, std::min(static_cast<double>(tasks), by_work));
  return limit < wanted ? static_cast<int>(limit) : wanted;
}

namespace detail {

/// Hands out the tasks of one batch, a few at a time, and collects what went wrong.
class Queue {
 public:
  Queue(Index tasks, int threads)
      : tasks_(tasks), grain_(std::clamp<Index>(tasks / (16 * Index{threads}), 1, 64)) {}

  template <class MakeWorker>
  void work(MakeWorker& make_worker, int thread, Stop& stop) {
    try {
      auto worker = make_worker(thread);
      while (!stop.raised()) {
        const Index begin = next_.fetch_add(grain_, std::memory_order_relaxed);
        if (begin >= tasks_) break;
        const Index end = std::min(begin + grain_, tasks_);
        for (Index task = begin; task < end && !stop.raised(); ++task) worker(task, stop);
        stop.after(grain_);
      }
    } catch (...) {  // an exception that leaves an OpenMP region ends the process
      stop.raise();
      const std::lock_guard lock(mutex_);
      if (!error_) error_ = std::current_exception();
    }
    finished_.fetch_add(1, std::memory_order_release);
  }

  /// The calling thread waits for the others awake, so that it still answers the caller's interrupt.
  void wait_for(int threads, Stop& stop) const {
    for (int spins = 0; finished_.load(std::memory_order_acquire) < threads; ++spins) {
      if (spins < 10000) {
        std::this_thread::yield();
      } else {
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
        stop.look();
      }
    }
  }

  void rethrow() const {
    if (error_) std::rethrow_exception(error_);
  }

 private:
  Index tasks_;
  Index grain_;
  std::atomic<Index> next_{0};
  std::atomic<int> finished_{0};
  std::mutex mutex_;
  std::exception_ptr error_;
};

}  // namespace detail

/// worker(task, stop) for every task in [0, tasks), over at most `threads` threads; make_worker(thread)
/// is called once on each of them and makes the worker with the memory it needs. Which thread computes a
/// task, and beside which others, has no influence on its bits. The first exception is rethrown.
template <class MakeWorker>
void for_each_task(Index tasks, int threads, StopFlag& flag, MakeWorker&& make_worker) {
  detail::Queue queue(tasks, std::max(threads, 1));
#ifdef _OPENMP
  if (threads > 1) {
#pragma omp parallel num_threads(threads)
    {
      const int thread = omp_get_thread_num();
      const bool is_calling_thread = thread == 0;
      Stop stop(flag, is_calling_thread);
      queue.work(make_worker, thread, stop);
      if (is_calling_thread) queue.wait_for(omp_get_num_threads(), stop);
    }
    queue.rethrow();
    return;
  }
#endif
  Stop stop(flag, true);
  queue.work(make_worker, 0, stop);
  queue.rethrow();
}

/// The threads that share the work on one task: one, where every task of a batch has a thread of its own.
class Team {
 public:
  explicit Team(int threads) : threads_(std::max(threads, 1)) {}

  int threads() const { return threads_; }

  /// work(item, thread, stop) for every item in [0, items), thread < min(items, threads()). What is
  /// computed must not depend on the thread.
  template <class Work>
  void for_each(Index items, Work&& work, Stop& stop) const {
    if (threads_ == 1 || items <= 1) {
      for (Index item = 0; item < items && !stop.raised(); ++item) work(item, 0, stop);
      return;
    }
    const auto make_worker = [&work](int thread) {
      return [&work, thread](Index item, Stop& inner) { work(item, thread, inner); };
    };
    const auto threads = static_cast<int>(std::min<Index>(items, threads_));
    for_each_task(items, threads, stop.flag(), make_worker);
    stop.look();
  }

 private:
  int threads_;
};

}  // namespace loopcore
