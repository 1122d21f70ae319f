// LinearTargets: linear attention that moves only the targets: gradient descent on a weight vector. In the
// S-space of LinearAll only the last column of B, β, is not known beforehand: D² a loop.
//
// With G = Σ_h p_h Q_h, s the last column of skip, and S as it is before the first loop:
//     c = S β, without its last entry: the inputs against the targets as they stand
//     a = s − η G c        a row's target moves by  y ← z·a
//     β ← a_x + a_y β      and all rows together have  y(t) = z(0)·β
// c comes from β in each loop. Carried along instead, c ← S a + a_y c, its rounding errors add up: of random
// prompts at T = 200, the error was up to 330 times that of the literal loop.
#pragma once

#include <algorithm>
#include <span>
#include <utility>
#include <vector>

#include "loopcore/key_sums.hpp"
#include "loopcore/looped_engine.hpp"
#include "loopcore/prompt_parts.hpp"
#include "loopcore/task_matrix.hpp"

namespace loopcore {

template <class L>
class LinearTargets final : public LoopedEngine {
 public:
  explicit LinearTargets(const LoopedProblem& problem, Team team = Team(1))
      : problem_(problem),
        D_(problem.model.D),
        team_(team),
        written_(problem.first_wanted(), problem.rows(), panel_rows,
                 PromptParts::work_of_a_copy * D_ * L::tasks),
        stride_(padded(D_)),
        prompts_(problem, team.threads()),
        sums_(problem.visible(0), D_, team),
        GT_(problem.model.layers * D_ * stride_),
        s_(1, D_),
        a_(1, D_),
        c_(1, D_),
        beta_(1, D_) {
    for (Index k = 0; k < written_.workers(team); ++k) panels_.emplace_back(panel_rows, D_);
    const LoopedModel& model = problem.model;
    for (Index layer = 0; layer < model.layers; ++layer) {
      for (Index h = 0; h < model.heads; ++h) add_head(layer, layer * model.heads + h);
    }
    for (Index j = 0; j < D_; ++j) {
      for (Index t = 0; t < L::tasks; ++t) L::entry(s_.row(0), j, t) = model.skip[j * D_ + D_ - 1];
    }
  }

  Index most() const override { return L::tasks; }

  void open(std::span<const Prompt> prompts, Stop& stop) override {
    prompts_.open(prompts);
    has_moved_ = false;
    if (!sums_.form(prompts_, stop)) return;
    beta_.fill(0);
    for (Index t = 0; t < L::tasks; ++t) L::entry(beta_.row(0), D_ - 1, t) = 1;
  }

  void advance(Index begin, Index end, Stop& stop) override {
    for (Index t = begin; t < end; ++t) {
      for (Index layer = 0; layer < problem_.model.layers; ++layer) {
        move(layer, prompts_.eta(t, layer));
        has_moved_ = true;
        if (stop.after(2 * D_ * D_ * L::tasks)) return;
      }
    }
  }

  void write(Index k, RowSink& sink, Stop& stop) override {
    const auto write_part = [&](PromptPart part, int thread, Stop& inner) {
      TaskMatrix<L>& panel = panels_[static_cast<std::size_t>(thread)];
      for (Index begin = part.begin; begin < part.end; begin += panel_rows) {
        const Index count = std::min(panel_rows, part.end - begin);
        prompts_.read(begin, count, panel.row(0), thread);
        for (Index i = 0; i < count; ++i) {
          if (has_moved_) write_target(panel.row(i));
          prompts_.write(panel.row(i), begin + i, k, sink, thread);
        }
        if (inner.after(2 * count * D_ * L::tasks)) return;
      }
    };
    written_.for_each(team_, write_part, stop);
  }

 private:
  /// Gᵀ ← Gᵀ + p Qᵀ of one head
  void add_head(Index layer, Index head) {
    const double* Q = problem_.model.Q + head * D_ * D_;
    const double p = problem_.model.P[(head + 1) * D_ * D_ - 1];
    double* GT = GT_.data() + layer * D_ * stride_;
    for (Index j = 0; j < D_; ++j) {
      for (Index k = 0; k < D_; ++k)
        GT[k * stride_ + j] = madd(p, Q[j * D_ + k], GT[k * stride_ + j]);
    }
  }

  static void clear(double* v, Index k) {
    for (Index t = 0; t < L::tasks; ++t) L::entry(v, k, t) = 0;
  }
  void clear_target(double* v) const { clear(v, D_ - 1); }

  /// One loop of one layer; the formulas stand at the top.
  void move(Index layer, Lane eta) {
    const SharedMatrix GT{GT_.data() + layer * D_ * stride_, stride_};
    multiply_rows(beta_, 0, 1, sums_.S().right(), D_, c_);
    clear_target(c_.row(0));
    multiply_rows(c_, 0, 1, GT.template right<L>(), D_, a_);
    for (Index c = 0; c < L::lanes(D_); ++c) {
      a_.put(0, c, madd(-eta, a_.lane(0, c), s_.lane(0, c)));
    }
    const Lane a_y = a_.left()(0, D_ - 1);
    clear_target(a_.row(0));
    for (Index c = 0; c < L::lanes(D_); ++c) {
      beta_.put(0, c, madd(a_y, beta_.lane(0, c), a_.lane(0, c)));
    }
  }

  /// y ← z·β
  void write_target(double* z) {
    Lane sum = Lane::zero();
    for (Index c = 0; c < L::lanes(D_); ++c) {
      sum = madd(Lane::load(z + c * lane_width), beta_.lane(0, c), sum);
    }
    const Lane target = L::sum(sum);
    for (Index t = 0; t < L::tasks; ++t) L::entry(z, D_ - 1, t) = target[t];
  }

  const LoopedProblem& problem_;
  Index D_;
  Team team_;
  PromptParts written_;
  Index stride_;
  PromptRows<L> prompts_;
  KeySums<L> sums_;                    // S
  bool has_moved_ = false;             // until then rows are written as they came: 0 · NaN is not 0
  Buffer GT_;                          // (layers, D, stride), Gᵀ
  TaskMatrix<L> s_;                    // (1, D)
  TaskMatrix<L> a_;                    // (1, D), without its last entry
  TaskMatrix<L> c_;                    // (1, D), likewise
  TaskMatrix<L> beta_;                 // (1, D)
  std::vector<TaskMatrix<L>> panels_;  // a thread: (panel_rows, D)
};

}  // namespace loopcore
