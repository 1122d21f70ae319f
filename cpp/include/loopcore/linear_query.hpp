// LinearQuery: linear attention where only the queries move: S is fixed, and a loop costs D².
#pragma once

#include <vector>

#include "loopcore/key_sums.hpp"
#include "loopcore/query_loops.hpp"

namespace loopcore {

template <class L>
class LinearQuery final : public QueryLoops<L> {
 public:
  explicit LinearQuery(const LoopedProblem& problem, Team team = Team(1))
      : QueryLoops<L>(problem, problem.model.D * problem.model.D, team),
        sums_(problem.n, problem.model.D, team),
        product_(problem.model.D, problem.model.D) {
    for (Index layer = 0; layer < problem.model.layers; ++layer) {
      M_.emplace_back(problem.model.D, problem.model.D);
    }
  }

  const TaskMatrix<L>& S() const { return sums_.S(); }  // (D, D)
  const TaskMatrix<L>& M(Index layer) const {           // (D, D)
    return M_[static_cast<std::size_t>(layer)];
  }

 private:
  using QueryLoops<L>::D_;
  using QueryLoops<L>::problem_;

  void form(Stop& stop) override {
    if (!sums_.form(this->prompts_, stop)) return;
    for (Index layer = 0; layer < problem_.model.layers; ++layer) {
      form_attention_map(problem_.model, this->weights_, layer, sums_.S(), product_,
                         M_[static_cast<std::size_t>(layer)], &stop);
      if (stop.after(2 * problem_.model.heads * D_ * D_ * D_ * L::tasks)) return;
    }
  }

  /// attended ← z M
  void attend(Index layer, const TaskMatrix<L>& z, Index i, Index count,
              TaskMatrix<L>& attended) override {
    multiply_rows(z, i, count, M(layer).right(), D_, attended);
  }

  KeySums<L> sums_;
  std::vector<TaskMatrix<L>> M_;  // (D, D) a layer: Σ_h Q_h S P_h
  TaskMatrix<L> product_;         // (D, D)
};

}  // namespace loopcore
