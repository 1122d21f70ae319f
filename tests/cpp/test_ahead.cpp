#include <doctest/doctest.h>

#include <loopcore/ahead.hpp>
#include <vector>

#include "problem.hpp"

using namespace loopcore;

// What is asked for cannot be seen, only that asking is harmless: wherever it aims, at memory that is not
// there as well, and however often it is asked.

TEST_CASE("asking is harmless before, in and after a range, and beyond all memory") {
  const testing::Prompt<> prompt(20, 4);
  const std::vector<Task> tasks(static_cast<std::size_t>(lane_width), prompt.task());
  Ahead ahead;
  ahead.ask();
  ahead.aim_behind(tasks.data(), lane_width);
  for (int k = 0; k < 100; ++k) ahead.ask();
  ahead.aim_at_rows(tasks[0].X, 1 << 20, 1000, 4);
  for (int k = 0; k < 10000; ++k) ahead.ask();
  ahead.aim_at_rows(tasks[0].X, 0, 0, 4);
  ahead.ask();
  CHECK(prompt.X == testing::Prompt<>(20, 4).X);
}
