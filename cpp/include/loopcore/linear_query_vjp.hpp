// LinearQueryVjp: the reverse pass of LinearQuery, D² a loop whatever n is. Memory: the queries before every
// layer of every loop, or as LoopRecord says.
#pragma once

#include <algorithm>
#include <span>
#include <utility>
#include <vector>

#include "loopcore/attention_map_vjp.hpp"
#include "loopcore/linear_query.hpp"
#include "loopcore/loop_record.hpp"
#include "loopcore/looped_vjp_engine.hpp"
#include "loopcore/outer_sum.hpp"
#include "loopcore/task_matrix.hpp"

namespace loopcore {

template <class L>
class LinearQueryVjp final : public LoopedVjpEngine {
 public:
  explicit LinearQueryVjp(const LoopedProblem& problem)
      : problem_(problem),
        D_(problem.model.D),
        forward_(problem),
        bars_(problem),
        map_(problem.model),
        record_(problem.T * problem.model.layers, problem.m * L::doubles(D_)),
        bar_(problem.m, D_),
        next_(problem.m, D_),
        v_(problem.m, D_),
        scaled_(1, D_),
        zP_(1, D_),
        zQ_(1, D_),
        M_(D_, D_),
        H_(D_, D_),
        panel_(panel_rows, D_),
        bar_panel_(panel_rows, D_),
        skip_bar_(D_) {
    const LoopedModel& model = problem.model;
    for (Index layer = 0; layer < model.layers; ++layer) {
      MT_.emplace_back(D_, D_);
      M_bar_.emplace_back(D_);
    }
    if (!sees_itself()) return;
    for (Index h = 0; h < model.layers * model.heads; ++h) {
      P_bar_.emplace_back(D_);
      Q_bar_.emplace_back(D_);
    }
  }

  Index most() const override { return L::tasks; }

  void run(std::span<const Prompt> prompts, std::span<const Prompt> bars, WeightBars weights,
           LoopedVjpSink& sink, Stop& stop) override {
    open(prompts, bars, stop);
    if (stop.raised()) return;
    const Index layers = problem_.model.layers;
    Loop loop{forward_, layers, problem_.m, stop};
    record_.reverse(
        loop,
        [&](Index step, const double* state) {
          loop.load(state);
          undo(step / layers, step % layers, sink);
          stop.after(4 * problem_.m * D_ * D_ * L::tasks);
        },
        stop);
    if (stop.raised()) return;
    undo_maps(stop);
    write(sink, stop);
    add_to(weights);
  }

 private:
  /// The forward pass as LoopRecord drives it.
  struct Loop {
    LinearQuery<L>& forward;
    Index layers;
    Index m;
    Stop& stop;

    Index size() const { return m * forward.z().stride(); }
    void advance(Index step) { forward.step(step / layers, step % layers, stop); }
    void save(double* to) const { std::copy_n(forward.z().row(0), size(), to); }
    void load(const double* from) { std::copy_n(from, size(), forward.z().row(0)); }
  };

  bool sees_itself() const { return problem_.model.mask != Mask::context; }

  void open(std::span<const Prompt> prompts, std::span<const Prompt> bars, Stop& stop) {
    forward_.open(prompts, stop);
    bars_.open(bars);
    for (Index i = 0; i < problem_.m; i += panel_rows) {
      bars_.read(problem_.n + i, std::min(panel_rows, problem_.m - i), bar_.row(i));
    }
    map_.open();
    for (Index layer = 0; layer < problem_.model.layers; ++layer) {
      const auto l = static_cast<std::size_t>(layer);
      M_.assign(forward_.M(layer));
      transpose(M_, D_, MT_[l]);
      M_bar_[l].open();
    }
    for (OuterSum<L>& P_bar : P_bar_) P_bar.open();
    for (OuterSum<L>& Q_bar : Q_bar_) Q_bar.open();
    skip_bar_.open();
  }

  /// z ← z·skip − η z M:  with v = λ' Mᵀ,  λ = λ' skipᵀ − η v,  η̄ = −z·v,  M̄ += −η zᵀ λ',
  /// skip̄ += zᵀ λ'
  void undo(Index t, Index layer, LoopedVjpSink& sink) {
    const auto l = static_cast<std::size_t>(layer);
    const Lane eta = forward_.prompts().eta(t, layer);
    const TaskMatrix<L>& z = forward_.z();
    multiply_rows(bar_, 0, problem_.m, MT_[l].right(), D_, v_);
    if (map_.weights().has_skip()) {
      multiply_rows(bar_, 0, problem_.m, map_.transposed().skip().template right<L>(), D_, next_);
    } else {
      next_.assign(bar_);
    }
    Lane eta_bar = Lane::zero();
    for (Index r = 0; r < problem_.m; ++r) {
      for (Index c = 0; c < L::lanes(D_); ++c) {
        eta_bar = madd(-z.lane(r, c), v_.lane(r, c), eta_bar);
        next_.put(r, c, madd(-eta, v_.lane(r, c), next_.lane(r, c)));
        scaled_.put(0, c, -eta * bar_.lane(r, c));
      }
      M_bar_[l].add(z.row(r), scaled_.row(0));
      skip_bar_.add(z.row(r), bar_.row(r));
    }
    eta_bar = L::sum(eta_bar);
    if (sees_itself()) {
      for (Index h = 0; h < problem_.model.heads; ++h) undo_itself(layer, h, eta, eta_bar);
    }
    std::swap(bar_, next_);
    put_step(forward_.prompts(), t, layer, eta_bar, sink);
  }

  /// z ← … − η s z P with s = z Q zᵀ of one head, for the one query. With b = −η s̄ = λ'·(z P):
  /// λ += −η (s λ' Pᵀ + b z (Q + Qᵀ)),  η̄ += −s b,  P̄ += −η s zᵀ λ',  Q̄ += −η b zᵀ z
  void undo_itself(Index layer, Index h, Lane eta, Lane& eta_bar) {
    const auto head = static_cast<std::size_t>(layer * problem_.model.heads + h);
    const TaskMatrix<L>& z = forward_.z();
    const Index lanes = L::lanes(D_);
    multiply_rows(z, 0, 1, map_.weights().P(layer, h).template right<L>(), D_, zP_);
    multiply_rows(z, 0, 1, map_.weights().Q(layer, h).template right<L>(), D_, zQ_);
    multiply_rows(bar_, 0, 1, map_.transposed().P(layer, h).template right<L>(), D_, v_);
    Lane s = Lane::zero();
    Lane b = Lane::zero();
    for (Index c = 0; c < lanes; ++c) {
      s = madd(zQ_.lane(0, c), z.lane(0, c), s);
      b = madd(zP_.lane(0, c), bar_.lane(0, c), b);
    }
    s = L::sum(s);
    b = L::sum(b);
    eta_bar = madd(-s, b, eta_bar);
    multiply_rows(z, 0, 1, map_.transposed().Q(layer, h).template right<L>(), D_, zP_);
    for (Index c = 0; c < lanes; ++c) {
      const Lane both = madd(s, v_.lane(0, c), b * (zQ_.lane(0, c) + zP_.lane(0, c)));
      next_.put(0, c, madd(-eta, both, next_.lane(0, c)));
    }
    const auto scale = [&](Lane factor) {
      for (Index c = 0; c < lanes; ++c) scaled_.put(0, c, factor * z.lane(0, c));
      return scaled_.row(0);
    };
    P_bar_[head].add(scale(-eta * s), bar_.row(0));
    Q_bar_[head].add(scale(-eta * b), z.row(0));
  }

  /// From all M̄ to P̄, Q̄ and H = S̄ + S̄ᵀ.
  void undo_maps(Stop& stop) {
    H_.fill(0);
    for (Index layer = 0; layer < problem_.model.layers; ++layer) {
      map_.form(layer, forward_.S(), M_, stop);
      map_.undo(layer, forward_.S(), M_bar_[static_cast<std::size_t>(layer)].sum(), H_, stop);
    }
  }

  /// z̄(0) = z̄(T) + z H of the context
  void write(LoopedVjpSink& sink, Stop& stop) {
    for (Index begin = 0; begin < problem_.n; begin += panel_rows) {
      const Index count = std::min(panel_rows, problem_.n - begin);
      forward_.prompts().read(begin, count, panel_.row(0));
      bars_.read(begin, count, bar_panel_.row(0));
      if (problem_.T > 0) {
        multiply_rows(panel_, 0, count, H_.right(), D_, bar_panel_, true);
      }
      for (Index i = 0; i < count; ++i) bars_.write(bar_panel_.row(i), begin + i, 0, sink);
      if (stop.after(count * D_ * D_ * L::tasks)) return;
    }
    for (Index i = 0; i < problem_.m; ++i) bars_.write(bar_.row(i), problem_.n + i, 0, sink);
  }

  void add_to(WeightBars weights) {
    const Index tasks = bars_.count();
    map_.add_to(weights, tasks);
    for (std::size_t h = 0; h < P_bar_.size(); ++h) {
      P_bar_[h].add_to(weights.P + static_cast<Index>(h) * D_ * D_, tasks);
      Q_bar_[h].add_to(weights.Q + static_cast<Index>(h) * D_ * D_, tasks);
    }
    skip_bar_.add_to(weights.skip, tasks);
  }

  const LoopedProblem& problem_;
  Index D_;
  LinearQuery<L> forward_;
  PromptRows<L> bars_;
  AttentionMapVjp<L> map_;
  LoopRecord record_;
  TaskMatrix<L> bar_;               // (m, D), λ'
  TaskMatrix<L> next_;              // (m, D), λ
  TaskMatrix<L> v_;                 // (m, D)
  TaskMatrix<L> scaled_;            // (1, D)
  TaskMatrix<L> zP_;                // (1, D), later z Qᵀ
  TaskMatrix<L> zQ_;                // (1, D)
  TaskMatrix<L> M_;                 // (D, D)
  TaskMatrix<L> H_;                 // (D, D)
  TaskMatrix<L> panel_;             // (panel_rows, D)
  TaskMatrix<L> bar_panel_;         // (panel_rows, D)
  std::vector<TaskMatrix<L>> MT_;   // (D, D) a layer: Mᵀ
  std::vector<OuterSum<L>> M_bar_;  // a layer
  std::vector<OuterSum<L>> P_bar_;  // a layer and head: of the query's attention to itself
  std::vector<OuterSum<L>> Q_bar_;
  OuterSum<L> skip_bar_;
};

}  // namespace loopcore
