// QueryLoops: linear attention where only the queries move, whatever the context is kept as.
#pragma once

#include <algorithm>
#include <span>

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
        attended_(std::min(panel_rows, problem.m), D_),
        kept_(std::min(panel_rows, problem.m), D_) {}

  Index most() const override { return L::tasks; }

  void open(std::span<const Prompt> prompts, Stop& stop) override {
    prompts_.open(prompts);
    form(stop);
    if (stop.raised()) return;
    for (Index i = 0; i < problem_.m; i += panel_rows) {
      const Index count = std::min(panel_rows, problem_.m - i);
      prompts_.read(problem_.n + i, count, z_.row(i));
      if (stop.after(count * D_ * L::tasks)) return;
    }
  }

  void advance(Index begin, Index end, Stop& stop) override {
    for (Index t = begin; t < end; ++t) {
      for (Index layer = 0; layer < problem_.model.layers; ++layer) {
        step(t, layer, stop);
        if (stop.raised()) return;
      }
    }
  }

  /// One layer of one loop. Incomplete if stopped.
  void step(Index t, Index layer, Stop& stop) {
    const Lane eta = prompts_.eta(t, layer);
    for (Index i = 0; i < problem_.m; i += panel_rows) {
      const Index count = std::min(panel_rows, problem_.m - i);
      move(layer, i, count, eta);
      if (stop.after(count * work_ * L::tasks)) return;
    }
  }

  TaskMatrix<L>& z() { return z_; }  // (m, D)
  PromptRows<L>& prompts() { return prompts_; }

  void write(Index k, RowSink& sink, Stop& stop) override {
    prompts_.write_unmoved(problem_.first_wanted(), problem_.n, k, sink, stop, team_);
    if (stop.raised()) return;
    for (Index i = 0; i < problem_.m; ++i) {
      prompts_.write(z_.row(i), problem_.n + i, k, sink);
      if (stop.after(D_ * L::tasks)) return;
    }
  }

 protected:
  /// Forms what attend() needs of the context.
  virtual void form(Stop& stop) = 0;

  /// attended ← Σ_h Σ_{j ≤ n} (z Q_h·z_j) z_j P_h for `count` queries from the query i on, ≤ panel_rows
  virtual void attend(Index layer, const TaskMatrix<L>& z, Index i, Index count,
                      TaskMatrix<L>& attended) = 0;

  const LoopedProblem& problem_;
  Index D_;
  Index work_;
  Team team_;
  LoopedWeights weights_;
  PromptRows<L> prompts_;

 private:
  /// z ← z·skip − η Σ_h Attn(z; Q_h, P_h) for `count` queries from the query i on
  void move(Index layer, Index i, Index count, Lane eta) {
    attend(layer, z_, i, count, attended_);
    if (problem_.model.mask != Mask::context) attend_to_itself(layer);
    if (weights_.has_skip()) {
      multiply_rows(z_, i, count, weights_.skip().template right<L>(), D_, kept_);
      std::copy_n(kept_.row(0), count * kept_.stride(), z_.row(i));
    }
    for (Index r = 0; r < count; ++r) {
      for (Index c = 0; c < L::lanes(D_); ++c) {
        z_.put(i + r, c, madd(-eta, attended_.lane(r, c), z_.lane(i + r, c)));
      }
    }
  }

  /// attended ← attended + Σ_h (z Q_h zᵀ) z P_h, for the one query
  void attend_to_itself(Index layer) {
    for (Index h = 0; h < problem_.model.heads; ++h) {
      multiply_rows(z_, 0, 1, weights_.Q(layer, h).template right<L>(), D_, kept_);
      Lane score = Lane::zero();
      for (Index c = 0; c < L::lanes(D_); ++c) score = madd(kept_.lane(0, c), z_.lane(0, c), score);
      score = L::sum(score);
      multiply_rows(z_, 0, 1, weights_.P(layer, h).template right<L>(), D_, kept_);
      for (Index c = 0; c < L::lanes(D_); ++c) {
        attended_.put(0, c, madd(score, kept_.lane(0, c), attended_.lane(0, c)));
      }
    }
  }

  TaskMatrix<L> z_;         // (m, D)
  TaskMatrix<L> attended_;  // (min(panel_rows, m), D)
  TaskMatrix<L> kept_;      // (min(panel_rows, m), D)
};

}  // namespace loopcore
