// LinearCausal: linear attention where row i attends to the rows up to itself: S is a running sum over the
// rows, and a loop costs n D².
#pragma once

#include <algorithm>
#include <span>

#include "loopcore/looped_engine.hpp"
#include "loopcore/looped_weights.hpp"
#include "loopcore/task_matrix.hpp"

namespace loopcore {

template <class L>
class LinearCausal final : public LoopedEngine {
 public:
  explicit LinearCausal(const LoopedProblem& problem)
      : problem_(problem),
        D_(problem.model.D),
        weights_(problem.model),
        prompts_(problem),
        S_(D_, D_),
        z_(problem.rows(), D_),
        scored_(1, D_),
        summed_(1, D_),
        attended_(1, D_) {}

  Index most() const override { return L::tasks; }

  void open(std::span<const Prompt> prompts, Stop& stop) override {
    prompts_.open(prompts);
    prompts_.read_all(z_.row(0), stop);
  }

  void advance(Index begin, Index end, Stop& stop) override {
    for (Index t = begin; t < end; ++t) {
      for (Index layer = 0; layer < problem_.model.layers; ++layer) {
        const Lane eta = prompts_.eta(t, layer);
        S_.fill(0);
        for (Index i = 0; i < problem_.rows(); ++i) {
          move(i, layer, eta);
          if (stop.after(4 * D_ * D_ * L::tasks)) return;
        }
      }
    }
  }

  void write(Index k, RowSink& sink, Stop& stop) override {
    for (Index i = problem_.first_wanted(); i < problem_.rows(); ++i) {
      prompts_.write(z_.row(i), i, k, sink);
      if (stop.after(D_ * L::tasks)) return;
    }
  }

 private:
  /// S ← S + z zᵀ,  z ← z·skip − η Σ_h z Q_h S P_h
  void move(Index i, Index layer, Lane eta) {
    const Index lanes = L::lanes(D_);
    for (Index j = 0; j < D_; ++j) {
      const Lane z_j = z_.left(i)(0, j);
      for (Index c = 0; c < lanes; ++c) S_.put(j, c, madd(z_j, z_.lane(i, c), S_.lane(j, c)));
    }
    for (Index h = 0; h < problem_.model.heads; ++h) {
      multiply_rows(z_, i, 1, weights_.Q(layer, h).template right<L>(), D_, scored_);
      multiply_rows(scored_, 0, 1, S_.right(), D_, summed_);
      multiply_rows(summed_, 0, 1, weights_.P(layer, h).template right<L>(), D_, attended_, h > 0);
    }
    if (weights_.has_skip()) {
      multiply_rows(z_, i, 1, weights_.skip().template right<L>(), D_, scored_);
      std::copy_n(scored_.row(0), scored_.stride(), z_.row(i));
    }
    for (Index c = 0; c < lanes; ++c) {
      z_.put(i, c, madd(-eta, attended_.lane(0, c), z_.lane(i, c)));
    }
  }

  const LoopedProblem& problem_;
  Index D_;
  LoopedWeights weights_;
  PromptRows<L> prompts_;
  TaskMatrix<L> S_;         // (D, D)
  TaskMatrix<L> z_;         // (n + m, D)
  TaskMatrix<L> scored_;    // (1, D)
  TaskMatrix<L> summed_;    // (1, D)
  TaskMatrix<L> attended_;  // (1, D)
};

}  // namespace loopcore
