#include <doctest/doctest.h>

#include <loopcore/loop_record.hpp>
#include <vector>

#include "problem.hpp"

using namespace loopcore;

namespace {

/// x ← 2 x + step, (x, number of steps so far)
struct Doubling {
  double state[2] = {1, 0};
  int advanced = 0;

  void advance(Index step) {
    CHECK(state[1] == static_cast<double>(step));
    state[0] = 2 * state[0] + static_cast<double>(step);
    state[1] += 1;
    ++advanced;
  }
  void save(double* to) const { std::copy_n(state, 2, to); }
  void load(const double* from) { std::copy_n(from, 2, state); }
};

}  // namespace

TEST_CASE("every state comes back in reverse, kept or computed once more") {
  for (const Index steps : {0, 1, 2, 7, 9, 10, 30}) {
    for (const Index most : {1000, 10, 1}) {
      CAPTURE(steps);
      CAPTURE(most);
      std::vector<double> states{1};
      for (Index step = 0; step < steps; ++step) {
        states.push_back(2 * states.back() + static_cast<double>(step));
      }
      LoopRecord record(steps, 2, most);
      for (int pass = 0; pass < 2; ++pass) {
        Doubling loop;
        Stop stop = testing::never_stop();
        Index next = steps;
        record.reverse(
            loop,
            [&](Index step, const double* state) {
              CHECK(step == --next);
              CHECK(state[0] == states[static_cast<std::size_t>(step)]);
            },
            stop);
        CHECK(next == 0);
        CHECK(loop.advanced <= 2 * steps);
      }
    }
  }
}

TEST_CASE("it ends when it is told to") {
  LoopRecord record(100, 2, 20);
  Doubling loop;
  StopFlag flag;
  Stop stop(flag, true);
  int undone = 0;
  record.reverse(
      loop,
      [&](Index, const double*) {
        if (++undone == 3) stop.raise();
      },
      stop);
  CHECK(undone == 3);
}
