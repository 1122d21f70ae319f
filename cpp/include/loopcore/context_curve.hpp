// ContextCurve: T loops of every prefix of a task: q(T) for each context length k = 0 … n.
#pragma once

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "loopcore/batch.hpp"
#include "loopcore/gram_prefixes.hpp"
#include "loopcore/packed_prefixes.hpp"
#include "loopcore/plan.hpp"
#include "loopcore/prefix_engine.hpp"
#include "loopcore/range.hpp"
#include "loopcore/solve.hpp"
#include "loopcore/steps.hpp"
#include "loopcore/stop.hpp"
#include "loopcore/types.hpp"

namespace loopcore {

/// One task of a batch, and what has to be known of it before its prefixes are run.
struct Context {
  Index number = 0;  // in the batch
  Task task;
  StepInput steps;
  Scaling scaling;
  // The first row that is not zero in X, that is not in y, and that is not finite in either; n where there
  // is none.
  Index first_x = 0;
  Index first_y = 0;
  Index first_not_finite = 0;
};

/// Reads X and y once. They are scaled by their largest finite entries: a NaN or an Inf in some row says
/// nothing about the prefixes before it. `row` holds max(1, d) doubles.
inline Context look_at(Index number, const Task& task, const StepInput& steps, double* row,
                       Stop& stop) {
  Context context{number, task, steps, {}, task.n, task.n, task.n};
  double largest_x = 0;
  double largest_y = 0;
  const auto look = [&](Index i, Index count, double& largest, Index& first) {
    for (Index k = 0; k < count; ++k) {
      const double magnitude = std::abs(row[k]);
      if (magnitude > 0) first = std::min(first, i);
      if (!(magnitude < std::numeric_limits<double>::infinity())) {
        context.first_not_finite = std::min(context.first_not_finite, i);
      } else if (magnitude > largest) {
        largest = magnitude;
      }
    }
  };
  for (Index i = 0; i < task.n && !stop.after(4 * task.d); ++i) {
    task.X.read_row(i, task.d, row);
    look(i, task.d, largest_x, context.first_x);
    task.y.read(i, 1, row);
    look(i, 1, largest_y, context.first_y);
  }
  context.scaling = {exponent_to_middle(largest_x), exponent_to_middle(largest_y)};
  return context;
}

/// What is done with the prefixes.
class CurveReadout : public Aligned {
 public:
  CurveReadout() = default;
  CurveReadout(const CurveReadout&) = delete;
  CurveReadout& operator=(const CurveReadout&) = delete;
  virtual ~CurveReadout() = default;

  /// q(T), (d,), of `count` prefixes from `first` on, one an element.
  virtual void record(const Context& context, Index first, Index count, const Lane* q) = 0;
};

/// The engine for prefixes of d columns.
inline std::unique_ptr<PrefixEngine> make_prefix_engine(const Problem& p) {
  const Path path = choose_prefix_path(p.d, p.T, p.kind);
  const bool finds_step = p.needs_largest_eigenvalue();
  if (!has_packed_prefixes(p.d)) return std::make_unique<GramPrefixes>(p.d, path, finds_step);
  if (p.d == 4) return std::make_unique<PackedPrefixes<4>>(p.d, path, finds_step);  // the paper's
  return std::make_unique<PackedPrefixes<0>>(p.d, path, finds_step);
}

/// For one thread. Steps are given, scheduled or 1 / λ_max of each prefix; the mean is that over its rows.
class ContextCurve : public Aligned {
 public:
  static constexpr Index panel_prefixes = panel_rows;

  /// For the first `prefixes` prefixes of tasks of (n, d), the empty one included. The problem must outlive
  /// this.
  ContextCurve(const Problem& problem, Index prefixes)
      : problem_(problem),
        prefixes_(prefixes),
        engine_(make_prefix_engine(problem)),
        total_(engine_->size_of_sums()),
        base_(engine_->size_of_sums()),
        q_(problem.d) {}

  Index size_of_sums() const { return engine_->size_of_sums(); }
  Index panels() const { return (prefixes_ + panel_prefixes - 1) / panel_prefixes; }

  /// All prefixes of one task.
  void operator()(const Context& context, CurveReadout& readout, Stop& stop) {
    open(context);
    total_.open();
    for (Index panel = 0; panel < panels() && !stop.raised(); ++panel) {
      total_.finish(base_.data());
      run(panel, base_.data(), total_.panel(), readout, stop);
      total_.close_panel();
    }
  }

  /// Panels of this task from now on, in any order. The context must stay.
  void open(const Context& context) {
    context_ = &context;
    engine_->open(context.task, context.scaling);
  }

  /// The sums over the rows of one panel alone, which are zero before.  sums (size_of_sums,)
  void sum_up(Index panel, double* sums, Stop& stop) {
    const double* nothing = base_.data();
    base_.fill(0);
    for_each_group(panel, [&](Index first, Index) {
      engine_->form(first, nothing, sums);
      return !stop.after(problem_.d * problem_.d * engine_->width());
    });
  }

  /// The prefixes of one panel. `base` are the sums over all panels before it, and `sums`, zero before, those
  /// over this one from then on.
  void run(Index panel, const double* base, double* sums, CurveReadout& readout, Stop& stop) {
    for_each_group(panel, [&](Index first, Index count) {
      const Lane* q = problem_.T == 0 ? start() : loop(first, count, base, sums, stop);
      if (stop.raised()) return false;
      readout.record(*context_, first, count, q);
      return !stop.after(problem_.d * problem_.d * engine_->width());
    });
  }

 private:
  /// do_group(first, count) for the prefixes of a panel that run together, until it is false.
  template <class DoGroup>
  void for_each_group(Index panel, DoGroup&& do_group) {
    const Index begin = panel * panel_prefixes;
    const Index end = std::min(begin + panel_prefixes, prefixes_);
    for (Index first = begin; first < end; first += engine_->width()) {
      if (!do_group(first, std::min(engine_->width(), end - first))) return;
    }
  }

  /// q(0), (d,)
  const Lane* start() {
    const VectorView& q0 = context_->task.q0;
    for (Index k = 0; k < problem_.d; ++k) {
      double value = 0;
      if (q0.data != nullptr) q0.read(k, 1, &value);
      q_[k] = Lane::broadcast(value);
    }
    return q_.data();
  }

  const Lane* loop(Index first, Index count, const double* base, double* sums, Stop& stop) {
    engine_->form(first, base, sums);
    engine_->start(stop);
    const Lane lambda_max =
        problem_.needs_largest_eigenvalue() ? engine_->lambda_max(stop) : Lane::zero();
    if (stop.raised()) return nullptr;
    const Lane* q = engine_->run(make_steps(first, lambda_max), problem_.T, stop);
    return stop.raised() ? nullptr : mend(first, count, q, stop);
  }

  /// η_t for the prefixes from `first` on, as scaled.
  Steps make_steps(Index first, Lane lambda_max) const {
    if (problem_.kind == StepKind::lambda_max) {
      const Lane zero = Lane::zero();
      return Steps::constant(select(lambda_max <= zero, zero, Lane::broadcast(1) / lambda_max));
    }
    Lane factor = Lane::broadcast(1);
    if (problem_.mean) {
      for (Index k = 0; k < lane_width; ++k) {
        const Index rows = std::clamp<Index>(first + k, 1, std::max<Index>(problem_.n, 1));
        factor.set(k, 1.0 / static_cast<double>(rows));
      }
    }
    if (problem_.kind == StepKind::schedule) {
      return Steps::scheduled(&context_->steps.schedule, 1, factor, &context_->scaling);
    }
    Lane eta = factor * Lane::broadcast(context_->steps.eta);
    for (Index k = 0; k < lane_width; ++k) eta.set(k, context_->scaling.eta(eta[k]));
    return Steps::constant(eta);
  }

  /// Prefixes of finite rows whose sums left the range of double, which the scale of the whole task could not
  /// help, are solved by themselves.
  const Lane* mend(Index first, Index count, const Lane* q, Stop& stop) {
    const Lane trace = engine_->trace();
    const Lane yy = engine_->yy();
    const Lane* result = q;
    for (Index k = 0; k < count; ++k) {
      const Index rows = first + k;
      const bool X_is = rows <= context_->first_x || in_safe_range(trace[k]);
      const bool y_is = rows <= context_->first_y || in_safe_range(yy[k]);
      if ((X_is && y_is) || rows > context_->first_not_finite) continue;
      if (result == q) std::copy_n(q, problem_.d, q_.data());
      result = q_.data();
      solve(rows, k, stop);
      if (stop.raised()) return nullptr;
    }
    return result;
  }

  /// Element k of q ← q(T) of the prefix of so many rows, alone.
  void solve(Index rows, Index k, Stop& stop) {
    class Copy final : public Readout {
     public:
      Copy(Lane* q, Index d, Index k) : q_(q), d_(d), k_(k) {}
      void open(Engine&, Index, Index, Stop&) override {}
      void record(Engine& engine, Index, Index, Index) override {
        const Lane* q = engine.q();
        for (Index i = 0; i < d_; ++i) q_[i].set(k_, q[i][0]);
      }

     private:
      Lane* q_;
      Index d_;
      Index k_;
    };
    Problem problem = problem_;
    problem.n = rows;
    problem.at = {problem.T};
    problem.path = Path::automatic;
    Task task = context_->task;
    task.n = rows;
    const Team alone(1);
    Copy copy(q_.data(), problem.d, k);
    Solver solver(problem, alone);
    solver({&task, 1}, {&context_->steps, 1}, copy, stop);
  }

  const Problem& problem_;
  Index prefixes_;
  std::unique_ptr<PrefixEngine> engine_;
  const Context* context_ = nullptr;
  PanelSum total_;  // (size_of_sums,) over the panels so far
  Buffer base_;     // (size_of_sums,)
  Array<Lane> q_;   // (d,)
};

/// The panels of one long task over a team. First the sums of some panels each by itself, then, one after the
/// other, the base of each, then their loops: the same bits as one thread computes on its way.
class SharedCurve {
 public:
  /// make_readout() is called once on each thread that has work.
  template <class MakeReadout>
  SharedCurve(const Problem& problem, Index prefixes, const Team& team, MakeReadout make_readout)
      : team_(team), workers_(static_cast<std::size_t>(team.threads())) {
    make_worker_ = [&problem, prefixes, make_readout]() {
      return std::make_unique<Worker>(problem, prefixes, make_readout());
    };
    const ContextCurve& curve = worker(0).curve;
    size_ = curve.size_of_sums();
    panels_ = curve.panels();
    wave_ = std::min(panels_, std::max<Index>(4 * team.threads(), most_doubles / size_));
    sums_ = Buffer(wave_ * size_);
    total_.emplace(size_);
  }

  void operator()(const Context& context, Stop& stop) {
    for (auto& worker : workers_) {
      if (worker) worker->is_open = false;
    }
    total_->open();
    for (Index begin = 0; begin < panels_ && !stop.raised(); begin += wave_) {
      const Index count = std::min(wave_, panels_ - begin);
      sums_.fill(0);
      const auto sum_up = [&](Index item, int thread, Stop& inner) {
        open(thread, context).curve.sum_up(begin + item, sums(item), inner);
      };
      team_.for_each(count, sum_up, stop);
      for (Index item = 0; item < count; ++item) add_up(sums(item));
      const auto run = [&](Index item, int thread, Stop& inner) {
        Worker& worker = open(thread, context);
        worker.sums.fill(0);
        worker.curve.run(begin + item, sums(item), worker.sums.data(), *worker.readout, inner);
      };
      team_.for_each(count, run, stop);
    }
  }

 private:
  static constexpr Index most_doubles = Index{1} << 22;

  struct Worker : Aligned {
    Worker(const Problem& problem, Index prefixes, std::unique_ptr<CurveReadout> readout_in)
        : curve(problem, prefixes), readout(std::move(readout_in)), sums(curve.size_of_sums()) {}

    ContextCurve curve;
    std::unique_ptr<CurveReadout> readout;
    Buffer sums;  // (size_of_sums,)
    bool is_open = false;
  };

  double* sums(Index item) { return sums_.data() + item * size_; }

  Worker& worker(int thread) {
    auto& worker = workers_[static_cast<std::size_t>(thread)];
    if (!worker) worker = make_worker_();
    return *worker;
  }

  Worker& open(int thread, const Context& context) {
    Worker& opened = worker(thread);
    if (!opened.is_open) opened.curve.open(context);
    opened.is_open = true;
    return opened;
  }

  /// total ← total + sums, and `sums` becomes what total was.
  void add_up(double* sums) {
    std::copy_n(sums, size_, total_->panel());
    total_->finish(sums);
    total_->close_panel();
  }

  const Team& team_;
  std::function<std::unique_ptr<Worker>()> make_worker_;
  std::vector<std::unique_ptr<Worker>> workers_;
  Index size_ = 0;
  Index panels_ = 0;
  Index wave_ = 0;  // panels that are summed up, and then run, together
  Buffer sums_;     // (wave, size_of_sums)
  std::optional<PanelSum> total_;
};

/// Runs the first `prefixes` prefixes of every task, over at most `threads` threads: many tasks one a thread,
/// a few long ones by panels. get(number, task, steps) sets a task; make_readout() makes the readout of a
/// thread. Which thread computes a prefix has no influence on its bits.
template <class Get, class MakeReadout>
void run_context_curves(const Problem& problem, Index prefixes, Index tasks, int threads,
                        StopFlag& flag, Get&& get, MakeReadout&& make_readout) {
  if (tasks == 0 || prefixes == 0) return;
  const auto context_of = [&](Index number, double* row, Stop& stop) {
    Task task;
    StepInput steps;
    get(number, task, steps);
    return look_at(number, task, steps, row, stop);
  };
  const double work = estimate_prefix_cost(problem.d, problem.T, problem.kind)
                          .of(choose_prefix_path(problem.d, problem.T, problem.kind));
  const Index panels = (prefixes + ContextCurve::panel_prefixes - 1) / ContextCurve::panel_prefixes;
  const int useful =
      useful_threads(threads, tasks * panels,
                     work * static_cast<double>(std::min(prefixes, ContextCurve::panel_prefixes)));
  if (useful > 1 && panels > 1 && tasks < 4 * Index{useful}) {
    const Team team(useful);
    SharedCurve curve(problem, prefixes, team, make_readout);
    Buffer row(std::max<Index>(problem.d, 1));
    Stop stop(flag, true);
    for (Index number = 0; number < tasks && !stop.raised(); ++number) {
      const Context context = context_of(number, row.data(), stop);
      curve(context, stop);
    }
    return;
  }
  const auto make_worker = [&](int) {
    return [&context_of, curve = std::make_unique<ContextCurve>(problem, prefixes),
            readout = make_readout(),
            row = Buffer(std::max<Index>(problem.d, 1))](Index number, Stop& stop) mutable {
      const Context context = context_of(number, row.data(), stop);
      (*curve)(context, *readout, stop);
    };
  };
  for_each_task(tasks, static_cast<int>(std::min<Index>(useful, tasks)), flag, make_worker);
}

}  // namespace loopcore
