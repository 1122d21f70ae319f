#include <doctest/doctest.h>

#include <loopcore/buffer.hpp>
#include <loopcore/engine.hpp>

#include "problem.hpp"

using namespace loopcore;

TEST_CASE("q0 of every task goes to its element, zeros where there is none") {
  const Index d = 5;
  std::vector<testing::Prompt<>> prompts;
  for (Index t = 0; t < lane_width; ++t) prompts.emplace_back(1, d, static_cast<unsigned>(t));
  for (Index count = 1; count <= lane_width; ++count) {
    for (const Index without : {Index{-1}, Index{0}, count - 1}) {
      std::vector<Task> tasks;
      for (Index t = 0; t < count; ++t) {
        tasks.push_back(prompts[static_cast<std::size_t>(t)].task());
        if (t == without) tasks.back().q0 = {};
      }
      Buffer rows(lane_width * d);
      Array<Lane> q(d);
      read_q0(tasks, d, rows.data(), q.data());
      for (Index t = 0; t < count; ++t) {
        const auto& q0 = prompts[static_cast<std::size_t>(t)].q0;
        CHECK(testing::element(q.data(), t, d) ==
              (t == without ? std::vector<double>(q0.size()) : q0));
      }
    }
  }
}

TEST_CASE("α is read as scaled") {
  std::vector<Task> tasks(2);
  tasks[0].alpha = 3;
  tasks[1].alpha = 5;
  const Scaling scalings[] = {{}, {.x = 2, .y = -1}};
  const Lane alpha = read_alpha(tasks, scalings);
  CHECK(alpha[0] == 3);
  CHECK(alpha[1] == 40);
}
