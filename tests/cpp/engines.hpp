// Engines by hand: loops with one constant step a task, and what comes out.
#pragma once

#include <array>
#include <loopcore/engine.hpp>
#include <span>
#include <vector>

#include "problem.hpp"

namespace loopcore::testing {

/// q(T), (d,), of each of the tasks, which the engine must take together.
inline std::vector<std::vector<double>> run(Engine& engine, std::span<const Task> tasks,
                                            const Steps& steps, Index T) {
  const std::array<Scaling, lane_width> scalings{};
  Stop stop = never_stop();
  engine.open(tasks, scalings.data(), stop);
  engine.prepare(stop);
  engine.advance(0, T, steps, stop);
  std::vector<std::vector<double>> q;
  for (std::size_t t = 0; t < tasks.size(); ++t) {
    q.push_back(element(engine.q(), static_cast<Index>(t), tasks[0].d));
  }
  return q;
}

/// The first `count` elements of a comparison.
inline std::vector<bool> holds(Lane::Comparison comparison, Index count) {
  const Lane ones = select(comparison, Lane::broadcast(1), Lane::zero());
  std::vector<bool> result;
  for (Index t = 0; t < count; ++t) result.push_back(ones[t] != 0);
  return result;
}

}  // namespace loopcore::testing
