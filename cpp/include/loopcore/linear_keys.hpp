// LinearKeys: linear attention where only the queries move, by the rows of a short context: 2 n D a loop.
//
// S squares the condition number: with q near the solution, the rounding of S q is u ‖X‖² ‖q‖ in every
// direction, and that of Xᵀ(X q) only √λ u ‖X‖ ‖q‖ in the direction of the eigenvalue λ, where it stays.
#pragma once

#include <algorithm>
#include <vector>

#include "loopcore/keys.hpp"
#include "loopcore/query_loops.hpp"

namespace loopcore {

template <class L>
class LinearKeys final : public QueryLoops<L> {
 public:
  explicit LinearKeys(const LoopedProblem& problem)
      : QueryLoops<L>(problem, 2 * problem.model.heads * problem.n * problem.model.D),
        transposed_(problem.model, Orientation::transposed),
        rows_(problem.n, problem.model.D),
        scores_(std::min(panel_rows, problem.m), problem.n) {
    for (Index h = 0; h < problem.model.layers * problem.model.heads; ++h) {
      heads_.emplace_back(problem.n, problem.model.D);
    }
  }

 private:
  using QueryLoops<L>::D_;
  using QueryLoops<L>::problem_;

  /// The context of one head of one layer.
  struct Head {
    TaskMatrix<L> k;  // (n, D), Z Qᵀ
    Keys<L> keys;     // the same
    TaskMatrix<L> v;  // (n, D), Z P

    Head(Index n, Index D) : k(n, D), keys(n, D), v(n, D) {}
  };

  void form(Stop& stop) override {
    for (Index begin = 0; begin < problem_.n; begin += panel_rows) {
      const Index count = std::min(panel_rows, problem_.n - begin);
      this->prompts_.read(begin, count, rows_.row(begin));
    }
    const LoopedModel& model = problem_.model;
    for (Index h = 0; h < model.layers * model.heads; ++h) {
      Head& head = heads_[static_cast<std::size_t>(h)];
      const Index layer = h / model.heads;
      const Index number = h % model.heads;
      multiply_rows(rows_, 0, problem_.n, transposed_.Q(layer, number).template right<L>(), D_,
                    head.k);
      head.keys.assign(head.k.row(0), problem_.n, head.k.stride());
      multiply_rows(rows_, 0, problem_.n, this->weights_.P(layer, number).template right<L>(), D_,
                    head.v);
      if (stop.after(2 * problem_.n * D_ * D_ * L::tasks)) return;
    }
  }

  /// attended ← Σ_h (z K_hᵀ) V_h with K = Z Qᵀ and V = Z P of the context
  void attend(Index layer, const TaskMatrix<L>& z, Index i, Index count,
              TaskMatrix<L>& attended) override {
    const Index n = problem_.n;
    for (Index h = 0; h < problem_.model.heads; ++h) {
      const Head& head = heads_[static_cast<std::size_t>(layer * problem_.model.heads + h)];
      multiply(z.left(i), head.keys.columns(0), count, D_, L::lanes(n), scores_.row(0),
               scores_.stride());
      multiply(scores_.left(), head.v.right(), count, n, L::lanes(D_), attended.row(0),
               attended.stride(), h > 0);
    }
  }

  LoopedWeights transposed_;
  std::vector<Head> heads_;  // layers · heads of them
  TaskMatrix<L> rows_;       // (n, D)
  TaskMatrix<L> scores_;     // (min(panel_rows, m), n)
};

}  // namespace loopcore
