// AttentionMapVjp: undoes form_attention_map, M = Σ_h Q_h S P_h, and KeySums, S = Σ_j z_j z_jᵀ.
#pragma once

#include <vector>

#include "loopcore/looped_vjp_engine.hpp"
#include "loopcore/looped_weights.hpp"
#include "loopcore/task_matrix.hpp"

namespace loopcore {

template <class L>
class AttentionMapVjp {
 public:
  explicit AttentionMapVjp(const LoopedModel& model)
      : D_(model.D),
        heads_(model.heads),
        weights_(model),
        transposed_(model, Orientation::transposed),
        product_(D_, D_),
        X_(D_, D_) {
    for (Index h = 0; h < heads_; ++h) SPT_.emplace_back(D_, D_);
    for (Index h = 0; h < model.layers * heads_; ++h) {
      P_bar_.emplace_back(D_, D_);
      Q_bar_.emplace_back(D_, D_);
    }
  }

  const LoopedWeights& weights() const { return weights_; }
  const LoopedWeights& transposed() const { return transposed_; }

  /// From zero.
  void open() {
    for (TaskMatrix<L>& P_bar : P_bar_) P_bar.fill(0);
    for (TaskMatrix<L>& Q_bar : Q_bar_) Q_bar.fill(0);
  }

  /// M = Σ_h Q_h S P_h of one layer; incomplete if stopped, as undo() is
  void form(Index layer, const TaskMatrix<L>& S, TaskMatrix<L>& M, Stop& stop) {
    for (Index h = 0; h < heads_; ++h) {
      multiply_rows(S, 0, D_, weights_.P(layer, h).template right<L>(), D_, product_, false, &stop);
      multiply(weights_.Q(layer, h).left(), product_.right(), D_, D_, L::lanes(D_), M.row(0),
               M.stride(), h > 0, &stop);
      transpose(product_, D_, SPT_[static_cast<std::size_t>(h)]);
    }
  }

  /// With X_h = Q_hᵀ M̄, after form() of that layer:
  /// P̄_h += S X_h,  Q̄_h += M̄ (S P_h)ᵀ,  H += Y + Yᵀ with Y = Σ_h X_h P_hᵀ, S̄ + S̄ᵀ of a symmetric S
  void undo(Index layer, const TaskMatrix<L>& S, const TaskMatrix<L>& M_bar, TaskMatrix<L>& H,
            Stop& stop) {
    for (Index h = 0; h < heads_; ++h) {
      const auto head = static_cast<std::size_t>(layer * heads_ + h);
      multiply(transposed_.Q(layer, h).left(), M_bar.right(), D_, D_, L::lanes(D_), X_.row(0),
               X_.stride(), false, &stop);
      multiply_rows(S, 0, D_, X_.right(), D_, P_bar_[head], true, &stop);
      multiply_rows(M_bar, 0, D_, SPT_[static_cast<std::size_t>(h)].right(), D_, Q_bar_[head], true,
                    &stop);
      multiply_rows(X_, 0, D_, transposed_.P(layer, h).template right<L>(), D_, product_, h > 0,
                    &stop);
    }
    transpose(product_, D_, X_);
    for (Index j = 0; j < D_; ++j) {
      for (Index c = 0; c < L::lanes(D_); ++c) {
        H.put(j, c, H.lane(j, c) + (product_.lane(j, c) + X_.lane(j, c)));
      }
    }
  }

  /// Adds the sums over the first `tasks` tasks.
  void add_to(WeightBars weights, Index tasks) {
    for (std::size_t h = 0; h < P_bar_.size(); ++h) {
      add_tasks(P_bar_[h], D_, tasks, weights.P + static_cast<Index>(h) * D_ * D_);
      add_tasks(Q_bar_[h], D_, tasks, weights.Q + static_cast<Index>(h) * D_ * D_);
    }
  }

 private:
  Index D_;
  Index heads_;
  LoopedWeights weights_;
  LoopedWeights transposed_;
  TaskMatrix<L> product_;             // (D, D)
  TaskMatrix<L> X_;                   // (D, D)
  std::vector<TaskMatrix<L>> SPT_;    // (D, D) a head: (S P_h)ᵀ
  std::vector<TaskMatrix<L>> P_bar_;  // (D, D) a layer and head
  std::vector<TaskMatrix<L>> Q_bar_;
};

}  // namespace loopcore
