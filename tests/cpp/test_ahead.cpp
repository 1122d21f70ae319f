#include <doctest/doctest.h>

#include <loopcore/ahead.hpp>
#include <vector>

#include "problem.hpp"

using namespace loopcore;

namespace {

/// How often it is asked until nothing is left: eight lines of 64 bytes at a time.
Index asks(Ahead& ahead) {
  Index count = 0;
  for (; !ahead.is_done(); ++count) ahead.ask();
  return count;
}

Index asks_for(Index bytes) { return (bytes + 511) / 512; }

/// A lane of tasks of (n, d) one behind the other, `gap` doubles apart.
std::vector<Task> lane_of_tasks(const std::vector<double>& X, const std::vector<double>& y, Index n,
                                Index d, Index gap) {
  std::vector<Task> tasks;
  for (Index t = 0; t < lane_width; ++t) {
    Task task;
    task.n = n;
    task.d = d;
    task.X = matrix_view(X.data() + t * (n * d + gap), d);
    task.y = vector_view(y.data() + t * (n + gap));
    tasks.push_back(task);
  }
  return tasks;
}

}  // namespace

TEST_CASE("behind a lane of tasks as much is asked for as the lane itself holds") {
  const std::vector<double> X(10000), y(10000);
  for (const Index n : {0, 1, 7, 20}) {
    Ahead ahead;
    ahead.aim_behind(lane_of_tasks(X, y, n, 4, 0).data(), lane_width);
    const Index expected = asks_for(lane_width * n * 4 * 8) + asks_for(lane_width * n * 8);
    CHECK(asks(ahead) == (lane_width > 1 ? expected : 0));
  }
}

TEST_CASE("nothing is asked for where it is not known, or too much") {
  const std::vector<double> X(10000), y(10000);
  Ahead ahead;
  CHECK(ahead.is_done());
  ahead.ask();
  ahead.aim_behind(lane_of_tasks(X, y, 20, 4, 0).data(), lane_width - 1);
  CHECK(ahead.is_done());
  ahead.aim_behind(lane_of_tasks(X, y, 20, 4, 1).data(), lane_width);
  CHECK(ahead.is_done());
  ahead.aim_at_rows(matrix_view(X.data(), 5), 0, 10, 4);
  CHECK(ahead.is_done());
  ahead.aim_at_rows(matrix_view(X.data(), 4), 0, 0, 4);
  CHECK(ahead.is_done());
  ahead.aim_at_rows(matrix_view(X.data(), 4), 0, Index{1} << 40, 4);
  CHECK(ahead.is_done());
}

TEST_CASE("rows are asked for once, and memory need not exist") {
  const std::vector<double> X(4);
  Ahead ahead;
  ahead.aim_at_rows(matrix_view(X.data(), 4), 1 << 20, 1000, 4);
  CHECK(asks(ahead) == asks_for(1000 * 4 * 8));
}
