// LinearQuery: linear attention where only the queries move: S is fixed, and a loop costs D².
#pragma once

#include <algorithm>
#include <span>
#include <utility>
#include <vector>

#include "loopcore/key_sums.hpp"
#include "loopcore/looped_engine.hpp"
#include "loopcore/looped_weights.hpp"
#include "loopcore/task_matrix.hpp"

namespace loopcore {

template <class L>
class LinearQuery final : public LoopedEngine {
 public:
  explicit LinearQuery(const LoopedProblem& problem)
      : problem_(problem),
        D_(problem.model.D),
        weights_(problem.model),
        prompts_(problem),
        sums_(D_),
        product_(D_, D_),
        z_(problem.m, D_),
        attended_(problem.m, D_),
        kept_(problem.m, D_) {
    for (Index layer = 0; layer < problem.model.layers; ++layer) M_.emplace_back(D_, D_);
  }

  Index most() const override { return L::tasks; }

  void open(std::span<const Prompt> prompts, Stop& stop) override {
    prompts_.open(prompts);
    if (!sums_.form(prompts_, problem_.n, stop)) return;
    for (Index layer = 0; layer < problem_.model.layers; ++layer) {
      form_attention_map(problem_.model, weights_, layer, sums_.S(), product_,
                         M_[static_cast<std::size_t>(layer)], &stop);
      if (stop.after(2 * problem_.model.heads * D_ * D_ * D_ * L::tasks)) return;
    }
    for (Index i = 0; i < problem_.m; i += panel_rows) {
      prompts_.read(problem_.n + i, std::min(panel_rows, problem_.m - i), z_.row(i));
    }
  }

  void advance(Index begin, Index end, Stop& stop) override {
    for (Index t = begin; t < end; ++t) {
      for (Index layer = 0; layer < problem_.model.layers; ++layer) {
        step(t, layer);
        if (stop.after(problem_.m * D_ * D_ * L::tasks)) return;
      }
    }
  }

  /// One layer of one loop.
  void step(Index t, Index layer) { move(layer, prompts_.eta(t, layer)); }

  TaskMatrix<L>& z() { return z_; }                     // (m, D)
  const TaskMatrix<L>& S() const { return sums_.S(); }  // (D, D)
  const TaskMatrix<L>& M(Index layer) const {           // (D, D)
    return M_[static_cast<std::size_t>(layer)];
  }
  PromptRows<L>& prompts() { return prompts_; }

  void write(Index k, RowSink& sink, Stop& stop) override {
    prompts_.write_unmoved(problem_.first_wanted(), problem_.n, k, sink, stop);
    for (Index i = 0; i < problem_.m; ++i) prompts_.write(z_.row(i), problem_.n + i, k, sink);
  }

 private:
  /// z ← z·skip − η z M, and for a query that sees itself − η Σ_h (z Q_h zᵀ) z P_h
  void move(Index layer, Lane eta) {
    multiply_rows(z_, 0, problem_.m, M_[static_cast<std::size_t>(layer)].right(), D_, attended_);
    if (problem_.model.mask != Mask::context) attend_to_itself(layer);
    if (weights_.has_skip()) {
      multiply_rows(z_, 0, problem_.m, weights_.skip().template right<L>(), D_, kept_);
      std::swap(z_, kept_);
    }
    for (Index r = 0; r < problem_.m; ++r) {
      for (Index c = 0; c < L::lanes(D_); ++c) {
        z_.put(r, c, madd(-eta, attended_.lane(r, c), z_.lane(r, c)));
      }
    }
  }

  /// attended ← attended + Σ_h (z Q_h zᵀ) z P_h, for the one query
  void attend_to_itself(Index layer) {
    for (Index h = 0; h < problem_.model.heads; ++h) {
      multiply_rows(z_, 0, problem_.m, weights_.Q(layer, h).template right<L>(), D_, kept_);
      Lane score = Lane::zero();
      for (Index c = 0; c < L::lanes(D_); ++c) score = madd(kept_.lane(0, c), z_.lane(0, c), score);
      score = L::sum(score);
      multiply_rows(z_, 0, problem_.m, weights_.P(layer, h).template right<L>(), D_, kept_);
      for (Index c = 0; c < L::lanes(D_); ++c) {
        attended_.put(0, c, madd(score, kept_.lane(0, c), attended_.lane(0, c)));
      }
    }
  }

  const LoopedProblem& problem_;
  Index D_;
  LoopedWeights weights_;
  PromptRows<L> prompts_;
  KeySums<L> sums_;
  std::vector<TaskMatrix<L>> M_;  // (D, D) a layer: Σ_h Q_h S P_h
  TaskMatrix<L> product_;         // (D, D)
  TaskMatrix<L> z_;               // (m, D)
  TaskMatrix<L> attended_;        // (m, D)
  TaskMatrix<L> kept_;            // (m, D)
};

}  // namespace loopcore
