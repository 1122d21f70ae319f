// AttentionTargets: any attention that moves only the targets. The inputs stay, and so do the scores: they
// are computed once, and a loop is a product of their weights with the targets (kernel gradient descent). A team
// shares the rows.
#pragma once

#include <algorithm>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "loopcore/attend.hpp"
#include "loopcore/keys.hpp"
#include "loopcore/looped_engine.hpp"
#include "loopcore/looped_weights.hpp"
#include "loopcore/prompt_parts.hpp"
#include "loopcore/task_matrix.hpp"

namespace loopcore {

template <class L>
class AttentionTargets final : public LoopedEngine {
 public:
  explicit AttentionTargets(const LoopedProblem& problem, Team team = Team(1))
      : problem_(problem),
        D_(problem.model.D),
        first_(problem.model.update == Update::query ? problem.n : 0),
        keys_count_(std::max(problem.visible(problem.rows() - 1), problem.counted(0))),
        key_lanes_(L::lanes(keys_count_)),
        team_(team),
        parts_(first_, problem.rows(), lane_width, work_of_a_weight * keys_count_ * L::tasks),
        weights_(problem.model),
        prompts_(problem, team.threads()),
        keys_(keys_count_, D_),
        z_(problem.rows(), D_),
        K_(problem.model.layers * (problem.rows() - first_) * key_lanes_ * lane_width),
        y_(1, problem.rows()),
        seen_(1, keys_count_),
        kept_(1, problem.rows()),
        received_(1, problem.rows()),
        lanes_(padded(problem.rows()) * lane_width) {
    for (Index k = 0; k < parts_.workers(team); ++k) {
      workers_.push_back(std::make_unique<Worker>(problem.model.attention, D_, key_lanes_));
    }
  }

  Index most() const override { return L::tasks; }

  void open(std::span<const Prompt> prompts, Stop& stop) override {
    prompts_.open(prompts);
    prompts_.read_all(z_.row(0), stop, team_);
    if (stop.raised()) return;
    keys_.assign(z_.row(0), keys_count_, z_.stride());
    K_.fill(0);
    const auto weigh_part = [&](PromptPart part, int thread, Stop& inner) {
      Worker& worker = *workers_[static_cast<std::size_t>(thread)];
      for (Index layer = 0; layer < problem_.model.layers; ++layer) {
        for (Index i = part.begin; i < part.end; i += AttendingRows::most) {
          const Index count = std::min(AttendingRows::most, part.end - i);
          for (Index h = 0; h < problem_.model.heads; ++h) add_head(worker, i, count, layer, h);
          if (inner.after(count * D_ * (keys_count_ + D_) * L::tasks)) return;
        }
      }
    };
    parts_.for_each(team_, weigh_part, stop);
    read_targets();
  }

  void advance(Index begin, Index end, Stop& stop) override {
    for (Index t = begin; t < end; ++t) {
      for (Index layer = 0; layer < problem_.model.layers; ++layer) {
        move(layer, prompts_.eta(t, layer), stop);
        if (stop.after((problem_.rows() - first_) * keys_count_ * L::tasks)) return;
      }
    }
  }

  void write(Index k, RowSink& sink, Stop& stop) override {
    for (Index i = problem_.first_wanted(); i < problem_.rows(); ++i) {
      for (Index t = 0; t < L::tasks; ++t) {
        L::entry(z_.row(i), D_ - 1, t) = L::entry(y_.row(0), i, t);
      }
      prompts_.write(z_.row(i), i, k, sink);
      if (stop.after(D_ * L::tasks)) return;
    }
  }

 private:
  // Multiply-adds that take as long as one of K does, which comes from memory where K is large.
  static constexpr Index work_of_a_weight = 4;

  struct Worker : Aligned {
    Worker(Attention attention, Index D, Index key_lanes)
        : attend(attention, D, std::max<Index>(key_lanes, 1)), u(AttendingRows::most, D) {}

    Attend<L> attend;
    TaskMatrix<L> u;  // (most, D)
  };

  double* weight(Index layer, Index row, Index lane) {
    const Index moving = problem_.rows() - first_;
    return K_.data() + ((layer * moving + row - first_) * key_lanes_ + lane) * lane_width;
  }

  /// K_ij ← K_ij + p h(x_i Q x_jᵀ) of one head, for `count` rows from i on
  void add_head(Worker& worker, Index i, Index count, Index layer, Index head) {
    auto& [attend, u] = worker;
    multiply_rows(z_, i, count, weights_.Q(layer, head).template right<L>(), D_, u);
    const AttendingRows rows = attending_rows(problem_, i, count, u.row(0));
    attend.weigh_all(keys_, rows);
    const Lane p = Lane::broadcast(weights_.P(layer, head)(D_ - 1, D_ - 1));
    for (Index r = 0; r < count; ++r) {
      for (Index j = 0; j < L::lanes(rows.keys()); ++j) {
        double* const to = weight(layer, i + r, j);
        madd(p, attend.weight(r, j), Lane::load(to)).store(to);
      }
    }
  }

  /// y, and what the inputs add to it each time: Σ_k x_k skip_ky
  void read_targets() {
    const auto skip = [&](Index k) { return weights_.skip()(k, D_ - 1); };
    for (Index i = 0; i < problem_.rows(); ++i) {
      for (Index t = 0; t < L::tasks; ++t) {
        double kept = 0;
        for (Index k = 0; k + 1 < D_; ++k) kept = madd(L::entry(z_.row(i), k, t), skip(k), kept);
        L::entry(y_.row(0), i, t) = L::entry(z_.row(i), D_ - 1, t);
        L::entry(kept_.row(0), i, t) = kept;
      }
    }
    skip_y_ = Lane::broadcast(skip(D_ - 1));
  }

  /// y ← skip_yy y + kept − η K y
  void move(Index layer, Lane eta, Stop& stop) {
    for (Index c = 0; c < key_lanes_; ++c) {
      // Beyond the keys stand queries that nobody sees: their weights are 0, but 0 · NaN is not.
      seen_.put(0, c, L::first(y_.lane(0, c), c, keys_count_, Lane::zero()));
    }
    const LaneFactor y{seen_.row(0), 0, lane_width};
    const auto multiply_part = [&](PromptPart part, int, Stop&) {
      const LaneFactor K{weight(layer, part.begin, 0), lane_width, key_lanes_ * lane_width};
      double* const out = lanes_.data() + part.begin * lane_width;
      multiply(y, K, 1, key_lanes_, part.end - part.begin, out, 0);
    };
    parts_.for_each(team_, multiply_part, stop);
    L::collapse(lanes_.data(), problem_.rows(), received_.row(0));
    for (Index c = 0; c < L::lanes(problem_.rows()); ++c) {
      const Lane kept = madd(skip_y_, y_.lane(0, c), kept_.lane(0, c));
      received_.put(0, c, madd(-eta, received_.lane(0, c), kept));
    }
    if (first_ > 0) {  // the context keeps its targets
      for (Index i = 0; i < first_; ++i) {
        for (Index t = 0; t < L::tasks; ++t) {
          L::entry(received_.row(0), i, t) = L::entry(y_.row(0), i, t);
        }
      }
    }
    std::swap(y_, received_);
  }

  const LoopedProblem& problem_;
  Index D_;
  Index first_;
  Index keys_count_;
  Index key_lanes_;
  Team team_;
  PromptParts parts_;  // of the rows that move
  LoopedWeights weights_;
  PromptRows<L> prompts_;
  Keys<L> keys_;
  TaskMatrix<L> z_;         // (n + m, D)
  Buffer K_;                // (layers, n + m − first) rows of lanes of keys
  TaskMatrix<L> y_;         // (1, n + m)
  TaskMatrix<L> seen_;      // (1, keys)
  TaskMatrix<L> kept_;      // (1, n + m)
  TaskMatrix<L> received_;  // (1, n + m)
  Buffer lanes_;            // (padded(n + m),) lanes
  std::vector<std::unique_ptr<Worker>> workers_;
  Lane skip_y_ = Lane::zero();
};

}  // namespace loopcore
