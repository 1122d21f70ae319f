// Solvers, and what they read out.
#pragma once

#include <array>
#include <loopcore/solve.hpp>
#include <span>
#include <vector>

#include "problem.hpp"
#include "svd.hpp"

namespace loopcore::testing {

/// q of every task after every loop that is read out.
class Vectors : public Readout {
 public:
  explicit Vectors(std::size_t tasks) : q(tasks) {}

  void open(Engine&, Index, Index, Stop&) override {}
  void record(Engine& engine, Index, Index first, Index count) override {
    const Lane* lanes = engine.q();
    for (Index t = 0; t < count; ++t) {
      auto& of_task = q[static_cast<std::size_t>(first + t)];
      of_task.push_back(element(lanes, t, d));
    }
  }

  Index d = 0;
  std::vector<std::vector<std::vector<double>>> q;  // (tasks, at, d)
};

/// q of every task at the loops of problem.at.
inline std::vector<std::vector<std::vector<double>>> solve(const Problem& problem,
                                                           std::span<const Task> tasks,
                                                           std::span<const StepInput> inputs,
                                                           int threads = 1) {
  const Team team(threads);
  Solver solver(problem, team);
  Vectors vectors(tasks.size());
  vectors.d = problem.d;
  Stop stop = never_stop();
  solver(tasks, inputs, vectors, stop);
  return vectors.q;
}

/// q(T) of one task.
inline std::vector<double> solve(const Task& task, Index T, Path path, StepKind kind,
                                 const StepInput& input = {}) {
  Problem problem;
  problem.n = task.n;
  problem.d = task.d;
  problem.T = T;
  problem.at = {T};
  problem.kind = kind;
  problem.path = path;
  return solve(problem, {&task, 1}, {&input, 1})[0][0];
}

}  // namespace loopcore::testing
