// AttentionRowsVjp: the reverse pass of AttentionRows, and so of every model of the family. Memory: the rows
// that move, before every layer of every loop, or as LoopRecord says; of each part that a team may share, n · 16
// weights and the adjoints of the keys.
#pragma once

#include <algorithm>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "loopcore/attend_vjp.hpp"
#include "loopcore/attention_rows.hpp"
#include "loopcore/loop_record.hpp"
#include "loopcore/looped_vjp_engine.hpp"
#include "loopcore/looped_weights.hpp"
#include "loopcore/outer_sum.hpp"
#include "loopcore/prompt_parts.hpp"
#include "loopcore/task_matrix.hpp"

namespace loopcore {

/// The rows that move, in at most 8 parts, for a prompt in each of so many elements.
inline PromptParts vjp_parts(const LoopedProblem& problem, Index tasks) {
  const LoopedModel& model = problem.model;
  const Index first = model.update == Update::query ? problem.n : 0;
  const Index work_a_row = 6 * model.heads * model.D * (problem.rows() + model.D) * tasks;
  return PromptParts(first, problem.rows(), AttendingRows::most, work_a_row, 8);
}

template <class L>
class AttentionRowsVjp final : public LoopedVjpEngine {
 public:
  explicit AttentionRowsVjp(const LoopedProblem& problem, Team team = Team(1))
      : problem_(problem),
        D_(problem.model.D),
        team_(team),
        parts_(vjp_parts(problem, L::tasks)),
        forward_(problem, team),
        first_(forward_.first_moving()),
        weights_(problem.model),
        transposed_(problem.model, Orientation::transposed),
        bars_(problem),
        record_(problem.T * problem.model.layers, forward_.state_size()),
        bar_(problem.rows() - first_, D_),
        next_(problem.rows() - first_, D_),
        panel_(panel_rows, D_) {
    for (Index k = 0; k < parts_.count(); ++k) {
      sums_.push_back(std::make_unique<Sums>(problem.model, forward_.keys_count()));
    }
  }

  Index most() const override { return L::tasks; }

  void run(std::span<const Prompt> prompts, std::span<const Prompt> bars, WeightBars weights,
           LoopedVjpSink& sink, Stop& stop) override {
    open(prompts, bars, stop);
    const Index layers = problem_.model.layers;
    record_.reverse(
        Loop{forward_, layers, stop},
        [&](Index step, const double* state) {
          forward_.assign(state);
          undo(step / layers, step % layers, sink, stop);
        },
        stop);
    if (stop.raised()) return;
    write(sink);
    add_to(weights);
  }

 private:
  /// What the rows of one part add up to.
  struct Sums : Aligned {
    Sums(const LoopedModel& model, Index keys)
        : attend(model.attention, model.D, keys),
          v(AttendingRows::most, model.D),
          skip_bar(model.D) {
      for (Index h = 0; h < model.layers * model.heads; ++h) {
        P_bar.emplace_back(model.D);
        Q_bar.emplace_back(model.D);
      }
    }

    void open() {
      attend.open();
      for (OuterSum<L>& sum : P_bar) sum.open();
      for (OuterSum<L>& sum : Q_bar) sum.open();
      skip_bar.open();
    }

    AttendVjp<L> attend;
    TaskMatrix<L> v;                 // (most, D)
    std::vector<OuterSum<L>> P_bar;  // a layer and head
    std::vector<OuterSum<L>> Q_bar;
    OuterSum<L> skip_bar;
    Lane eta_bar = Lane::zero();  // of one layer of one loop
  };

  /// The forward pass as LoopRecord drives it.
  struct Loop {
    AttentionRows<L>& forward;
    Index layers;
    Stop& stop;

    void advance(Index step) { forward.step(step / layers, step % layers, stop); }
    void save(double* to) const { std::copy_n(forward.state(), forward.state_size(), to); }
    void load(const double* state) { forward.assign(state); }
  };

  void open(std::span<const Prompt> prompts, std::span<const Prompt> bars, Stop& stop) {
    forward_.open(prompts, stop);
    bars_.open(bars);
    for (Index i = first_; i < problem_.rows(); i += panel_rows) {
      bars_.read(i, std::min(panel_rows, problem_.rows() - i), bar_.row(i - first_));
    }
    for (const auto& sums : sums_) sums->open();
  }

  /// One layer of one loop, from λ' (bar_) to λ.
  void undo(Index t, Index layer, LoopedVjpSink& sink, Stop& stop) {
    const Lane eta = forward_.prompts().eta(t, layer);
    const auto undo_part = [&](PromptPart part, int, Stop& inner) {
      Sums& sums = *sums_[static_cast<std::size_t>(part.number)];
      sums.eta_bar = Lane::zero();
      for (Index i = part.begin; i < part.end; i += AttendingRows::most) {
        const Index count = std::min(AttendingRows::most, part.end - i);
        undo_rows(sums, i, count, layer, eta);
        if (inner.after(6 * count * D_ * (forward_.keys_count() + D_) * L::tasks)) return;
      }
    };
    parts_.for_each(team_, undo_part, stop);
    if (stop.raised()) return;
    Lane eta_bar = Lane::zero();
    for (const auto& sums : sums_) {
      eta_bar = eta_bar + sums->eta_bar;
      if (first_ == 0) {
        sums->attend.add_keys(0, forward_.keys_count(), next_.row(0), next_.stride());
        sums->attend.clear_keys();
      } else if (forward_.keys_count() > first_) {  // the query sees, or counts, itself
        sums->attend.move_key(first_, next_.row(0));
      }
    }
    std::swap(bar_, next_);
    put_step(forward_.prompts(), t, layer, L::sum(eta_bar), sink);
  }

  /// Undoes `count` rows from row i on, but for what they receive as keys.
  void undo_rows(Sums& sums, Index i, Index count, Index layer, Lane eta) {
    const TaskMatrix<L>& z = forward_.z();
    const Index to = i - first_;
    // z·skip:  λ = λ' skipᵀ,  skip̄ += zᵀ λ'
    if (weights_.has_skip()) {
      multiply(bar_.left(to), transposed_.skip().template right<L>(), count, D_, L::lanes(D_),
               next_.row(to), next_.stride());
    } else {
      std::copy_n(bar_.row(to), count * bar_.stride(), next_.row(to));
    }
    for (Index r = 0; r < count; ++r) sums.skip_bar.add(z.row(i + r), bar_.row(to + r));
    const AttendingRows rows = attending_rows(problem_, i, count, nullptr);
    for (Index h = 0; h < problem_.model.heads; ++h) {
      undo_head(sums, i, rows, layer, h, eta);
    }
  }

  void undo_head(Sums& sums, Index i, const AttendingRows& rows, Index layer, Index h, Lane eta) {
    auto& [attend, v, P_bar, Q_bar, skip_bar, eta_bar] = sums;
    const TaskMatrix<L>& z = forward_.z();
    const Index to = i - first_;
    const Index count = rows.count;
    const auto head = static_cast<std::size_t>(layer * problem_.model.heads + h);
    attend.begin(count);
    // u = z Q, and next ← next − η a P:  v = λ' Pᵀ,  ā = −η v
    multiply(z.left(i), weights_.Q(layer, h).template right<L>(), count, D_, L::lanes(D_),
             attend.u(0), z.stride());
    multiply_rows(bar_, to, count, transposed_.P(layer, h).template right<L>(), D_, v);
    for (Index r = 0; r < count; ++r) {
      double* const a_bar = attend.a_bar(r);
      for (Index c = 0; c < L::lanes(D_); ++c) (-eta * v.lane(r, c)).store(a_bar + c * lane_width);
    }
    attend(forward_.keys(), rows);
    // η̄ += −a·v,  P̄ += −η aᵀ λ',  Q̄ += zᵀ ū,  λ += ū Qᵀ
    for (Index r = 0; r < count; ++r) {
      double* const a = attend.a(r);
      for (Index c = 0; c < L::lanes(D_); ++c) {
        const Lane a_c = Lane::load(a + c * lane_width);
        eta_bar = madd(-a_c, v.lane(r, c), eta_bar);
        (-eta * a_c).store(a + c * lane_width);
      }
      P_bar[head].add(a, bar_.row(to + r));
      Q_bar[head].add(z.row(i + r), attend.u_bar(r));
    }
    const typename L::Left u_bar{attend.u_bar(0), z.stride(), L::left_stride};
    multiply(u_bar, transposed_.Q(layer, h).template right<L>(), count, D_, L::lanes(D_),
             next_.row(to), next_.stride(), true);
  }

  /// Z̄(0): of the context that stays, Z̄(T) and what it receives as keys; of the others, what is left.
  void write(LoopedVjpSink& sink) {
    for (Index begin = 0; begin < first_; begin += panel_rows) {
      const Index count = std::min(panel_rows, first_ - begin);
      bars_.read(begin, count, panel_.row(0));
      for (const auto& sums : sums_) {
        sums->attend.add_keys(begin, count, panel_.row(0), panel_.stride());
      }
      for (Index i = 0; i < count; ++i) bars_.write(panel_.row(i), begin + i, 0, sink);
    }
    for (Index i = first_; i < problem_.rows(); ++i) bars_.write(bar_.row(i - first_), i, 0, sink);
  }

  void add_to(WeightBars weights) {
    const Index tasks = bars_.count();
    for (const auto& sums : sums_) {
      for (std::size_t h = 0; h < sums->P_bar.size(); ++h) {
        sums->P_bar[h].add_to(weights.P + static_cast<Index>(h) * D_ * D_, tasks);
        sums->Q_bar[h].add_to(weights.Q + static_cast<Index>(h) * D_ * D_, tasks);
      }
      sums->skip_bar.add_to(weights.skip, tasks);
    }
  }

  const LoopedProblem& problem_;
  Index D_;
  Team team_;
  PromptParts parts_;  // of the rows that move
  AttentionRows<L> forward_;
  Index first_;  // row that moves
  LoopedWeights weights_;
  LoopedWeights transposed_;
  PromptRows<L> bars_;
  LoopRecord record_;
  TaskMatrix<L> bar_;                        // (n + m − first, D), λ'
  TaskMatrix<L> next_;                       // (n + m − first, D), λ
  TaskMatrix<L> panel_;                      // (panel_rows, D)
  std::vector<std::unique_ptr<Sums>> sums_;  // a part
};

}  // namespace loopcore
