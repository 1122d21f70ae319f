// KeySums: S = Σ_j z_j z_jᵀ over the keys, all that linear attention sees of them.
#pragma once

#include <algorithm>

#include "loopcore/looped_weights.hpp"
#include "loopcore/prompt_rows.hpp"
#include "loopcore/stop.hpp"
#include "loopcore/task_matrix.hpp"

namespace loopcore {

template <class L>
class KeySums {
 public:
  explicit KeySums(Index D)
      : D_(D), panel_(panel_rows, D), panel_sum_(D, D), S_(D, D), carry_(D, D) {}

  /// S of the first `keys` rows, summed by panels, with a carry. False if stopped.
  bool form(PromptRows<L>& prompts, Index keys, Stop& stop) {
    S_.fill(0);
    carry_.fill(0);
    for (Index begin = 0; begin < keys; begin += panel_rows) {
      const Index count = std::min(panel_rows, keys - begin);
      prompts.read(begin, count, panel_.row(0));
      multiply_symmetric(panel_.left().transposed(), panel_.right(), D_, count, panel_sum_);
      for (Index j = 0; j < D_; ++j) {
        for (Index c = 0; c < L::lanes(D_); ++c) {
          Lane total = S_.lane(j, c), carry = carry_.lane(j, c);
          add_with_carry(panel_sum_.lane(j, c), total, carry);
          S_.put(j, c, total);
          carry_.put(j, c, carry);
        }
      }
      if (stop.after(count * D_ * D_ * L::tasks)) return false;
    }
    for (Index j = 0; j < D_; ++j) {
      for (Index c = 0; c < L::lanes(D_); ++c) S_.put(j, c, S_.lane(j, c) + carry_.lane(j, c));
    }
    return true;
  }

  TaskMatrix<L>& S() { return S_; }  // (D, D)
  const TaskMatrix<L>& S() const { return S_; }

 private:
  Index D_;
  TaskMatrix<L> panel_;      // (panel_rows, D)
  TaskMatrix<L> panel_sum_;  // (D, D)
  TaskMatrix<L> S_;          // (D, D)
  TaskMatrix<L> carry_;      // (D, D), what rounding took from it
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
