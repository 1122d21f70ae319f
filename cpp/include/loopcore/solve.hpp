// Solver: T loops of one task on the planned path, with its steps, inside the range of double.
#pragma once

#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "loopcore/gram.hpp"
#include "loopcore/least_squares.hpp"
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
};

class Solver {
 public:
  explicit Solver(Problem problem) : problem_(std::move(problem)) {
    const Problem& p = problem_;
    if (choose_path(p.path, p.n, p.d, p.T, p.kind) == Path::stream) {
      stream_ = std::make_unique<Stream>(p.d);
    } else {
      gram_ = std::make_unique<Gram>(p.n, p.d, uses_dual(p.n, p.d, p.kind));
    }
    if (p.kind == StepKind::chebyshev) nodes_ = chebyshev_nodes(p.T);
    if (needs_smallest_eigenvalue())
      least_squares_ = std::make_unique<LeastSquares>(p.n, p.d, p.epsilon);
    row_ = Buffer(p.d);
  }

  /// record(k, q) for each k, with q, (d,), as it is after at[k] loops. Nothing is promised of what was
  /// recorded if the run was stopped.
  template <class Record>
  void operator()(const Task& task, const StepInput& input, Stop& stop, Record&& record) {
    if (run(task, input, {}, stop, record) || stop.raised()) return;
    run(task, input, find_scaling(task, row_.data()), stop, record);
  }

 private:
  bool steps_need_eigenvalues() const {
    return problem_.kind == StepKind::lambda_max || needs_smallest_eigenvalue();
  }
  bool needs_smallest_eigenvalue() const {
    return problem_.kind == StepKind::optimal || problem_.kind == StepKind::chebyshev;
  }

  template <class Record>
  bool run(const Task& task, const StepInput& input, const Scaling& scaling, Stop& stop,
           Record& record) {
    return stream_ ? run_stream(task, input, scaling, stop, record)
                   : run_gram(task, input, scaling, stop, record);
  }

  /// False where the task must be run again, scaled.
  template <class Record>
  bool run_gram(const Task& task, const StepInput& input, const Scaling& scaling, Stop& stop,
                Record& record) {
    gram_->form(task, scaling, stop);
    if (stop.raised()) return true;
    if (!gram_->in_range() && scaling.is_identity() &&
        !find_scaling(task, row_.data()).is_identity()) {
      return false;
    }
    const auto lambda_max = [&] { return gram_->lambda_max(stop); };
    const Steps steps = make_steps(task, input, scaling, lambda_max, stop);
    run_loops(*gram_, steps, stop, record, [](Index) { return true; });
    return true;
  }

  template <class Record>
  bool run_stream(const Task& task, const StepInput& input, const Scaling& scaling, Stop& stop,
                  Record& record) {
    const bool checks = scaling.is_identity() && problem_.T > 0;
    stream_->open(task, scaling);
    const auto left_range = [&](double largest) {
      return checks && !in_safe_range(largest) && !find_scaling(task, row_.data()).is_identity();
    };
    const auto lambda_max = [&] { return stream_->lambda_max(stop); };
    const Steps steps = make_steps(task, input, scaling, lambda_max, stop);
    if (steps_need_eigenvalues() && left_range(largest_eigenvalue_)) return false;
    return run_loops(*stream_, steps, stop, record,
                     [&](Index t) { return t > 0 || !left_range(stream_->largest_gradient()); });
  }

  /// The loops themselves. accept(t) is asked after loop t and ends the run where it is false.
  template <class Engine, class Record, class Accept>
  bool run_loops(Engine& engine, const Steps& steps, Stop& stop, Record& record, Accept&& accept) {
    Index t = 0;
    for (std::size_t k = 0; k < problem_.at.size(); ++k) {
      for (; t < problem_.at[k]; ++t) {
        engine.loop(steps(t), stop);
        if (stop.raised()) return true;
        if (!accept(t)) return false;
      }
      record(static_cast<Index>(k), engine.q());
    }
    return true;
  }

  /// η_t for the task as scaled. `lambda_max()` is that of the scaled XᵀX.
  template <class LambdaMax>
  Steps make_steps(const Task& task, const StepInput& input, const Scaling& scaling,
                   LambdaMax&& lambda_max, Stop& stop) {
    const double factor =
        problem_.mean ? 1.0 / static_cast<double>(std::max<Index>(problem_.n, 1)) : 1.0;
    switch (problem_.kind) {
      case StepKind::given: return Steps::constant(scaling.eta(factor * input.eta));
      case StepKind::schedule: return Steps::scheduled(input.schedule, factor, scaling);
      default: break;
    }
    largest_eigenvalue_ = lambda_max();
    if (largest_eigenvalue_ == 0) return Steps::constant(0);
    if (problem_.kind == StepKind::lambda_max) return Steps::constant(1 / largest_eigenvalue_);
    const Spectrum spectrum = least_squares_->spectrum(task, stop);
    const double smallest =
        std::min(spectrum.rescaled(spectrum.lambda_min, scaling.x), largest_eigenvalue_);
    if (problem_.kind == StepKind::optimal) {
      return Steps::constant(2 / (smallest + largest_eigenvalue_));
    }
    return Steps::chebyshev(smallest, largest_eigenvalue_, nodes_.data());
  }

  Problem problem_;
  std::unique_ptr<Stream> stream_;
  std::unique_ptr<Gram> gram_;
  std::unique_ptr<LeastSquares> least_squares_;
  std::vector<double> nodes_;      // (T,), for Chebyshev steps
  Buffer row_;                     // (d,)
  double largest_eigenvalue_ = 0;  // of XᵀX as scaled, where the steps come from it
};

}  // namespace loopcore
