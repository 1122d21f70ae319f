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
      for_each_task(tasks, threads, flag, [&] {
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
      for_each_task(100000, threads, flag, [&] {
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
    for_each_task(10, 2, flag, []() -> void (*)(Index, Stop&) { throw std::bad_alloc(); });
  };
  CHECK_THROWS_AS(run(), std::bad_alloc);
}

TEST_CASE("a poll that says stop ends all threads soon") {
  for (const int threads : {1, 2}) {
    StopFlag flag{.poll = [] { return true; }};
    std::atomic<Index> done{0};
    for_each_task(Index{1} << 40, threads, flag, [&] {
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
