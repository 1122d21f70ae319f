#include <doctest/doctest.h>

#include <loopcore/stop.hpp>
#include <thread>

using namespace loopcore;

namespace {
int polls = 0;
}  // namespace

TEST_CASE("the caller is asked after 50 ms, not before, and only on its own thread") {
  StopFlag flag{.poll = [] { return ++polls == 1; }};
  Stop caller(flag, true);
  Stop worker(flag, false);
  CHECK_FALSE(caller.look());  // the clock starts
  CHECK(polls == 0);
  std::this_thread::sleep_for(std::chrono::milliseconds(60));
  CHECK_FALSE(worker.look());
  CHECK(polls == 0);
  CHECK(caller.look());
  CHECK(polls == 1);
  CHECK(worker.look());  // the flag is everybody's
}

TEST_CASE("small work costs no look") {
  StopFlag flag;
  flag.raised = true;
  Stop stop(flag, true);
  CHECK_FALSE(stop.after(1));
  CHECK(stop.after(Index{1} << 30));
  CHECK(stop.raised());
}
