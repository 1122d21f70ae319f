// AttentionRows: any attention, whichever rows move: a block of rows at a time against all keys. The general
// path, n² D a loop where all rows move, n D where one does.
#pragma once

#include <algorithm>
#include <span>

#include "loopcore/attend.hpp"
#include "loopcore/keys.hpp"
#include "loopcore/looped_engine.hpp"
#include "loopcore/looped_weights.hpp"
#include "loopcore/task_matrix.hpp"

namespace loopcore {

template <class L>
class AttentionRows final : public LoopedEngine {
 public:
  explicit AttentionRows(const LoopedProblem& problem)
      : problem_(problem),
        D_(problem.model.D),
        first_(problem.model.update == Update::query ? problem.n : 0),
        keys_count_(std::max(problem.visible(problem.rows() - 1), problem.counted(0))),
        weights_(problem.model),
        prompts_(problem),
        keys_(keys_count_, D_),
        attend_(problem.model.attention, D_),
        z_(problem.rows(), D_),
        next_(problem.rows() - first_, D_),
        u_(AttendingRows::most, D_),
        received_(AttendingRows::most, D_),
        attended_(AttendingRows::most, D_) {}

  Index most() const override { return L::tasks; }

  void open(std::span<const Prompt> prompts, Stop& stop) override {
    prompts_.open(prompts);
    prompts_.read_all(z_.row(0), stop);
    keys_.assign(z_.row(0), keys_count_, z_.stride());
  }

  void advance(Index begin, Index end, Stop& stop) override {
    for (Index t = begin; t < end; ++t) {
      for (Index layer = 0; layer < problem_.model.layers; ++layer) {
        step(t, layer, stop);
        if (stop.raised()) return;
      }
    }
  }

  /// One layer of one loop.
  void step(Index t, Index layer, Stop& stop) {
    const Lane eta = prompts_.eta(t, layer);
    for (Index i = first_; i < problem_.rows(); i += AttendingRows::most) {
      const Index count = std::min(AttendingRows::most, problem_.rows() - i);
      move(i, count, layer, eta);
      if (stop.after(2 * count * D_ * (keys_count_ + D_) * L::tasks)) return;
    }
    assign(next_.row(0));
  }

  /// The rows first_moving() … n + m − 1, which alone move, (state_size(),) doubles
  Index first_moving() const { return first_; }
  Index state_size() const { return z_.stride() * (problem_.rows() - first_); }
  const double* state() const { return z_.row(first_); }
  void assign(const double* state) {
    std::copy_n(state, state_size(), z_.row(first_));
    for (Index i = first_; i < keys_count_; ++i) keys_.replace(i, z_.row(i));
  }

  Index keys_count() const { return keys_count_; }
  const Keys<L>& keys() const { return keys_; }
  const TaskMatrix<L>& z() const { return z_; }
  const PromptRows<L>& prompts() const { return prompts_; }

  void write(Index k, RowSink& sink, Stop& stop) override {
    prompts_.write_unmoved(problem_.first_wanted(), first_, k, sink, stop);
    for (Index i = std::max(first_, problem_.first_wanted()); i < problem_.rows(); ++i) {
      prompts_.write(z_.row(i), i, k, sink);
      if (stop.after(D_ * L::tasks)) return;
    }
  }

 private:
  /// next ← z·skip − η Σ_h Attn(z; Q_h, P_h) for `count` rows from row i on
  void move(Index i, Index count, Index layer, Lane eta) {
    AttendingRows rows{.count = count, .u = u_.row(0), .visible = {}, .counted = {}};
    for (Index r = 0; r < count; ++r) {
      rows.visible[static_cast<std::size_t>(r)] = problem_.visible(i + r);
      rows.counted[static_cast<std::size_t>(r)] = problem_.counted(i + r);
    }
    for (Index h = 0; h < problem_.model.heads; ++h) {
      multiply_rows(z_, i, count, weights_.Q(layer, h).template right<L>(), D_, u_);
      attend_(keys_, rows, received_.row(0));
      multiply_rows(received_, 0, count, weights_.P(layer, h).template right<L>(), D_, attended_,
                    h > 0);
    }
    if (weights_.has_skip()) {
      multiply_rows(z_, i, count, weights_.skip().template right<L>(), D_, received_);
    } else {
      std::copy_n(z_.row(i), count * z_.stride(), received_.row(0));
    }
    for (Index r = 0; r < count; ++r) {
      for (Index c = 0; c < L::lanes(D_); ++c) {
        next_.put(i - first_ + r, c, madd(-eta, attended_.lane(r, c), received_.lane(r, c)));
      }
    }
  }

  const LoopedProblem& problem_;
  Index D_;
  Index first_;       // row that moves
  Index keys_count_;  // the rows that any row sees or counts
  LoopedWeights weights_;
  PromptRows<L> prompts_;
  Keys<L> keys_;
  Attend<L> attend_;
  TaskMatrix<L> z_;         // (n + m, D)
  TaskMatrix<L> next_;      // (n + m − first, D)
  TaskMatrix<L> u_;         // (most, D)
  TaskMatrix<L> received_;  // (most, D)
  TaskMatrix<L> attended_;  // (most, D)
};

}  // namespace loopcore
