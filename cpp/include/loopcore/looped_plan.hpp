// LoopedPlan: which path and which layout run a looped model. A function of the problem alone, never of the
// batch, the threads or a clock.
#pragma once

#include <memory>

#include "loopcore/attention_rows.hpp"
#include "loopcore/attention_targets.hpp"
#include "loopcore/lane_layout.hpp"
#include "loopcore/linear_all.hpp"
#include "loopcore/linear_causal.hpp"
#include "loopcore/linear_keys.hpp"
#include "loopcore/linear_query.hpp"
#include "loopcore/linear_targets.hpp"
#include "loopcore/looped_engine.hpp"
#include "loopcore/looped_model.hpp"
#include "loopcore/looped_weights.hpp"
#include "loopcore/prompt_parts.hpp"

namespace loopcore {

enum class LoopedPath {
  linear_query,       // S once, then D² a loop
  linear_keys,        // 2 n D a loop, for queries of a short context
  linear_targets,     // likewise, D² a loop for all rows
  linear_all,         // S once, then D³ a loop for all rows
  linear_causal,      // running sums, n D² a loop
  attention_targets,  // scores once, then n² a loop
  attention_rows      // scores in each loop
};

/// Whether a context is so short that S may be ill-conditioned, and many loops on it lose digits that its
/// rows keep. Of 37,000 random prompts with n from D on, at T = 60 … 600 with constant and with Chebyshev's
/// steps, S had errors up to 350 times those of the literal loop where n < 1.5 D, 50 up to n = 1.5 D + 2, and
/// 18 above this bound; the rows 2.
inline bool is_short(Index n, Index D) { return 2 * n <= 3 * D + 12; }

/// How much more work a loop of linear attention of all rows is with scores than with S.
inline double work_of_scores(const LoopedProblem& problem) {
  const auto rows = static_cast<double>(problem.rows());
  const auto D = static_cast<double>(problem.model.D);
  const auto heads = static_cast<double>(problem.model.heads);
  return rows * heads * 2 * (rows * D + D * D) / ((2.5 + 2 * heads) * D * D * D);
}

inline LoopedPath choose_looped_path(const LoopedProblem& problem) {
  const LoopedModel& model = problem.model;
  const auto rows = static_cast<double>(problem.rows());
  const auto D = static_cast<double>(model.D);
  const auto heads = static_cast<double>(model.heads);
  const bool moves_all = model.update == Update::all;
  const bool is_causal = moves_all && model.mask == Mask::causal;
  const bool only_targets = moves_targets_only(model);
  const double moved = moves_all ? rows : static_cast<double>(problem.m);
  if (model.attention != Attention::linear) {
    constexpr double most_scores = 0x1p22;  // 32 MiB
    const bool fits = static_cast<double>(model.layers) * moved * rows <= most_scores;
    return fits && only_targets ? LoopedPath::attention_targets : LoopedPath::attention_rows;
  }
  // Multiply-adds a loop where the scores are formed, for each row that moves.
  const double by_scores = heads * 2 * rows * D;
  if (is_causal) {
    return 2 * heads * D * D < by_scores / 2 ? LoopedPath::linear_causal
                                             : LoopedPath::attention_rows;
  }
  if (!moves_all) {
    return is_short(problem.n, problem.model.D) ? LoopedPath::linear_keys
                                                : LoopedPath::linear_query;
  }
  if (only_targets) {
    // With hardly more examples than features S is ill-conditioned, and many loops on it lose digits that the
    // scores keep: of random prompts at T = 200, the error was up to 200 times the literal loop's.
    const bool is_wide = static_cast<double>(problem.n) <= 2 * D && rows * rows <= 8 * D * D;
    return is_wide ? LoopedPath::attention_targets : LoopedPath::linear_targets;
  }
  // Newton's iteration corrects its own errors where it sees its rows: with κ = 60 its predictions were good to
  // u so, and to 73 u from sums that went through the same loops. Not where many queries make that dear.
  const double most = is_short(problem.n, model.D) ? 4 : 1;
  return work_of_scores(problem) <= most ? LoopedPath::attention_rows : LoopedPath::linear_all;
}

/// Whether a lane holds as many prompts as it has elements, and not many numbers of one: where the numbers
/// that a loop passes through, of eight prompts, stay in the second-level cache. Sums along a lane are
/// spared: 1,000 prompts of 128 × 33 with one softmax query take 45 ms so, and 62 by columns.
inline bool holds_prompts(const LoopedProblem& problem, LoopedPath path) {
  constexpr Index most_width = 40;
  constexpr Index most_lanes = 8192;  // 512 KiB with eight doubles each
  const Index D = problem.model.D;
  const Index rows = problem.rows();
  if (D > most_width) return false;
  switch (path) {
    case LoopedPath::linear_query: return problem.m * D <= most_lanes;
    case LoopedPath::linear_keys: {
      const Index heads = problem.model.layers * problem.model.heads;
      return (2 * heads * problem.n + problem.m) * D <= most_lanes;
    }
    case LoopedPath::linear_targets: return true;
    case LoopedPath::linear_all: return D <= 12;  // four matrices in the first-level cache
    case LoopedPath::attention_targets: return problem.model.layers * rows * rows <= most_lanes;
    default: return rows * D <= most_lanes;
  }
}

template <class L>
std::unique_ptr<LoopedEngine> make_looped_engine(const LoopedProblem& problem, LoopedPath path,
                                                 Team team = Team(1)) {
  switch (path) {
    case LoopedPath::linear_query: return std::make_unique<LinearQuery<L>>(problem, team);
    case LoopedPath::linear_keys: return std::make_unique<LinearKeys<L>>(problem);
    case LoopedPath::linear_targets: return std::make_unique<LinearTargets<L>>(problem, team);
    case LoopedPath::linear_all: return std::make_unique<LinearAll<L>>(problem, team);
    case LoopedPath::linear_causal: return std::make_unique<LinearCausal<L>>(problem);
    case LoopedPath::attention_targets: return std::make_unique<AttentionTargets<L>>(problem, team);
    default: return std::make_unique<AttentionRows<L>>(problem, team);
  }
}

/// On whose prompts a team works together.
inline std::unique_ptr<LoopedEngine> make_looped_engine(const LoopedProblem& problem,
                                                        Team team = Team(1)) {
  const LoopedPath path = choose_looped_path(problem);
  if (holds_prompts(problem, path)) return make_looped_engine<TasksInLanes>(problem, path, team);
  return make_looped_engine<ColumnsInLanes>(problem, path, team);
}

/// most() of its engine, without making one.
inline Index prompts_at_once(const LoopedProblem& problem) {
  return holds_prompts(problem, choose_looped_path(problem)) ? lane_width : 1;
}

/// Multiply-adds of one prompt, about: for how many threads it is worth while. Where so many threads share it,
/// those that one of them does.
inline double estimate_work(const LoopedProblem& problem, int threads = 1) {
  const LoopedModel& model = problem.model;
  const auto rows = static_cast<double>(problem.rows());
  const auto D = static_cast<double>(model.D);
  const auto moved = model.update == Update::all ? rows : static_cast<double>(problem.m);
  const auto maps =
      static_cast<double>(problem.T) * static_cast<double>(model.layers * model.heads);
  const auto prompts = static_cast<double>(prompts_at_once(problem));
  const auto shared = [&](double pass) {
    return pass / static_cast<double>(PromptParts::count_for(pass * prompts, threads));
  };
  switch (choose_looped_path(problem)) {
    case LoopedPath::linear_query: return shared(rows * D * D) + maps * moved * D * D;
    case LoopedPath::linear_keys: {
      const auto heads = static_cast<double>(model.layers * model.heads);
      return heads * 2 * rows * D * D + maps * moved * 2 * rows * D;
    }
    case LoopedPath::linear_targets: return shared(rows * D * D) + maps * 2 * D * D;
    case LoopedPath::linear_all: return 2 * shared(rows * D * D) + maps * 4 * D * D * D;
    case LoopedPath::linear_causal: return maps * rows * 4 * D * D;
    case LoopedPath::attention_targets:
      return shared(moved * rows * D) + maps * shared(4 * moved * rows) / 4;
    default: return maps * shared(moved * 2 * D * (rows + D));
  }
}

}  // namespace loopcore
