// GramVjp: the loops of a larger task taken backwards on S = XᵀX, d² a loop whatever n is. There is no
// dual form of it: where n < d it costs d² as well.
#pragma once

#include <Eigen/Core>
#include <algorithm>
#include <optional>
#include <vector>

#include "loopcore/block_product.hpp"
#include "loopcore/checkpoints.hpp"
#include "loopcore/householder_step.hpp"
#include "loopcore/rows.hpp"
#include "loopcore/solve.hpp"
#include "loopcore/token_gram.hpp"
#include "loopcore/vjp.hpp"

namespace loopcore {

class GramVjp final : public Vjp {
 public:
  /// Both must outlive this; `segment` as in checkpoints.hpp.
  GramVjp(const Problem& problem, Index segment, const Team& team)
      : problem_(problem),
        n_(problem.n),
        d_(problem.d),
        width_(padded(d_)),
        team_(team),
        tokens_(n_, d_, team.threads()),
        states_(problem.T, width_, segment),
        q0_(width_),
        b_(width_),
        c_(width_),
        g_(width_),
        lambda_(width_),
        w_(loops_at_once * width_),
        w_sum_(width_),
        w_carry_(width_),
        b_bar_(width_),
        N_(d_ * d_) {
    if (problem.kind == StepKind::lambda_max) step_.emplace(d_);
    for (int k = 0; k < team.threads(); ++k) workers_.emplace_back(d_);
  }

  void operator()(std::span<const Task> tasks, std::span<const Pulled> pulled,
                  Stop& stop) override {
    for (std::size_t t = 0; t < tasks.size() && !stop.raised(); ++t) {
      pull_back(tasks[t], pulled[t], stop);
    }
  }

 private:
  using Matrix = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
  using Block = Eigen::Map<Matrix, 0, Eigen::OuterStride<>>;
  using ConstBlock = Eigen::Map<const Matrix, 0, Eigen::OuterStride<>>;

  struct Worker {
    explicit Worker(Index d)
        : reader(d), x(panel_rows * padded(d)), x_bar(panel_rows * padded(d)) {}

    RowReader reader;
    Buffer x;      // (panel_rows, d)
    Buffer x_bar;  // (panel_rows, d)
  };

  void pull_back(const Task& task, const Pulled& pulled, Stop& stop) {
    const int plain = 0;
    if (!tokens_.form(task.X, plain, &task.y, &plain, 1, false, team_, stop)) return;
    for (Index k = 0; k < d_; ++k) b_[k] = tokens_.b()[k][0];
    for (Index k = 0; k < d_; ++k) c_[k] = task.alpha * b_[k];
    q0_.fill(0);
    if (task.q0.data != nullptr) task.q0.read(0, d_, q0_.data());
    const Steps steps = make_steps(pulled, stop);
    // q_{t+1} = q_t − h_t (S q_t + c),  c = α b
    const auto loop = [&](Index t, const double* from, double* to) {
      multiply(tokens_.S(), d_, from, g_.data());
      const double h = steps(t)[0];
      for (Index k = 0; k < d_; ++k) to[k] = madd(-h, g_[k] + c_[k], from[k]);
      stop.after(d_ * d_);
    };
    if (stop.raised() || !states_.run(q0_.data(), loop, stop)) return;
    start(pulled);
    const auto undo = [&](Index begin, Index end, const double* q) {
      undo_loops(begin, end, q, steps, pulled, stop);
    };
    if (!states_.run_backwards(loop, undo, stop)) return;
    finish(task, pulled, steps, stop);
  }

  /// h_t
  Steps make_steps(const Pulled& pulled, Stop& stop) {
    if (step_) return Steps::constant(Lane::broadcast(step_->find(tokens_.S(), stop)));
    const Scaling plain;
    return given_steps(problem_, {&pulled.steps, 1}, &plain);
  }

  /// λ_T = −v̄
  void start(const Pulled& pulled) {
    lambda_.fill(0);
    pulled.v_bar.read(0, d_, lambda_.data());
    for (Index k = 0; k < d_; ++k) lambda_[k] = -lambda_[k];
    N_.fill(0);
    w_sum_.fill(0);
    w_carry_.fill(0);
    h_bar_ = h_carry_ = 0;
  }

  /// Undoes  q_{t+1} = q_t − h_t (S q_t + c)  for end > t ≥ begin; q, (end − begin, d), begins with q_begin.
  void undo_loops(Index begin, Index end, const double* q, const Steps& steps, const Pulled& pulled,
                  Stop& stop) {
    const Index loops = end - begin;
    double h_bar_sum = 0;
    for (Index t = end - 1; t >= begin && !stop.raised(); --t) {
      double* w_t = w_.data() + (t - begin) * width_;
      multiply(tokens_.S(), d_, lambda_.data(), g_.data());  // S λ_{t+1}
      const double h = steps(t)[0];
      const double h_bar =
          -(dot(g_.data(), q + (t - begin) * width_) + dot(lambda_.data(), c_.data()));
      for (Index k = 0; k < d_; ++k) w_t[k] = -h * lambda_[k];
      for (Index k = 0; k < d_; ++k) lambda_[k] = madd(-h, g_[k], lambda_[k]);
      h_bar_sum += h_bar;
      if (pulled.to.schedule != nullptr) pulled.to.schedule[t] = h_bar * step_factor(problem_);
      stop.after(d_ * d_);
    }
    add_with_carry(h_bar_sum, h_bar_, h_carry_);
    for (Index k = 0; k < d_; ++k) {
      double sum = 0;
      for (Index t = 0; t < loops; ++t) sum += w_[t * width_ + k];
      add_with_carry(sum, w_sum_[k], w_carry_[k]);
    }
    // N without its transposed half for now: Σ_t w_t q_tᵀ
    const ConstBlock w(w_.data(), loops, d_, Eigen::OuterStride<>(width_));
    const ConstBlock states(q, loops, d_, Eigen::OuterStride<>(width_));
    for_each_panel(d_, stop, [&](Index j, Index rows, Worker&) {
      N().middleRows(j, rows).noalias() += w.middleCols(j, rows).transpose() * states;
    });
    stop.after(loops * d_ * d_);
  }

  void finish(const Task& task, const Pulled& pulled, const Steps& steps, Stop& stop) {
    h_bar_ += h_carry_;
    for (Index k = 0; k < d_; ++k) w_sum_[k] += w_carry_[k];
    for (Index k = 0; k < d_; ++k) b_bar_[k] = task.alpha * w_sum_[k];
    for (Index j = 0; j < d_; ++j) {
      for (Index k = 0; k <= j; ++k) {
        double value = N_[j * d_ + k] + N_[k * d_ + j];
        if (step_) {
          const double weight = step_weight(steps(0)[0], h_bar_);
          value = madd(weight * step_->u()[j], step_->u()[k], value);
        }
        N_[j * d_ + k] = N_[k * d_ + j] = value;
      }
    }
    *pulled.to.alpha = dot(b_.data(), w_sum_.data());
    if (pulled.to.eta != nullptr) *pulled.to.eta = h_bar_ * step_factor(problem_);
    if (pulled.to.q0 != nullptr) std::copy_n(lambda_.data(), d_, pulled.to.q0);
    pull_back_context(task, pulled.to, stop);
  }

  /// S = Xᵀ X and b = Xᵀ y:  X̄ = X N + y b̄ᵀ,  ȳ = X b̄
  void pull_back_context(const Task& task, const Cotangents& to, Stop& stop) {
    for (Worker& worker : workers_) worker.reader.open(task.X, d_, 0);
    for_each_panel(n_, stop, [&](Index begin, Index rows, Worker& worker) {
      double y[panel_rows];
      task.y.read(begin, rows, y);
      worker.reader.for_each(begin, begin + rows, [&](auto R, Index i, const double* const* x) {
        for (Index r = 0; r < R; ++r) {
          std::copy_n(x[r], d_, worker.x.data() + (i + r - begin) * width_);
        }
        dot_rows<R>(x, d_, b_bar_.data(), to.y + i);
      });
      Block x_bar(worker.x_bar.data(), rows, d_, Eigen::OuterStride<>(width_));
      const ConstBlock x(worker.x.data(), rows, d_, Eigen::OuterStride<>(width_));
      x_bar.noalias() = x * N();
      for (Index i = 0; i < rows; ++i) {
        for (Index k = 0; k < d_; ++k) {
          to.X[(begin + i) * d_ + k] = madd(y[i], b_bar_[k], worker.x_bar[i * width_ + k]);
        }
      }
    });
  }

  /// work(begin, rows, worker) for panels of `count` rows, over the team.
  template <class Work>
  void for_each_panel(Index count, Stop& stop, Work&& work) {
    const Index panels = (count + panel_rows - 1) / panel_rows;
    team_.for_each(
        panels,
        [&](Index panel, int thread, Stop& inner) {
          const Index begin = panel * panel_rows;
          const Index rows = std::min(panel_rows, count - begin);
          work(begin, rows, workers_[static_cast<std::size_t>(thread)]);
          inner.after(rows * d_ * d_);
        },
        stop);
  }

  /// ⟨a, b⟩, (d,)
  double dot(const double* a, const double* b) const {
    double result;
    dot_rows<1>(&a, d_, b, &result);
    return result;
  }

  Eigen::Map<Matrix> N() { return {N_.data(), d_, d_}; }

  const Problem& problem_;
  Index n_;
  Index d_;
  Index width_;  // d in whole lanes
  const Team& team_;
  TokenGram tokens_;
  Checkpoints<double> states_;  // q_t
  std::optional<HouseholderStep> step_;
  std::vector<Worker> workers_;
  Buffer q0_;       // (d,)
  Buffer b_;        // (d,)
  Buffer c_;        // (d,) α b
  Buffer g_;        // (d,)
  Buffer lambda_;   // (d,) λ_t
  Buffer w_;        // (loops_at_once, d) w_t
  Buffer w_sum_;    // (d,) w
  Buffer w_carry_;  // (d,)
  double h_bar_ = 0;
  double h_carry_ = 0;
  Buffer b_bar_;  // (d,)
  Buffer N_;      // (d, d)
};

}  // namespace loopcore
