#include <doctest/doctest.h>

#include <loopcore/checkpoints.hpp>
#include <utility>
#include <vector>

#include "problem.hpp"

using namespace loopcore;

namespace {

/// q_{t+1} = 2 q_t + t mod 97 in each entry; counts its calls.
struct Step {
  void operator()(Index t, const Index* from, Index* to) {
    ++calls;
    for (Index k = 0; k < 3; ++k) to[k] = (2 * from[k] + t) % 97;
  }
  Index calls = 0;
};

std::vector<Index> states(Index T) {
  std::vector<Index> all{1, 2, 3};
  Step step;
  all.resize(static_cast<std::size_t>(3 * (T + 1)));
  for (Index t = 0; t < T; ++t)
    step(t, &all[static_cast<std::size_t>(3 * t)], &all[static_cast<std::size_t>(3 * t + 3)]);
  return all;
}

}  // namespace

TEST_CASE("every state is visited once, from the last to the first, whatever the segment") {
  const Index start[] = {1, 2, 3};
  for (const Index T : {0, 1, 31, 32, 33, 64, 100, 1000}) {
    const auto expected = states(T);
    for (const Index segment : {Index{32}, Index{64}, Index{96}, std::max<Index>(T, 1), T + 50}) {
      Checkpoints<Index> checkpoints(T, 3, segment);
      for (int again = 0; again < 2; ++again) {
        Stop stop = testing::never_stop();
        Step step;
        REQUIRE(checkpoints.run(start, step, stop));
        CHECK(step.calls == T);
        Index next = T;
        const auto visit = [&](Index begin, Index end, const Index* q) {
          CHECK(end == next);
          CHECK(begin % loops_at_once == 0);
          CHECK(end - begin <= loops_at_once);
          for (Index k = 0; k < 3 * (end - begin); ++k) {
            CHECK(q[k] == expected[static_cast<std::size_t>(3 * begin + k)]);
          }
          next = begin;
        };
        REQUIRE(checkpoints.run_backwards(step, visit, stop));
        CHECK(next == 0);
        CHECK(step.calls <= 2 * T);
        if (segment >= T) CHECK(step.calls == T);
      }
    }
  }
}

TEST_CASE("a stop ends both directions") {
  const Index start[] = {1, 2, 3};
  Checkpoints<Index> checkpoints(100, 3, 32);
  StopFlag flag;
  Stop stop(flag, true);
  Step step;
  const auto stopping = [&](Index t, const Index* from, Index* to) {
    step(t, from, to);
    if (step.calls == 40) stop.raise();
  };
  CHECK_FALSE(checkpoints.run(start, stopping, stop));
  CHECK(step.calls == 40);
  flag.raised = false;
  REQUIRE(checkpoints.run(start, step, stop));
  const auto visit = [&](Index, Index, const Index*) { stop.raise(); };
  CHECK_FALSE(checkpoints.run_backwards(step, visit, stop));
}

TEST_CASE("few loops are recorded whole, many in segments of about their root") {
  CHECK(choose_segment(0, 4) == 1);
  CHECK(choose_segment(100, 20) == 100);
  for (const Index T : {100'000, 1'000'000, 100'000'000}) {
    const Index segment = choose_segment(T, 20);
    CHECK(segment % loops_at_once == 0);
    CHECK(segment * segment >= T);
    CHECK(segment + T / segment < 2.2 * std::sqrt(static_cast<double>(T)) + 64);
  }
  CHECK(choose_segment(Index{1} << 61, Index{1} << 40) > 0);
}
