// KeySums: S = Σ_j z_j z_jᵀ over the keys, all that linear attention sees of them.
#pragma once

#include <algorithm>
#include <vector>

#include "loopcore/looped_weights.hpp"
#include "loopcore/prompt_parts.hpp"
#include "loopcore/prompt_rows.hpp"
#include "loopcore/stop.hpp"
#include "loopcore/task_matrix.hpp"

namespace loopcore {

template <class L>
class KeySums {
 public:
  /// Of the first `keys` rows of D numbers, which a team shares.
  KeySums(Index keys, Index D, Team team = Team(1))
      : D_(D), team_(team), parts_(0, keys, panel_rows, D * D * L::tasks, most_parts(D)) {
    for (Index k = 0; k < parts_.count(); ++k) sums_.emplace_back(D, D);
    for (Index k = 0; k < parts_.workers(team); ++k) workers_.emplace_back(D);
  }

  /// S anew: of each part by panels, and then the parts in their order, with a carry. False if stopped.
  bool form(PromptRows<L>& prompts, Stop& stop) {
    parts_.for_each(
        team_,
        [&](PromptPart part, int thread, Stop& inner) { add_up(prompts, part, thread, inner); },
        stop);
    if (stop.raised()) return false;
    if (parts_.count() == 1) return true;
    TaskMatrix<L>& carry = workers_[0].carry;
    carry.fill(0);
    for (std::size_t k = 1; k < sums_.size(); ++k) add(sums_[k], S(), carry);
    settle(S(), carry);
    return true;
  }

  TaskMatrix<L>& S() { return sums_[0]; }  // (D, D)
  const TaskMatrix<L>& S() const { return sums_[0]; }

 private:
  struct Worker {
    explicit Worker(Index D) : panel(panel_rows, D), panel_sum(D, D), carry(D, D) {}

    TaskMatrix<L> panel;      // (panel_rows, D)
    TaskMatrix<L> panel_sum;  // (D, D)
    TaskMatrix<L> carry;      // (D, D), what rounding took from the sum
  };

  /// Enough for many threads, within 8 MiB for their sums.
  static Index most_parts(Index D) {
    return std::clamp<Index>((Index{1} << 20) / std::max<Index>(D * L::doubles(D), 1), 1, 64);
  }

  void add_up(PromptRows<L>& prompts, PromptPart part, int thread, Stop& stop) {
    Worker& worker = workers_[static_cast<std::size_t>(thread)];
    TaskMatrix<L>& sum = sums_[static_cast<std::size_t>(part.number)];
    sum.fill(0);
    worker.carry.fill(0);
    for (Index begin = part.begin; begin < part.end; begin += panel_rows) {
      const Index count = std::min(panel_rows, part.end - begin);
      prompts.read(begin, count, worker.panel.row(0), thread);
      multiply_symmetric(worker.panel.left().transposed(), worker.panel.right(), D_, count,
                         worker.panel_sum);
      add(worker.panel_sum, sum, worker.carry);
      if (stop.after(count * D_ * D_ * L::tasks)) return;
    }
    settle(sum, worker.carry);
  }

  /// total + carry ← total + carry + term, (D, D)
  void add(const TaskMatrix<L>& term, TaskMatrix<L>& total, TaskMatrix<L>& carry) const {
    for (Index j = 0; j < D_; ++j) {
      for (Index c = 0; c < L::lanes(D_); ++c) {
        Lane total_c = total.lane(j, c), carry_c = carry.lane(j, c);
        add_with_carry(term.lane(j, c), total_c, carry_c);
        total.put(j, c, total_c);
        carry.put(j, c, carry_c);
      }
    }
  }

  /// total ← total + carry
  void settle(TaskMatrix<L>& total, const TaskMatrix<L>& carry) const {
    for (Index j = 0; j < D_; ++j) {
      for (Index c = 0; c < L::lanes(D_); ++c) {
        total.put(j, c, total.lane(j, c) + carry.lane(j, c));
      }
    }
  }

  Index D_;
  Team team_;
  PromptParts parts_;
  std::vector<TaskMatrix<L>> sums_;  // (parts,) of (D, D), the first of which becomes S
  std::vector<Worker> workers_;
};

/// M = Σ_h Q_h S P_h of one layer, (D, D): the attention of a row z is z M. `product` is scratch, (D, D).
/// Incomplete if stopped.
template <class L>
void form_attention_map(const LoopedModel& model, const LoopedWeights& weights, Index layer,
                        const TaskMatrix<L>& S, TaskMatrix<L>& product, TaskMatrix<L>& M,
                        Stop* stop = nullptr) {
  const Index D = model.D;
  for (Index h = 0; h < model.heads; ++h) {
    multiply_rows(S, 0, D, weights.P(layer, h).template right<L>(), D, product, false, stop);
    const NumberFactor Q = weights.Q(layer, h).left();
    multiply(Q, product.right(), D, D, L::lanes(D), M.row(0), M.stride(), h > 0, stop);
  }
}

}  // namespace loopcore
