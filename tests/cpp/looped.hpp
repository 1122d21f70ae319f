// Looped models by hand: random ones, the loop written out literally, and what the tests of the engines of the
// general family have in common.
#pragma once

#include <loopcore/batch.hpp>
#include <loopcore/lane_layout.hpp>
#include <loopcore/looped_engine.hpp>
#include <loopcore/looped_model.hpp>
#include <memory>
#include <span>
#include <vector>

#include "problem.hpp"

namespace loopcore::testing {

/// What a model is, but for its sizes and weights.
struct Variant {
  Attention attention = Attention::linear;
  Update update = Update::all;
  Mask mask = Mask::context;
  bool normalizes_all = false;
  bool targets = false;  // weights that move only the targets
  bool has_skip = false;
  bool mean = false;
  bool constant = false;  // one η for all loops
  bool only_queries = false;

  bool allows_queries() const { return mask == Mask::context && !normalizes_all; }
};

struct Sizes {
  Index D = 5;
  Index n = 9;
  Index m = 1;
  Index layers = 2;
  Index heads = 2;
  Index T = 3;
  Index prompts = 1;
};

/// How the tokens of a prompt lie in memory.
enum class Storage { packed, float32, columns, sparse, parts };

/// A random model with random prompts, whose iterates stay near 1. Its tokens are floats, exactly.
class LoopedCase {
 public:
  LoopedCase(const Variant& variant, const Sizes& sizes, unsigned seed = 0);
  LoopedCase(const LoopedCase&) = delete;
  LoopedCase& operator=(const LoopedCase&) = delete;

  loopcore::Prompt prompt(Index p, Storage storage = Storage::packed) const;
  std::vector<loopcore::Prompt> prompts() const;

  double& z(Index p, Index row, Index k) {
    return Z[static_cast<std::size_t>((p * problem.rows() + row) * problem.model.D + k)];
  }
  double& step(Index p, Index t) {
    return eta[static_cast<std::size_t>((p * problem.T + t) * problem.model.layers)];
  }

  Sizes sizes;
  Variant variant;
  std::vector<double> P, Q;  // (layers, heads, D, D)
  std::vector<double> skip;  // (D, D)
  std::vector<double> Z;     // (prompts, n + m, D)
  std::vector<double> eta;   // (prompts, T, layers)
  LoopedProblem problem;     // read out at 0, 1 and T

 private:
  void draw_weights(unsigned seed);
  void draw_prompts(unsigned seed);
  loopcore::Prompt prompt_in_parts(Index p) const;

  std::vector<float> floats_;    // Z
  std::vector<double> columns_;  // Z, each prompt's transposed
  std::vector<double> sparse_;   // Z, every third of which counts
  std::vector<double> targets_;  // the last column of Z
};

/// The rows that are wanted of one prompt, (K, rows, D).
template <class Real>
using Tokens = std::vector<Real>;

/// Z ← Z·skip − η Σ_h (M ∘ h(Z Q_h Zᵀ)) Z P_h, literally. Defined for double and long double.
template <class Real>
Tokens<Real> loop_literally(const LoopedCase& looped, Index p);

/// What an engine makes of prompts that it takes together.
std::vector<Tokens<double>> run(LoopedEngine& engine, const LoopedProblem& problem,
                                std::span<const loopcore::Prompt> prompts);

using MakeEngine = std::unique_ptr<LoopedEngine> (*)(const LoopedProblem&);

/// One engine in both layouts.
struct Layouts {
  MakeEngine tasks, columns;
};

template <template <class> class Engine>
constexpr Layouts layouts() {
  return {[](const LoopedProblem& problem) -> std::unique_ptr<LoopedEngine> {
            return std::make_unique<Engine<TasksInLanes>>(problem);
          },
          [](const LoopedProblem& problem) -> std::unique_ptr<LoopedEngine> {
            return std::make_unique<Engine<ColumnsInLanes>>(problem);
          }};
}

/// Likewise for a team, where one can share the work on a prompt.
using MakeTeamEngine = std::unique_ptr<LoopedEngine> (*)(const LoopedProblem&, Team);

struct TeamLayouts {
  MakeTeamEngine tasks, columns;
};

template <template <class> class Engine>
constexpr TeamLayouts team_layouts() {
  return {[](const LoopedProblem& problem, Team team) -> std::unique_ptr<LoopedEngine> {
            return std::make_unique<Engine<TasksInLanes>>(problem, team);
          },
          [](const LoopedProblem& problem, Team team) -> std::unique_ptr<LoopedEngine> {
            return std::make_unique<Engine<ColumnsInLanes>>(problem, team);
          }};
}

/// The largest error of all rows that are wanted, in units of max(u, that of the literal loop in double).
double error(LoopedEngine& engine, const LoopedCase& looped);

/// Every variant, with and without skip, mean, schedules, heads, layers and several queries, at sizes
/// around the width of a lane, with as few prompts and as many as it holds.
void check_against_literal(Layouts layouts, std::span<const Variant> variants);
/// Every variant at sizes that are worked on in parts.
void check_large(Layouts layouts, std::span<const Variant> variants, const Sizes& sizes);
/// A prompt has the same bits alone, beside others and at any place.
void check_company(Layouts layouts, std::span<const Variant> variants);
/// How a prompt lies in memory changes no bit.
void check_storage(Layouts layouts, std::span<const Variant> variants);
/// What is not finite stays in its own prompt, and what nobody sees in its own row.
void check_containment(Layouts layouts, std::span<const Variant> variants);
/// A raised stop ends the loops.
void check_stop(Layouts layouts, std::span<const Variant> variants);
/// The loops allocate nothing.
void check_allocations(Layouts layouts, std::span<const Variant> variants);
/// A prompt large enough for a team to share has the same bits for any team, and what goes wrong in one thread, or
/// a raised stop, ends the work of all. Nothing is allocated.
void check_team(TeamLayouts layouts, std::span<const Variant> variants, const Sizes& sizes);

}  // namespace loopcore::testing
