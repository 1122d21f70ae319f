// AttentionRows: any attention, whichever rows move: a block of rows at a time against all keys. The general
// path, n² D a loop where all rows move, n D where one does. A team shares the rows, or where few move, the keys.
#pragma once

#include <algorithm>
#include <memory>
#include <span>
#include <vector>

#include "loopcore/attend.hpp"
#include "loopcore/keys.hpp"
#include "loopcore/looped_engine.hpp"
#include "loopcore/looped_weights.hpp"
#include "loopcore/prompt_parts.hpp"
#include "loopcore/task_matrix.hpp"

namespace loopcore {

template <class L>
class AttentionRows final : public LoopedEngine {
 public:
  explicit AttentionRows(const LoopedProblem& problem, Team team = Team(1))
      : problem_(problem),
        D_(problem.model.D),
        first_(problem.model.update == Update::query ? problem.n : 0),
        keys_count_(std::max(problem.visible(problem.rows() - 1), problem.counted(0))),
        team_(team),
        parts_(first_, problem.rows(), AttendingRows::most, problem.model.heads * work_a_row()),
        key_parts_(0, L::lanes(keys_count_), Attend<L>::panel_lanes, work_a_key(),
                   parts_.count() > 1 ? 1 : most_key_parts),
        weights_(problem.model),
        prompts_(problem, team.threads()),
        keys_(keys_count_, D_),
        z_(problem.rows(), D_),
        next_(problem.rows() - first_, D_) {
    for (Index k = 0; k < parts_.workers(team); ++k) {
      workers_.push_back(std::make_unique<Worker>(problem.model.attention, D_, key_parts_.count()));
    }
  }

  Index most() const override { return L::tasks; }

  void open(std::span<const Prompt> prompts, Stop& stop) override {
    prompts_.open(prompts);
    prompts_.read_all(z_.row(0), stop, team_);
    if (!stop.raised()) keys_.assign(z_.row(0), keys_count_, z_.stride());
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
    const auto move_part = [&](PromptPart part, int thread, Stop& inner) {
      Worker& worker = *workers_[static_cast<std::size_t>(thread)];
      for (Index i = part.begin; i < part.end; i += AttendingRows::most) {
        const Index count = std::min(AttendingRows::most, part.end - i);
        move(worker, i, count, layer, eta, inner);
        if (inner.after(count * work_a_row())) return;
      }
    };
    parts_.for_each(team_, move_part, stop);
    if (!stop.raised()) assign(next_.row(0));
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
    prompts_.write_unmoved(problem_.first_wanted(), first_, k, sink, stop, team_);
    if (stop.raised()) return;
    for (Index i = std::max(first_, problem_.first_wanted()); i < problem_.rows(); ++i) {
      prompts_.write(z_.row(i), i, k, sink);
      if (stop.after(D_ * L::tasks)) return;
    }
  }

 private:
  static constexpr Index most_key_parts = 64;

  struct Worker {
    Worker(Attention attention, Index D, Index key_parts)
        : u(AttendingRows::most, D),
          received(AttendingRows::most, D),
          attended(AttendingRows::most, D) {
      for (Index k = 0; k < key_parts; ++k) {
        attends.push_back(std::make_unique<Attend<L>>(attention, D));
      }
    }

    std::vector<std::unique_ptr<Attend<L>>> attends;  // a part of the keys
    TaskMatrix<L> u;                                  // (most, D)
    TaskMatrix<L> received;                           // (most, D)
    TaskMatrix<L> attended;                           // (most, D)
  };

  /// Multiply-adds of one head.
  Index work_a_row() const { return 2 * D_ * (keys_count_ + D_) * L::tasks; }
  /// And of a lane of keys, where no more rows move than attend together.
  Index work_a_key() const {
    return 2 * std::min(AttendingRows::most, problem_.rows() - first_) * D_ * lane_width;
  }

  /// next ← z·skip − η Σ_h Attn(z; Q_h, P_h) for `count` rows from row i on
  void move(Worker& worker, Index i, Index count, Index layer, Lane eta, Stop& stop) {
    auto& [attends, u, received, attended] = worker;
    const AttendingRows rows = attending_rows(problem_, i, count, u.row(0));
    for (Index h = 0; h < problem_.model.heads; ++h) {
      multiply_rows(z_, i, count, weights_.Q(layer, h).template right<L>(), D_, u);
      attend(worker, rows, stop);
      multiply_rows(received, 0, count, weights_.P(layer, h).template right<L>(), D_, attended,
                    h > 0);
    }
    if (weights_.has_skip()) {
      multiply_rows(z_, i, count, weights_.skip().template right<L>(), D_, received);
    } else {
      std::copy_n(z_.row(i), count * z_.stride(), received.row(0));
    }
    for (Index r = 0; r < count; ++r) {
      for (Index c = 0; c < L::lanes(D_); ++c) {
        next_.put(i - first_ + r, c, madd(-eta, attended.lane(r, c), received.lane(r, c)));
      }
    }
  }

  /// received_r = Σ_j w_rj z_j
  void attend(Worker& worker, const AttendingRows& rows, Stop& stop) {
    const auto& attends = worker.attends;
    const Index lanes = L::lanes(rows.keys());
    const auto pass = [&](PromptPart part, int, Stop&) {
      Attend<L>& attend = *attends[static_cast<std::size_t>(part.number)];
      attend.pass(keys_, rows, part.begin, std::min(part.end, lanes));
    };
    key_parts_.for_each(team_, pass, stop);
    for (std::size_t k = 1; k < attends.size(); ++k) attends[0]->add(*attends[k], rows);
    attends[0]->finish(rows, worker.received.row(0));
  }

  const LoopedProblem& problem_;
  Index D_;
  Index first_;       // row that moves
  Index keys_count_;  // the rows that any row sees or counts
  Team team_;
  PromptParts parts_;      // of the rows that move
  PromptParts key_parts_;  // of the lanes of keys
  LoopedWeights weights_;
  PromptRows<L> prompts_;
  Keys<L> keys_;
  TaskMatrix<L> z_;     // (n + m, D)
  TaskMatrix<L> next_;  // (n + m − first, D)
  std::vector<std::unique_ptr<Worker>> workers_;
};

}  // namespace loopcore
