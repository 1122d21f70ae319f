// PackedVjp: the loops of small tasks taken backwards in lanes, one task an element.
#pragma once

#include <algorithm>
#include <optional>
#include <type_traits>

#include "loopcore/ahead.hpp"
#include "loopcore/checkpoints.hpp"
#include "loopcore/eigenvector.hpp"
#include "loopcore/engine.hpp"
#include "loopcore/packed_gram.hpp"
#include "loopcore/packed_loop.hpp"
#include "loopcore/solve.hpp"
#include "loopcore/tridiagonal.hpp"
#include "loopcore/vjp.hpp"

namespace loopcore {

namespace detail {

/// N ← N + Σ_t w_t q_tᵀ + q_t w_tᵀ, its lower triangle;  w and q (loops, size) of lanes
template <Index D>
void add_symmetric_products(const Lane* w, const Lane* q, Index loops, LaneMatrix<D> N) {
  for_each_tile(N.size, [&](Index j, Index k, auto R, auto C) {
    Lane sum[R][C];
    for (Index r = 0; r < R; ++r) {
      for (Index c = 0; c < C; ++c) sum[r][c] = Lane::zero();
    }
    const auto row = [&](const Lane* of) {
      return [of, j, &N](Index t, Index r) { return of[t * N.size + j + r]; };
    };
    const auto column = [&](const Lane* of) {
      return [of, k, &N](Index t, Index c) { return of[t * N.size + k + c]; };
    };
    add_outer_products<R, C>(0, loops, row(w), column(q), sum);
    add_outer_products<R, C>(0, loops, row(q), column(w), sum);
    for (Index r = 0; r < R; ++r) {
      for (Index c = 0; c < C; ++c) N[j + r][k + c] = N[j + r][k + c] + sum[r][c];
    }
  });
}

/// R rows of X̄ = X N + y b̄ᵀ;  x and x_bar (R, d), y (R,), N (d, d) with both triangles, b_bar (d,)
template <Index R, Index D>
void pull_back_rows(const Lane* x, const Lane* y, LaneMatrix<D> N, const Lane* b_bar, Lane* x_bar) {
  const Size<D> d = N.size;
  const auto columns = [&](Index j, auto C) {
    Lane sum[R][C];
    for (Index r = 0; r < R; ++r) {
      for (Index c = 0; c < C; ++c) sum[r][c] = y[r] * b_bar[j + c];
    }
    add_outer_products<R, C>(
        0, d, [&](Index k, Index r) { return x[r * d + k]; },
        [&](Index k, Index c) { return N[k][j + c]; }, sum);
    for (Index r = 0; r < R; ++r) {
      for (Index c = 0; c < C; ++c) x_bar[r * d + j + c] = sum[r][c];
    }
  };
  Index j = 0;
  for (; j + packed_tile <= d; j += packed_tile) {
    columns(j, std::integral_constant<Index, packed_tile>());
  }
  for (; j < d; ++j) columns(j, std::integral_constant<Index, 1>());
}

}  // namespace detail

/// D is the size of the tasks, or 0 for any.
template <Index D>
class PackedVjp final : public Vjp {
 public:
  /// The problem must outlive this; `segment` as in checkpoints.hpp.
  PackedVjp(const Problem& problem, Index segment)
      : problem_(problem),
        d_(problem.d),
        gram_(problem.n, problem.d, ahead_),
        states_(problem.T, d_, segment),
        rows_(lane_width * d_),
        q0_(d_),
        c_(d_),
        g_(d_),
        zero_(d_),
        lambda_(d_),
        w_(std::min(problem.T, loops_at_once) * d_),
        w_sum_(d_),
        w_carry_(d_),
        b_bar_(d_),
        N_(d_ * d_) {
    if (problem.kind != StepKind::lambda_max) return;
    basis_.emplace(d_);
    eigenvector_.emplace(d_);
    copy_ = Array<Lane>(d_ * d_);
    u_ = Array<Lane>(d_);
  }

  void operator()(std::span<const Task> tasks, std::span<const Pulled> pulled,
                  Stop& stop) override {
    const Scaling plain[lane_width];
    const auto count = static_cast<Index>(tasks.size());
    if (!gram_.form(tasks.data(), plain, count, stop)) return;
    const Lane alpha = read_alpha(tasks, plain);
    for (Index k = 0; k < d_; ++k) c_[k] = alpha * gram_.b()[k];
    read_q0(tasks, d_, rows_.data(), q0_.data());
    const Steps steps = make_steps(pulled);
    // q_{t+1} = q_t − h_t (S q_t + c),  c = α b
    const auto loop = [&](Index t, const Lane* from, Lane* to) {
      ahead_.ask();
      affine(gram_.S(), from, c_.data(), g_.data());
      const Lane h = steps(t);
      for (Index k = 0; k < d_; ++k) to[k] = madd(-h, g_[k], from[k]);
      stop.after(d_ * d_ * lane_width);
    };
    if (!states_.run(q0_.data(), loop, stop)) return;
    start(pulled);
    const auto undo = [&](Index begin, Index end, const Lane* q) {
      undo_loops(begin, end, q, steps, pulled);
      stop.after(2 * (end - begin) * d_ * d_ * lane_width);
    };
    if (!states_.run_backwards(loop, undo, stop)) return;
    finish(tasks, pulled, alpha, steps);
  }

 private:
  /// h_t
  Steps make_steps(std::span<const Pulled> pulled) {
    if (!basis_) {
      StepInput inputs[lane_width];
      for (std::size_t t = 0; t < pulled.size(); ++t) inputs[t] = pulled[t].steps;
      const Scaling plain[lane_width];
      return given_steps(problem_, {inputs, pulled.size()}, plain);
    }
    const LaneMatrix<D> copy{copy_.data(), d_};
    for (Index j = 0; j < d_; ++j) std::copy_n(gram_.S()[j], j + 1, copy[j]);
    basis_->reduce(copy);
    const Lane largest = basis_->largest_eigenvalue();
    eigenvector_->find(basis_->diagonal(), basis_->off_diagonal(), largest, u_.data());
    basis_->from_basis(u_.data());
    const auto idle = largest <= Lane::zero();
    return Steps::constant(select(idle, Lane::zero(), Lane::broadcast(1) / largest));
  }

  /// λ_T = −v̄
  void start(std::span<const Pulled> pulled) {
    const double* sources[lane_width];
    rows_.fill(0);
    for (Index t = 0; t < lane_width; ++t) {
      sources[t] = rows_.data() + t * d_;
      if (t < static_cast<Index>(pulled.size())) {
        pulled[static_cast<std::size_t>(t)].v_bar.read(0, d_, rows_.data() + t * d_);
      }
    }
    pack(sources, d_, lambda_.data());
    for (Index k = 0; k < d_; ++k) lambda_[k] = -lambda_[k];
    N_.fill(Lane::zero());
    w_sum_.fill(Lane::zero());
    w_carry_.fill(Lane::zero());
    h_bar_ = h_carry_ = Lane::zero();
  }

  /// Undoes  q_{t+1} = q_t − h_t (S q_t + c)  for end > t ≥ begin; q, (end − begin, d), begins with q_begin.
  void undo_loops(Index begin, Index end, const Lane* q, const Steps& steps,
                  std::span<const Pulled> pulled) {
    Lane h_bar_sum = Lane::zero();
    for (Index t = end - 1; t >= begin; --t) {
      const Lane* q_t = q + (t - begin) * d_;
      Lane* w_t = w_.data() + (t - begin) * d_;
      affine(gram_.S(), lambda_.data(), zero_.data(), g_.data());  // S λ_{t+1}
      const Lane h = steps(t);
      const Lane h_bar = -(dot(g_.data(), q_t) + dot(lambda_.data(), c_.data()));
      for (Index k = 0; k < d_; ++k) w_t[k] = -(h * lambda_[k]);
      descend(h, g_.data(), d_, lambda_.data());  // λ_t = λ_{t+1} − h_t S λ_{t+1}
      h_bar_sum = h_bar_sum + h_bar;
      write_step(t, h_bar, pulled);
    }
    add_with_carry(h_bar_sum, h_bar_, h_carry_);
    for (Index k = 0; k < d_; ++k) {
      Lane sum = Lane::zero();
      for (Index t = 0; t < end - begin; ++t) sum = sum + w_[t * d_ + k];
      add_with_carry(sum, w_sum_[k], w_carry_[k]);
    }
    detail::add_symmetric_products(w_.data(), q, end - begin, N());
  }

  void write_step(Index t, Lane h_bar, std::span<const Pulled> pulled) const {
    if (problem_.kind != StepKind::schedule) return;
    for (std::size_t k = 0; k < pulled.size(); ++k) {
      pulled[k].to.schedule[t] = h_bar[static_cast<Index>(k)] * factor();
    }
  }

  void finish(std::span<const Task> tasks, std::span<const Pulled> pulled, Lane alpha,
              const Steps& steps) {
    h_bar_ = h_bar_ + h_carry_;
    for (Index k = 0; k < d_; ++k) w_sum_[k] = w_sum_[k] + w_carry_[k];
    for (Index k = 0; k < d_; ++k) b_bar_[k] = alpha * w_sum_[k];
    if (basis_) {
      const Lane weight = step_weight(steps(0), h_bar_);
      for (Index j = 0; j < d_; ++j) {
        for (Index k = 0; k <= j; ++k) N()[j][k] = madd(weight * u_[j], u_[k], N()[j][k]);
      }
    }
    for (Index j = 0; j < d_; ++j) {
      for (Index k = 0; k < j; ++k) N()[k][j] = N()[j][k];
    }
    const Lane alpha_bar = dot(gram_.b(), w_sum_.data());
    double* to[lane_width];
    for (std::size_t t = 0; t < pulled.size(); ++t) {
      const auto element = static_cast<Index>(t);
      to[t] = pulled[t].to.q0;
      *pulled[t].to.alpha = alpha_bar[element];
      if (pulled[t].to.eta != nullptr) *pulled[t].to.eta = h_bar_[element] * factor();
    }
    if (to[0] != nullptr) unpack(lambda_.data(), d_, static_cast<Index>(pulled.size()), to);
    pull_back_context(tasks, pulled);
  }

  /// S = Xᵀ X and b = Xᵀ y:  X̄ = X N + y b̄ᵀ,  ȳ = X b̄
  void pull_back_context(std::span<const Task> tasks, std::span<const Pulled> pulled) {
    const Scaling plain[lane_width];
    const auto count = static_cast<Index>(tasks.size());
    gram_.for_each_piece(
        tasks.data(), plain, count, [&](Index begin, Index rows, const Lane* x, const Lane* y) {
          if (x_bar_.size() < rows * d_) x_bar_ = Array<Lane>(rows * d_);
          if (y_bar_.size() < rows) y_bar_ = Array<Lane>(rows);
          constexpr Index R = detail::packed_tile;
          Index i = 0;
          for (; i + R <= rows; i += R) {
            detail::pull_back_rows<R>(x + i * d_, y + i, N(), b_bar_.data(), &x_bar_[i * d_]);
          }
          for (; i < rows; ++i) {
            detail::pull_back_rows<1>(x + i * d_, y + i, N(), b_bar_.data(), &x_bar_[i * d_]);
          }
          for (i = 0; i < rows; ++i) y_bar_[i] = dot(x + i * d_, b_bar_.data());
          double* to_X[lane_width];
          double* to_y[lane_width];
          for (std::size_t t = 0; t < pulled.size(); ++t) {
            to_X[t] = pulled[t].to.X + begin * d_;
            to_y[t] = pulled[t].to.y + begin;
          }
          unpack(x_bar_.data(), rows * d_, count, to_X);
          unpack(y_bar_.data(), rows, count, to_y);
        });
  }

  /// ⟨a, b⟩, (d,)
  Lane dot(const Lane* a, const Lane* b) const {
    return sum_of_products(0, d_, [a](Index k) { return a[k]; }, [b](Index k) { return b[k]; });
  }

  LaneMatrix<D> N() { return {N_.data(), d_}; }
  double factor() const { return step_factor(problem_); }

  const Problem& problem_;
  Size<D> d_;
  Ahead ahead_;
  PackedGram<D> gram_;
  Checkpoints<Lane> states_;  // q_t
  std::optional<PackedTridiagonal<D>> basis_;
  std::optional<Eigenvector> eigenvector_;
  Array<Lane> copy_;     // (d, d) S in its basis
  Array<Lane> u_;        // (d,)
  Buffer rows_;          // (lane, d)
  Array<Lane> q0_;       // (d,)
  Array<Lane> c_;        // (d,) α b
  Array<Lane> g_;        // (d,)
  Array<Lane> zero_;     // (d,)
  Array<Lane> lambda_;   // (d,) λ_t
  Array<Lane> w_;        // (loops_at_once, d) w_t
  Array<Lane> w_sum_;    // (d,) w
  Array<Lane> w_carry_;  // (d,)
  Lane h_bar_ = Lane::zero();
  Lane h_carry_ = Lane::zero();
  Array<Lane> b_bar_;  // (d,)
  Array<Lane> N_;      // (d, d)
  Array<Lane> x_bar_;  // (rows, d) of a piece
  Array<Lane> y_bar_;  // (rows,)
};

}  // namespace loopcore
