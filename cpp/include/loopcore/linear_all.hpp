// LinearAll: linear attention where every row moves and attends to the same keys. All rows move by one
// matrix, z ← z A, and S follows: n drops out of the loop.
#pragma once

#include <span>
#include <utility>
#include <vector>

#include "loopcore/key_sums.hpp"
#include "loopcore/looped_engine.hpp"
#include "loopcore/looped_weights.hpp"
#include "loopcore/prompt_parts.hpp"
#include "loopcore/task_matrix.hpp"

namespace loopcore {

template <class L>
class LinearAll final : public LoopedEngine {
 public:
  explicit LinearAll(const LoopedProblem& problem, Team team = Team(1))
      : problem_(problem),
        D_(problem.model.D),
        team_(team),
        written_(problem.first_wanted(), problem.rows(), panel_rows,
                 (D_ + PromptParts::work_of_a_copy) * D_ * L::tasks),
        weights_(problem.model),
        prompts_(problem, team.threads()),
        sums_(problem.visible(0), D_, team),
        A_(D_, D_),
        B_(D_, D_),
        product_(D_, D_) {
    for (Index k = 0; k < written_.workers(team); ++k) workers_.emplace_back(D_);
  }

  Index most() const override { return L::tasks; }

  void open(std::span<const Prompt> prompts, Stop& stop) override {
    prompts_.open(prompts);
    has_moved_ = false;
    sums_.form(prompts_, stop);
  }

  void advance(Index begin, Index end, Stop& stop) override {
    for (Index t = begin; t < end; ++t) {
      for (Index layer = 0; layer < problem_.model.layers; ++layer) {
        const bool is_last = t + 1 == problem_.T && layer + 1 == problem_.model.layers;
        step(t, layer, !is_last, stop);
        if (stop.after(5 * D_ * D_ * D_ * L::tasks)) return;
      }
    }
  }

  /// One layer of one loop; S follows if it is still needed. Incomplete if stopped.
  void step(Index t, Index layer, bool moves_sums, Stop& stop) {
    form_step(layer, prompts_.eta(t, layer), stop);
    follow(stop);
    if (moves_sums) move_sums(stop);
  }

  /// S, and B unless it is the identity, (D, D)
  const TaskMatrix<L>& S() const { return sums_.S(); }
  const TaskMatrix<L>& B() const { return B_; }
  bool has_moved() const { return has_moved_; }
  PromptRows<L>& prompts() { return prompts_; }
  void assign(const TaskMatrix<L>& S, const TaskMatrix<L>& B) {
    sums_.S().assign(S);
    B_.assign(B);
    has_moved_ = true;
  }

  void write(Index k, RowSink& sink, Stop& stop) override {
    const auto write_part = [&](PromptPart part, int thread, Stop& inner) {
      auto& [rows, moved] = workers_[static_cast<std::size_t>(thread)];
      for (Index begin = part.begin; begin < part.end; begin += panel_rows) {
        const Index count = std::min(panel_rows, part.end - begin);
        prompts_.read(begin, count, rows.row(0), thread);
        if (has_moved_) {
          multiply_rows(rows, 0, count, B_.right(), D_, moved);
          std::swap(rows, moved);
        }
        for (Index i = 0; i < count; ++i) prompts_.write(rows.row(i), begin + i, k, sink, thread);
        if (inner.after(count * D_ * D_ * L::tasks)) return;
      }
    };
    written_.for_each(team_, write_part, stop);
  }

 private:
  struct Worker {
    explicit Worker(Index D) : rows(panel_rows, D), moved(panel_rows, D) {}

    TaskMatrix<L> rows;   // (panel_rows, D)
    TaskMatrix<L> moved;  // (panel_rows, D)
  };

  /// A = skip − η Σ_h Q_h S P_h
  void form_step(Index layer, Lane eta, Stop& stop) {
    form_attention_map(problem_.model, weights_, layer, sums_.S(), product_, A_, &stop);
    for (Index j = 0; j < D_; ++j) {
      const double* skip = weights_.skip().row(j);
      for (Index c = 0; c < L::lanes(D_); ++c) {
        A_.put(j, c, madd(-eta, A_.lane(j, c), L::shared(skip, c)));
      }
    }
  }

  /// B ← B A, so that z(t) = z(0) B
  void follow(Stop& stop) {
    if (has_moved_) {
      multiply_rows(B_, 0, D_, A_.right(), D_, product_, false, &stop);
      std::swap(B_, product_);
    } else {
      B_.assign(A_);
    }
    has_moved_ = true;
  }

  /// S ← Aᵀ (S A)
  void move_sums(Stop& stop) {
    TaskMatrix<L>& S = sums_.S();
    multiply_rows(S, 0, D_, A_.right(), D_, product_, false, &stop);
    multiply_symmetric(A_.left().transposed(), product_.right(), D_, D_, S, &stop);
  }

  const LoopedProblem& problem_;
  Index D_;
  Team team_;
  PromptParts written_;
  LoopedWeights weights_;
  PromptRows<L> prompts_;
  KeySums<L> sums_;
  bool has_moved_ = false;  // until then B is the identity
  TaskMatrix<L> A_;         // (D, D)
  TaskMatrix<L> B_;         // (D, D)
  TaskMatrix<L> product_;   // (D, D)
  std::vector<Worker> workers_;
};

}  // namespace loopcore
