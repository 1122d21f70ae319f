// Stream: attention and state update fused, one pass over X per loop. It needs no memory but q and g,
// and never squares the condition number: the path for few loops, and for the last digits.
#pragma once

#include <algorithm>
#include <memory>
#include <optional>
#include <vector>

#include "loopcore/batch.hpp"
#include "loopcore/engine.hpp"
#include "loopcore/lambda_max.hpp"
#include "loopcore/rows.hpp"

namespace loopcore {

class Stream final : public Engine {
 public:
  /// For tasks of (n, d), whose rows a team shares; `finds_step` where lambda_max() will be asked.
  Stream(Index n, Index d, bool finds_step, const Team& team)
      : n_(n),
        d_(d),
        team_(team),
        q_(padded(d)),
        g_(padded(d)),
        chunks_((n + chunk_rows - 1) / chunk_rows),
        sums_(chunks_ * padded(d)),
        total_(d),
        lanes_(d) {
    if (finds_step) lambda_max_.emplace(d);
    const Index workers = std::min<Index>(team.threads(), std::max<Index>(chunks_, 1));
    for (Index k = 0; k < workers; ++k) workers_.push_back(std::make_unique<Worker>(d));
  }

  Index take(std::span<const Task>) const override { return 1; }

  /// The first pass over X is made here: its gradient tells whether the range is left.
  void open(std::span<const Task> tasks, const Scaling* scalings, Stop& stop) override {
    task_ = tasks[0];
    alpha_ = scalings[0].alpha(task_.alpha);
    factor_y_ = std::ldexp(1.0, scalings[0].y);
    for (auto& worker : workers_) worker->reader.open(task_.X, d_, scalings[0].x);
    q_.fill(0);
    if (task_.q0.data != nullptr) task_.q0.read(0, d_, q_.data());
    pass(q_.data(), &task_.y, g_.data(), stop);
    has_gradient_ = true;
  }

  Lane::Comparison in_range() const override {
    return in_safe_range(Lane::broadcast(largest_magnitude(g_.data(), d_)));
  }

  Lane lambda_max(Stop& stop) override {
    const double lambda =
        (*lambda_max_)([&](const double* v, double* w) { pass(v, nullptr, w, stop); }, stop);
    return Lane::broadcast(lambda);
  }

  void advance(Index begin, Index end, const Steps& steps, Stop& stop) override {
    for (Index t = begin; t < end && !stop.raised(); ++t) {
      if (!has_gradient_) pass(q_.data(), &task_.y, g_.data(), stop);
      has_gradient_ = false;
      const double eta = steps(t)[0];
      for (Index k = 0; k < d_; ++k) q_[k] = madd(-eta, g_[k], q_[k]);
    }
  }

  const Lane* q() override {
    for (Index k = 0; k < d_; ++k) lanes_[k] = Lane::broadcast(q_[k]);
    return lanes_.data();
  }
  const Lane* state() override { return q(); }
  void to_basis(Lane*) override {}

 private:
  // Rows that one thread sums up at a time: many panels, and few enough for all threads to have some.
  static constexpr Index chunk_rows = 16 * panel_rows;

  struct Worker {
    explicit Worker(Index d) : reader(d), sum(d) {}
    RowReader reader;
    PanelSum sum;
  };

  /// g = Σ_i r_i x_i with r_i = ⟨x_i, q⟩ + α y_i, or without y, XᵀX q. The rows' chunks are summed by
  /// whoever is free, and added in their order.
  void pass(const double* q, const VectorView* y, double* g, Stop& stop) {
    team_.for_each(
        chunks_,
        [&](Index chunk, int thread, Stop& inner) {
          Worker& worker = *workers_[static_cast<std::size_t>(thread)];
          add_chunk(worker, chunk, q, y, chunks_ == 1 ? g : &sums_[chunk * padded(d_)], inner);
        },
        stop);
    if (chunks_ == 1 || stop.raised()) return;
    total_.open();
    for (Index chunk = 0; chunk < chunks_; ++chunk) {
      std::copy_n(&sums_[chunk * padded(d_)], padded(d_), total_.panel());
      total_.close_panel();
    }
    total_.finish(g);
  }

  /// Each row is used twice while it is at hand.
  void add_chunk(Worker& worker, Index chunk, const double* q, const VectorView* y, double* g,
                 Stop& stop) {
    worker.sum.open();
    const Index last = std::min(n_, (chunk + 1) * chunk_rows);
    for (Index begin = chunk * chunk_rows; begin < last; begin += panel_rows) {
      const Index end = std::min(begin + panel_rows, last);
      double* panel = worker.sum.panel();
      worker.reader.for_each(begin, end, [&](auto R, Index i, const double* const* x) {
        double r[R];
        dot_rows<R>(x, d_, q, r);
        if (y != nullptr) {
          double targets[R];
          y->read(i, R, targets);
          for (Index k = 0; k < R; ++k) r[k] = madd(alpha_, factor_y_ * targets[k], r[k]);
        }
        add_rows<R>(x, d_, r, panel, worker.reader.from_row(i));
      });
      worker.sum.close_panel();
      if (stop.after(2 * (end - begin) * d_)) return;
    }
    worker.sum.finish(g);
  }

  Index n_;
  Index d_;
  const Team& team_;
  Buffer q_;  // (d,)
  Buffer g_;  // (d,)
  Index chunks_;
  Buffer sums_;     // (chunks, d)
  PanelSum total_;  // (d,)
  std::vector<std::unique_ptr<Worker>> workers_;
  Array<Lane> lanes_;  // (d,) q for those who read it
  std::optional<LambdaMax> lambda_max_;
  Task task_;
  double alpha_ = 0;
  double factor_y_ = 1;
  bool has_gradient_ = false;
};

}  // namespace loopcore
