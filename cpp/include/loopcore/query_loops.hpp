// QueryLoops: linear attention where only the queries move, whatever the context is kept as.
#pragma once

#include <algorithm>
#include <span>
#include <utility>

#include "loopcore/looped_engine.hpp"
#include "loopcore/looped_weights.hpp"
#include "loopcore/prompt_rows.hpp"
#include "loopcore/task_matrix.hpp"

namespace loopcore {

/// An engine form()s the context once and then attend()s to it in every loop.
template <class L>
class QueryLoops : public LoopedEngine {
 public:
  /// `work`: multiply-adds of one layer for one query. A team shares what is written.
  QueryLoops(const LoopedProblem& problem, Index work, Team team = Team(1))
      : problem_(problem),
        D_(problem.model.D),
        work_(work),
        team_(team),
        weights_(problem.model),
        prompts_(problem, team.threads()),
        z_(problem.m, D_),
        attended_(problem.m, D_),
        kept_(problem.m, D_) {}

  Index most() const override { return L::tasks; }

  void open(std::span<const Prompt> prompts, Stop& stop) override {
    prompts_.open(prompts);
    form(stop);
    if (stop.raised()) return;
    for (Index i = 0; i < problem_.m; i += panel_rows) {
      prompts_.read(problem_.n + i, std::min(panel_rows, problem_.m - i), z_.row(i));
    }
  }

  void advance(Index begin, Index end, Stop& stop) override {
    for (Index t = begin; t < end; ++t) {
      for (Index layer = 0; layer < problem_.model.layers; ++layer) {
        step(t, layer);
        if (stop.after(problem_.m * work_ * L::tasks)) return;
      }
    }
  }

  /// One layer of one loop.
  void step(Index t, Index layer) { move(layer, prompts_.eta(t, layer)); }

  TaskMatrix<L>& z() { return z_; }  // (m, D)
  PromptRows<L>& prompts() { return prompts_; }

  void write(Index k, RowSink& sink, Stop& stop) override {
    prompts_.write_unmoved(problem_.first_wanted(), problem_.n, k, sink, stop, team_);
    if (stop.raised()) return;
    for (Index i = 0; i < problem_.m; ++i) prompts_.write(z_.row(i), problem_.n + i, k, sink);
  }

 protected:
  /// Forms what attend() needs of the context.
  virtual void form(Stop& stop) = 0;

  /// attended ← Σ_h Σ_{j ≤ n} (z Q_h·z_j) z_j P_h for all queries
  virtual void attend(Index layer, const TaskMatrix<L>& z, TaskMatrix<L>& attended) = 0;

  const LoopedProblem& problem_;
  Index D_;
  Index work_;
  Team team_;
  LoopedWeights weights_;
  PromptRows<L> prompts_;

 private:
  /// z ← z·skip − η Σ_h Attn(z; Q_h, P_h)
  void move(Index layer, Lane eta) {
    attend(layer, z_, attended_);
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

  TaskMatrix<L> z_;         // (m, D)
  TaskMatrix<L> attended_;  // (m, D)
  TaskMatrix<L> kept_;      // (m, D)
};

}  // namespace loopcore
