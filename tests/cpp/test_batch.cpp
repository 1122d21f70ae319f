#include <doctest/doctest.h>

#include <atomic>
#include <loopcore/batch.hpp>
#include <stdexcept>
#include <vector>

using namespace loopcore;

TEST_CASE("every task is done once, by any number of threads") {
  for (const int threads : {1, 2, 3, 8}) {
    for (const Index tasks : {0, 1, 2, 7, 1000}) {
      std::vector<std::atomic<int>> done(static_cast<std::size_t>(tasks));
      std::atomic<int> workers{0};
      StopFlag flag;
      for_each_task(tasks, threads, flag, [&](int thread) {
        if (thread >= threads) throw std::out_of_range("thread");
        ++workers;
        return [&](Index task, Stop&) { ++done[static_cast<std::size_t>(task)]; };
      });
      for (const auto& count : done) CHECK(count == 1);
      CHECK(workers <= threads);
    }
  }
}

TEST_CASE("an exception in any thread comes out, once, and ends the batch") {
  for (const int threads : {1, 4}) {
    StopFlag flag;
    std::atomic<int> done{0};
    const auto run = [&] {
      for_each_task(100000, threads, flag, [&](int) {
        return [&](Index task, Stop&) {
          if (task == 10) throw std::runtime_error("task 10");
          ++done;
        };
      });
    };
    CHECK_THROWS_WITH(run(), "task 10");
    CHECK(done < 100000);
  }
}

TEST_CASE("an exception in making a worker comes out too") {
  StopFlag flag;
  const auto run = [&] {
    for_each_task(10, 2, flag, [](int) -> void (*)(Index, Stop&) { throw std::bad_alloc(); });
  };
  CHECK_THROWS_AS(run(), std::bad_alloc);
}

TEST_CASE("a poll that says stop ends all threads soon") {
  for (const int threads : {1, 2}) {
    StopFlag flag{.poll = [] { return true; }};
    std::atomic<Index> done{0};
    for_each_task(Index{1} << 40, threads, flag, [&](int) {
      return [&](Index, Stop& stop) {
        ++done;
        stop.after(1 << 16);
      };
    });
    CHECK(flag.raised);
    CHECK(done < Index{1} << 40);
  }
}

TEST_CASE("small batches stay on one thread") {
  CHECK(useful_threads(8, 1, 1e12) == 1);
  CHECK(useful_threads(8, 1000, 10) == 1);
  CHECK(useful_threads(8, 1000, 1e6) == 8);
  CHECK(useful_threads(8, 3, 1e6) == 3);
}

TEST_CASE("a team does every item once, with no more threads than items") {
  for (const int threads : {-1, 1, 2, 3, 8}) {
    const Team team(threads);
    CHECK(team.threads() == std::max(threads, 1));
    for (const Index items : {0, 1, 2, 3, 500}) {
      std::vector<std::atomic<int>> done(static_cast<std::size_t>(items));
      std::atomic<bool> is_known{true};
      StopFlag flag;
      Stop stop(flag, true);
      const auto work = [&](Index item, int thread, Stop&) {
        ++done[static_cast<std::size_t>(item)];
        if (thread < 0 || thread >= std::min<Index>(items, team.threads())) is_known = false;
      };
      team.for_each(items, work, stop);
      for (const auto& count : done) CHECK(count == 1);
      CHECK(is_known);
    }
  }
}

TEST_CASE("what one item throws comes out of the team, and a raised flag ends it") {
  for (const int threads : {1, 3}) {
    const Team team(threads);
    StopFlag flag;
    Stop stop(flag, true);
    const auto throws = [](Index item, int, Stop&) {
      if (item == 7) throw std::runtime_error("item 7");
    };
    CHECK_THROWS_WITH(team.for_each(1000, throws, stop), "item 7");
    flag.raised = false;
    std::atomic<Index> done{0};
    const auto raises = [&](Index item, int, Stop& inner) {
      ++done;
      if (item == 7) inner.raise();
    };
    team.for_each(Index{1} << 40, raises, stop);
    CHECK(stop.raised());
    CHECK(done < Index{1} << 40);
  }
}
