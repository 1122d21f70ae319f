// LoopedVjpPlan: which reverse pass and which layout a looped model takes. A function of the problem alone.
#pragma once

#include <memory>

#include "loopcore/attention_rows_vjp.hpp"
#include "loopcore/linear_all_vjp.hpp"
#include "loopcore/linear_query_vjp.hpp"
#include "loopcore/looped_plan.hpp"
#include "loopcore/looped_vjp_engine.hpp"

namespace loopcore {

/// linear_query, linear_all, or attention_rows, which undoes all others too. By sums wherever those are less
/// work, of a short context too: a gradient has other errors than those of the states.
inline LoopedPath choose_looped_vjp_path(const LoopedProblem& problem) {
  const LoopedModel& model = problem.model;
  switch (choose_looped_path(problem)) {
    case LoopedPath::linear_query: return LoopedPath::linear_query;
    case LoopedPath::linear_keys:
      return model.D < 2 * model.heads * problem.rows() ? LoopedPath::linear_query
                                                        : LoopedPath::attention_rows;
    case LoopedPath::linear_targets:
    case LoopedPath::linear_all: return LoopedPath::linear_all;
    case LoopedPath::attention_rows: {
      const bool has_sums = model.attention == Attention::linear && model.mask != Mask::causal;
      return has_sums && work_of_scores(problem) > 1 ? LoopedPath::linear_all
                                                     : LoopedPath::attention_rows;
    }
    default: return LoopedPath::attention_rows;
  }
}

template <class L>
std::unique_ptr<LoopedVjpEngine> make_looped_vjp_engine(const LoopedProblem& problem,
                                                        LoopedPath path, Team team = Team(1)) {
  switch (path) {
    case LoopedPath::linear_query: return std::make_unique<LinearQueryVjp<L>>(problem);
    case LoopedPath::linear_all: return std::make_unique<LinearAllVjp<L>>(problem);
    default: return std::make_unique<AttentionRowsVjp<L>>(problem, team);
  }
}

/// On whose prompts, where its path divides them, a team works together.
inline std::unique_ptr<LoopedVjpEngine> make_looped_vjp_engine(const LoopedProblem& problem,
                                                               Team team = Team(1)) {
  const LoopedPath path = choose_looped_vjp_path(problem);
  if (holds_prompts(problem, path)) {
    return make_looped_vjp_engine<TasksInLanes>(problem, path, team);
  }
  return make_looped_vjp_engine<ColumnsInLanes>(problem, path, team);
}

/// most() of its engine, without making one.
inline Index vjp_prompts_at_once(const LoopedProblem& problem) {
  return holds_prompts(problem, choose_looped_vjp_path(problem)) ? lane_width : 1;
}

/// Multiply-adds of one prompt, about: for how many threads it is worth while. Where so many threads share it,
/// those that one of them does.
inline double estimate_vjp_work(const LoopedProblem& problem, int threads = 1) {
  const auto D = static_cast<double>(problem.model.D);
  const auto heads = static_cast<double>(problem.model.layers * problem.model.heads);
  const double work = 3 * (estimate_work(problem) + static_cast<double>(problem.T) * heads * D * D);
  if (choose_looped_vjp_path(problem) != LoopedPath::attention_rows) return work;
  const PromptParts parts = vjp_parts(problem, vjp_prompts_at_once(problem));
  return work / static_cast<double>(parts.workers(Team(threads)));
}

}  // namespace loopcore
