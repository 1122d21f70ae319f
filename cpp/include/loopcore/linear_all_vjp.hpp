// LinearAllVjp: the reverse pass of LinearAll, D³ a loop whatever n is. Memory: S and B before every layer of
// every loop, 2 D² each, or as LoopRecord says.
#pragma once

#include <algorithm>
#include <span>
#include <utility>

#include "loopcore/attention_map_vjp.hpp"
#include "loopcore/linear_all.hpp"
#include "loopcore/loop_record.hpp"
#include "loopcore/looped_vjp_engine.hpp"
#include "loopcore/task_matrix.hpp"

namespace loopcore {

template <class L>
class LinearAllVjp final : public LoopedVjpEngine {
 public:
  explicit LinearAllVjp(const LoopedProblem& problem)
      : problem_(problem),
        D_(problem.model.D),
        steps_(problem.T * problem.model.layers),
        forward_(problem),
        bars_(problem),
        map_(problem.model),
        record_(steps_, 2 * D_ * L::doubles(D_)),
        S_(D_, D_),
        B_(D_, D_),
        A_(D_, D_),
        AT_(D_, D_),
        M_(D_, D_),
        B_bar_(D_, D_),
        A_bar_(D_, D_),
        H_(D_, D_),
        skip_bar_(D_, D_),
        product_(D_, D_),
        end_(D_, D_),
        panel_(panel_rows, D_),
        bar_panel_(panel_rows, D_),
        moved_(panel_rows, D_) {}

  Index most() const override { return L::tasks; }

  void run(std::span<const Prompt> prompts, std::span<const Prompt> bars, WeightBars weights,
           LoopedVjpSink& sink, Stop& stop) override {
    open(prompts, bars, stop);
    if (stop.raised()) return;
    record_.reverse(
        Loop{*this, stop},
        [&](Index step, const double* state) {
          read_state(state);
          undo(step, sink, stop);
          stop.after(14 * D_ * D_ * D_ * L::tasks);
        },
        stop);
    if (stop.raised()) return;
    write(sink, stop);
    map_.add_to(weights, bars_.count());
    add_tasks(skip_bar_, D_, bars_.count(), weights.skip);
  }

 private:
  /// The forward pass as LoopRecord drives it.
  struct Loop {
    LinearAllVjp& pass;
    Stop& stop;

    void advance(Index step) {
      const Index layers = pass.problem_.model.layers;
      pass.forward_.step(step / layers, step % layers, true, stop);
      stop.after(5 * pass.D_ * pass.D_ * pass.D_ * L::tasks);
    }
    void save(double* to) const {
      const LinearAll<L>& forward = pass.forward_;
      const Index size = pass.D_ * pass.S_.stride();
      if (!forward.has_moved()) pass.set_identity(pass.B_);
      std::copy_n(forward.S().row(0), size, to);
      std::copy_n((forward.has_moved() ? forward.B() : pass.B_).row(0), size, to + size);
    }
    void load(const double* from) {
      pass.read_state(from);
      pass.forward_.assign(pass.S_, pass.B_);
    }
  };

  void set_identity(TaskMatrix<L>& matrix) const {
    matrix.fill(0);
    for (Index j = 0; j < D_; ++j) {
      for (Index t = 0; t < L::tasks; ++t) L::entry(matrix.row(j), j, t) = 1;
    }
  }

  void read_state(const double* state) {
    const Index size = D_ * S_.stride();
    std::copy_n(state, size, S_.row(0));
    std::copy_n(state + size, size, B_.row(0));
  }

  /// z(T) = z(0) B:  B̄ = Σ_i z_i(0)ᵀ z̄_i(T)
  void open(std::span<const Prompt> prompts, std::span<const Prompt> bars, Stop& stop) {
    forward_.open(prompts, stop);
    bars_.open(bars);
    map_.open();
    H_.fill(0);
    B_bar_.fill(0);
    skip_bar_.fill(0);
    for (Index begin = 0; begin < problem_.rows(); begin += panel_rows) {
      const Index count = std::min(panel_rows, problem_.rows() - begin);
      forward_.prompts().read(begin, count, panel_.row(0));
      bars_.read(begin, count, bar_panel_.row(0));
      multiply(panel_.left().transposed(), bar_panel_.right(), D_, count, L::lanes(D_),
               B_bar_.row(0), B_bar_.stride(), true);
      if (stop.after(count * D_ * D_ * L::tasks)) return;
    }
  }

  /// One layer of one loop. With H = S̄ + S̄ᵀ, for S is symmetric:
  ///     S ← Aᵀ S A                   Ā = S A H,  H ← A H Aᵀ
  ///     B ← B A                      Ā += Bᵀ B̄,  B̄ ← B̄ Aᵀ
  ///     A = skip − η M               skip̄ += Ā,  η̄ = −⟨Ā, M⟩,  M̄ = −η Ā
  ///     M = Σ_h Q_h S P_h            see AttentionMapVjp
  void undo(Index step, LoopedVjpSink& sink, Stop& stop) {
    const Index t = step / problem_.model.layers;
    const Index layer = step % problem_.model.layers;
    const Lane eta = forward_.prompts().eta(t, layer);
    form_step(layer, eta, stop);
    const bool is_last = step + 1 == steps_;
    multiply(B_.left().transposed(), B_bar_.right(), D_, D_, L::lanes(D_), A_bar_.row(0),
             A_bar_.stride(), false, &stop);
    if (is_last) {
      multiply_rows(B_, 0, D_, A_.right(), D_, product_, false, &stop);
      transpose(product_, D_, end_);
    } else {
      undo_sums(stop);
    }
    multiply_rows(B_bar_, 0, D_, AT_.right(), D_, product_, false, &stop);
    std::swap(B_bar_, product_);
    Lane eta_bar = Lane::zero();
    for (Index j = 0; j < D_; ++j) {
      for (Index c = 0; c < L::lanes(D_); ++c) {
        const Lane A_bar = A_bar_.lane(j, c);
        skip_bar_.put(j, c, skip_bar_.lane(j, c) + A_bar);
        eta_bar = madd(-A_bar, M_.lane(j, c), eta_bar);
        A_bar_.put(j, c, -eta * A_bar);
      }
    }
    put_step(forward_.prompts(), t, layer, L::sum(eta_bar), sink);
    map_.undo(layer, S_, A_bar_, H_, stop);
  }

  void form_step(Index layer, Lane eta, Stop& stop) {
    map_.form(layer, S_, M_, stop);
    for (Index j = 0; j < D_; ++j) {
      const double* skip = map_.weights().skip().row(j);
      for (Index c = 0; c < L::lanes(D_); ++c) {
        A_.put(j, c, madd(-eta, M_.lane(j, c), L::shared(skip, c)));
      }
    }
    transpose(A_, D_, AT_);
  }

  /// Ā += S (A H),  H ← (A H) Aᵀ
  void undo_sums(Stop& stop) {
    multiply_rows(A_, 0, D_, H_.right(), D_, product_, false, &stop);
    multiply_rows(S_, 0, D_, product_.right(), D_, A_bar_, true, &stop);
    multiply_symmetric(product_.left(), AT_.right(), D_, D_, H_, &stop);
  }

  /// z̄(0) = z̄(T) Bᵀ, and of a key also z H
  void write(LoopedVjpSink& sink, Stop& stop) {
    for (Index begin = 0; begin < problem_.rows(); begin += panel_rows) {
      const Index count = std::min(panel_rows, problem_.rows() - begin);
      bars_.read(begin, count, bar_panel_.row(0));
      if (steps_ > 0) form_rows(begin, count);
      for (Index i = 0; i < count; ++i) bars_.write(bar_panel_.row(i), begin + i, 0, sink);
      if (stop.after(2 * count * D_ * D_ * L::tasks)) return;
    }
  }

  void form_rows(Index begin, Index count) {
    forward_.prompts().read(begin, count, panel_.row(0));
    const Index keys = std::clamp<Index>(problem_.visible(0) - begin, 0, count);
    multiply_rows(bar_panel_, 0, count, end_.right(), D_, moved_);
    multiply_rows(panel_, 0, keys, H_.right(), D_, moved_, true);
    std::swap(bar_panel_, moved_);
  }

  const LoopedProblem& problem_;
  Index D_;
  Index steps_;
  LinearAll<L> forward_;
  PromptRows<L> bars_;
  AttentionMapVjp<L> map_;
  LoopRecord record_;
  TaskMatrix<L> S_;          // (D, D) before the step that is undone, as are B, A and M
  TaskMatrix<L> B_;          // (D, D)
  TaskMatrix<L> A_;          // (D, D)
  TaskMatrix<L> AT_;         // (D, D), Aᵀ
  TaskMatrix<L> M_;          // (D, D)
  TaskMatrix<L> B_bar_;      // (D, D)
  TaskMatrix<L> A_bar_;      // (D, D), later M̄
  TaskMatrix<L> H_;          // (D, D)
  TaskMatrix<L> skip_bar_;   // (D, D)
  TaskMatrix<L> product_;    // (D, D)
  TaskMatrix<L> end_;        // (D, D), Bᵀ after the last step
  TaskMatrix<L> panel_;      // (panel_rows, D)
  TaskMatrix<L> bar_panel_;  // (panel_rows, D)
  TaskMatrix<L> moved_;      // (panel_rows, D)
};

}  // namespace loopcore
