// Solver: T loops of a few tasks on the planned path, with their steps, inside the range of double.
#pragma once

#include <algorithm>
#include <array>
#include <memory>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "loopcore/batch.hpp"
#include "loopcore/engine.hpp"
#include "loopcore/gram.hpp"
#include "loopcore/least_squares.hpp"
#include "loopcore/packed.hpp"
#include "loopcore/plan.hpp"
#include "loopcore/range.hpp"
#include "loopcore/steps.hpp"
#include "loopcore/stop.hpp"
#include "loopcore/stream.hpp"
#include "loopcore/types.hpp"

namespace loopcore {

/// What the tasks of one batch have in common.
struct Problem {
  Index n = 0;
  Index d = 0;
  Index T = 0;
  std::vector<Index> at;  // sorted loops, 0 … T, after which q is wanted
  StepKind kind = StepKind::lambda_max;
  bool mean = false;  // divide XᵀX and Xᵀy by n
  Path path = Path::automatic;
  double epsilon = 0x1p-52;  // of the type of X, for its rank

  Path planned_path() const {
    const bool only_end = at.size() == 1 && at[0] == T;
    return choose_path(path, n, d, T, kind, only_end);
  }
  bool needs_smallest_eigenvalue() const {
    return kind == StepKind::optimal || kind == StepKind::chebyshev;
  }
  bool needs_largest_eigenvalue() const {
    return kind == StepKind::lambda_max || needs_smallest_eigenvalue();
  }
};

/// h_t / η_t: what a given step is multiplied by where the loop is on XᵀX and Xᵀy as they are.
inline double step_factor(const Problem& p) {
  return p.mean ? 1.0 / static_cast<double>(std::max<Index>(p.n, 1)) : 1.0;
}

/// η_t for the tasks as scaled, where the caller gives them.
inline Steps given_steps(const Problem& p, std::span<const StepInput> inputs,
                         const Scaling* scalings) {
  const double factor = step_factor(p);
  if (p.kind == StepKind::schedule) {
    std::array<VectorView, lane_width> schedules;
    for (std::size_t t = 0; t < inputs.size(); ++t) schedules[t] = inputs[t].schedule;
    return Steps::scheduled(schedules.data(), static_cast<Index>(inputs.size()), factor, scalings);
  }
  // Elements without a task repeat the first one, so that they settle with it.
  Lane eta = Lane::broadcast(scalings[0].eta(factor * inputs[0].eta));
  for (std::size_t t = 1; t < inputs.size(); ++t) {
    eta.set(static_cast<Index>(t), scalings[t].eta(factor * inputs[t].eta));
  }
  return Steps::constant(eta);
}

/// The engine of the planned path, whose parts a team may share.
inline std::unique_ptr<Engine> make_engine(const Problem& p, const Team& team) {
  const Path path = p.planned_path();
  const bool finds_step = p.needs_largest_eigenvalue();
  if (path == Path::stream) return std::make_unique<Stream>(p.n, p.d, finds_step, team);
  if (is_packed(p.n, p.d)) {
    if (p.d == 4) return std::make_unique<Packed<4>>(p.n, p.d, path, finds_step);  // the paper's d
    return std::make_unique<Packed<0>>(p.n, p.d, path, finds_step);
  }
  return std::make_unique<Gram>(p.n, p.d, path, uses_dual(p.n, p.d, p.kind), finds_step, team);
}

class Solver : public Aligned {
 public:
  /// Both must outlive the solver.
  Solver(const Problem& problem, const Team& team)
      : problem_(problem), engine_(make_engine(problem, team)) {
    if (problem.kind == StepKind::chebyshev && problem.n > 0) {
      nodes_ = chebyshev_nodes(problem.T);
    }
    if (problem.needs_smallest_eigenvalue()) {
      least_squares_.emplace(problem.n, problem.d, problem.epsilon);
    }
    row_ = Buffer(std::max<Index>(problem.d, 1));
  }

  /// Runs some tasks, at most a lane of them, as many together as the engine takes. Nothing is promised
  /// of what was recorded if the run was stopped.
  void operator()(std::span<const Task> tasks, std::span<const StepInput> inputs, Readout& readout,
                  Stop& stop) {
    for (std::size_t first = 0; first < tasks.size() && !stop.raised();) {
      const auto count = static_cast<std::size_t>(engine_->take(tasks.subspan(first)));
      run(tasks.subspan(first, count), inputs.subspan(first, count), static_cast<Index>(first),
          readout, stop);
      first += count;
    }
  }

 private:
  using Scalings = std::array<Scaling, lane_width>;

  /// Tasks that run together, number `first` and on.
  void run(std::span<const Task> tasks, std::span<const StepInput> inputs, Index first,
           Readout& readout, Stop& stop) {
    Scalings scalings{};
    if (!sum_up(tasks, scalings, stop)) return;
    if (problem_.T > 0 && find_scalings(tasks, scalings)) {
      if (tasks.size() > 1 && !is_packed(problem_.n, problem_.d)) {
        // On one X, of which they need different scalings: one by one.
        for (std::size_t t = 0; t < tasks.size() && !stop.raised(); ++t) {
          run(tasks.subspan(t, 1), inputs.subspan(t, 1), first + static_cast<Index>(t), readout,
              stop);
        }
        return;
      }
      if (!sum_up(tasks, scalings, stop)) return;
    }
    const Steps steps = make_steps(tasks, inputs, scalings, stop);
    if (stop.raised()) return;
    const auto count = static_cast<Index>(tasks.size());
    engine_->prepare(stop);
    if (stop.raised()) return;
    readout.open(*engine_, first, count, stop);
    Index t = 0;
    for (std::size_t k = 0; k < problem_.at.size(); ++k) {
      if (problem_.n > 0 && problem_.d > 0) {  // otherwise nothing moves
        engine_->advance(t, problem_.at[k], steps, stop);
      }
      t = problem_.at[k];
      if (stop.raised()) return;
      readout.record(*engine_, static_cast<Index>(k), first, count);
      if (stop.after(count * problem_.d * std::min(problem_.n, problem_.d))) return;
    }
  }

  /// The contexts as scaled, and their largest eigenvalues. False if stopped.
  bool sum_up(std::span<const Task> tasks, const Scalings& scalings, Stop& stop) {
    engine_->open(tasks, scalings.data(), stop);
    if (!stop.raised() && problem_.needs_largest_eigenvalue()) {
      lambda_max_ = engine_->lambda_max(stop);
    }
    return !stop.raised();
  }

  /// Finds a scaling for the tasks that left the range of double. False where there is none.
  bool find_scalings(std::span<const Task> tasks, Scalings& scalings) {
    auto safe = engine_->in_range();
    if (problem_.needs_largest_eigenvalue()) safe = safe & in_safe_range(lambda_max_);
    if (!any(~safe)) return false;
    const Lane is_safe = select(safe, Lane::broadcast(1), Lane::zero());
    bool found = false;
    for (std::size_t t = 0; t < tasks.size(); ++t) {
      if (is_safe[static_cast<Index>(t)] != 0) continue;
      scalings[t] = find_scaling(tasks[t], row_.data());
      found = found || !scalings[t].is_identity();
    }
    return found;
  }

  /// η_t for the tasks as scaled.
  Steps make_steps(std::span<const Task> tasks, std::span<const StepInput> inputs,
                   const Scalings& scalings, Stop& stop) {
    const Lane zero = Lane::zero();
    switch (problem_.kind) {
      case StepKind::given:
      case StepKind::schedule: return given_steps(problem_, inputs, scalings.data());
      case StepKind::lambda_max:
        return Steps::constant(select(lambda_max_ <= zero, zero, Lane::broadcast(1) / lambda_max_));
      default: break;
    }
    Lane lambda_min = lambda_max_;
    for (std::size_t t = 0; t < tasks.size() && !stop.raised(); ++t) {
      const auto element = static_cast<Index>(t);
      const Spectrum spectrum = find_spectrum(tasks[t], stop);
      const double smallest = spectrum.rescaled(spectrum.lambda_min, scalings[t].x);
      lambda_min.set(element, std::min(smallest, lambda_max_[element]));
    }
    if (problem_.kind == StepKind::chebyshev) {
      return Steps::chebyshev(lambda_min, lambda_max_, nodes_.data());
    }
    return Steps::constant(
        select(lambda_max_ <= zero, zero, Lane::broadcast(2) / (lambda_min + lambda_max_)));
  }

  /// Of X, which several tasks in a row may have in common.
  const Spectrum& find_spectrum(const Task& task, Stop& stop) {
    if (!(spectrum_X_ && *spectrum_X_ == task.X)) spectrum_ = least_squares_->spectrum(task, stop);
    spectrum_X_ = task.X;
    return spectrum_;
  }

  const Problem& problem_;
  std::unique_ptr<Engine> engine_;
  std::optional<LeastSquares> least_squares_;
  std::vector<double> nodes_;             // (T,), for Chebyshev steps
  Buffer row_;                            // (d,)
  Lane lambda_max_ = Lane::zero();        // of XᵀX as scaled, where the steps come from it
  std::optional<MatrixView> spectrum_X_;  // whose spectrum was found last
  Spectrum spectrum_;
};

}  // namespace loopcore
