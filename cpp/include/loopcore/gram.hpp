// Gram: one pass over X, then a loop costs d² whatever n is, or n² where n < d; and 4 d in the basis
// where S is tridiagonal. Tasks on one and the same X share the pass, S and the basis.
#pragma once

#include <algorithm>
#include <optional>

#include "loopcore/block_product.hpp"
#include "loopcore/dual.hpp"
#include "loopcore/engine.hpp"
#include "loopcore/householder.hpp"
#include "loopcore/lambda_max.hpp"
#include "loopcore/plan.hpp"
#include "loopcore/power.hpp"
#include "loopcore/token_gram.hpp"
#include "loopcore/tridiagonal_loop.hpp"

namespace loopcore {

/// The loop on z = q with S = XᵀX and b = α Xᵀy, or in the dual form on z = w with S = X Xᵀ and b = c:
///     z ← z − η (S z + b)
class Gram final : public Engine {
 public:
  /// For tasks of (n, d) that a team works on together, on the path gram, power or tridiagonal;
  /// `finds_step` where lambda_max() will be asked.
  Gram(Index n, Index d, Path path, bool dual, bool finds_step, const Team& team)
      : d_(d),
        size_(dual ? n : d),
        team_(team),
        tokens_(dual ? d : n, size_, team.threads()),
        q0_rows_(lane_width * d),
        q0_(d),
        b_(size_),
        z_(size_),
        g_(size_),
        out_(d),
        one_z_(padded(size_)),
        one_g_(padded(size_)) {
    if (dual) dual_.emplace(n, d);
    if (path == Path::power) power_.emplace(size_, team);
    if (path == Path::tridiagonal) {
      basis_.emplace(size_);
      loop_.emplace(size_);
    }
    if (finds_step && !finds_step_in_basis()) lambda_max_.emplace(size_);
  }

  /// Tasks that have their X in common; with power each by itself, for A belongs to one η.
  Index take(std::span<const Task> tasks) const override {
    const auto most = std::min(static_cast<Index>(tasks.size()), power_ ? 1 : lane_width);
    Index count = 1;
    while (count < most && tasks[static_cast<std::size_t>(count)].X == tasks[0].X) ++count;
    return count;
  }

  void open(std::span<const Task> tasks, const Scaling* scalings, Stop& stop) override {
    count_ = static_cast<Index>(tasks.size());
    const bool knows_X = X_ && *X_ == tasks[0].X && scalings[0].x == scale_x_;
    X_.reset();
    if (!sum_up(tasks, scalings, knows_X, stop)) return;
    if (!knows_X) look_at_S();
    const Lane alpha = read_alpha(tasks, scalings);
    const bool has_q0 = read_q0(tasks, d_, q0_rows_.data(), q0_.data());
    has_start_ = has_q0 && !dual_;
    if (dual_) {
      dual_->start(tasks, scalings, alpha, q0_.data(), b_.data());
      z_.fill(Lane::zero());
    } else {
      for (Index k = 0; k < d_; ++k) b_[k] = alpha * tokens_.b()[k];
      std::copy_n(q0_.data(), d_, z_.data());
    }
    moved_ = false;
    X_ = tasks[0].X;
    scale_x_ = scalings[0].x;
  }

  Lane::Comparison in_range() const override {
    const auto X_is = in_safe_range(Lane::broadcast(largest_));
    return dual_ ? X_is : X_is & in_safe_range(yy_);
  }

  Lane lambda_max(Stop& stop) override {
    if (!lambda_ && finds_step_in_basis()) {
      prepare(stop);
      if (stop.raised()) return Lane::zero();
      lambda_ = basis_->largest_eigenvalue();
    }
    if (!lambda_) {
      const auto multiply_S = [&](const double* v, double* w) {
        multiply(tokens_.S(), size_, v, w);
        stop.after(size_ * size_);
      };
      const double found = (*lambda_max_)(multiply_S, stop);
      if (stop.raised()) return Lane::zero();
      lambda_ = found;
    }
    return Lane::broadcast(*lambda_);
  }

  void prepare(Stop& stop) override {
    if (!basis_ || is_reduced_) return;
    basis_->reduce(tokens_.S(), stop);
    is_reduced_ = true;
    if (stop.raised()) X_.reset();  // S is neither itself nor reduced
  }

  void advance(Index begin, Index end, const Steps& steps, Stop& stop) override {
    if (begin == end) return;
    prepare(stop);
    if (basis_ && !moved_) {
      if (has_start_) to_own_basis(z_.data());
      to_own_basis(b_.data());
      loop_->open(basis_->diagonal(), basis_->off_diagonal(), b_.data());
    }
    moved_ = true;
    if (power_) {
      power_->run(tokens_.S(), b_.data(), steps(begin), end - begin, z_.data(), stop);
      return;
    }
    if (basis_) {
      loop_->run(begin, end, steps, z_.data(), stop, [] {});
    } else {
      for (Index t = begin; t < end && !stop.raised(); ++t) loop_in_place(steps(t), stop);
    }
  }

  const Lane* q() override {
    if (!moved_) return q0_.data();
    const Lane* z = z_.data();
    if (basis_) {
      std::copy_n(z, size_, g_.data());
      turn(g_.data(), [this](auto* v) { basis_->from_basis(v); });
      z = g_.data();
    }
    if (!dual_) return z;
    std::copy_n(q0_.data(), d_, out_.data());
    dual_->read_out(z, count_, out_.data());
    return out_.data();
  }

  const Lane* state() override {
    if (dual_ || !basis_) return q();
    if (moved_) return z_.data();
    std::copy_n(z_.data(), size_, g_.data());
    to_basis(g_.data());
    return g_.data();
  }

  void to_basis(Lane* v) override {
    if (basis_ && !dual_) to_own_basis(v);
  }

 private:
  bool sum_up(std::span<const Task> tasks, const Scaling* scalings, bool knows_X, Stop& stop) {
    if (dual_) {
      return knows_X || tokens_.form(tasks[0].X.transposed(), scalings[0].x, nullptr, nullptr, 0,
                                     false, team_, stop);
    }
    VectorView y[lane_width];
    int scale_y[lane_width];
    for (std::size_t t = 0; t < tasks.size(); ++t) {
      y[t] = tasks[t].y;
      scale_y[t] = scalings[t].y;
    }
    if (!tokens_.form(tasks[0].X, scalings[0].x, y, scale_y, count_, knows_X, team_, stop)) {
      return false;
    }
    for (Index t = 0; t < count_; ++t) yy_.set(t, tokens_.yy(t));
    return true;
  }

  /// What depends on X alone, as far as it is cheap.
  void look_at_S() {
    largest_ = 0;  // no other entry is larger than the diagonal
    for (Index k = 0; k < size_; ++k) largest_ = largest_magnitude(&tokens_.S()(k, k), 1, largest_);
    lambda_.reset();
    is_reduced_ = false;
  }

  /// v ← Qᵀ v, (size,)
  void to_own_basis(Lane* v) {
    turn(v, [this](auto* vectors) { basis_->to_basis(vectors); });
  }

  /// Applies `map` to the vectors of all open tasks at once; to that of a task alone, an eighth of the work.
  template <class Map>
  void turn(Lane* v, Map&& map) {
    if (count_ > 1) return map(v);
    unpack(v, 0, size_, one_z_.data());
    std::fill(one_z_.data() + size_, one_z_.data() + one_z_.size(), 0.0);
    map(one_z_.data());
    for (Index k = 0; k < size_; ++k) v[k] = Lane::broadcast(one_z_[k]);
  }

  /// The rounding of the basis grows with its size, to 9 u in λ_max at 150, and what Lanczos costs beside it
  /// falls, to a twentieth at 256.
  bool finds_step_in_basis() const { return basis_ && size_ <= 256; }

  void loop_in_place(Lane eta, Stop& stop) {
    if (count_ == 1) {
      unpack(z_.data(), 0, size_, one_z_.data());
      multiply(tokens_.S(), size_, one_z_.data(), one_g_.data());
      for (Index k = 0; k < size_; ++k) g_[k] = Lane::broadcast(one_g_[k]);
    } else {
      multiply(tokens_.S(), size_, z_.data(), g_.data());
    }
    for (Index k = 0; k < size_; ++k) z_[k] = madd(-eta, g_[k] + b_[k], z_[k]);
    stop.after(size_ * size_ * (count_ == 1 ? 1 : lane_width));
  }

  Index d_;
  Index size_;  // of S
  const Team& team_;
  TokenGram tokens_;
  std::optional<Dual> dual_;
  std::optional<Power<SharedMap>> power_;
  std::optional<Householder> basis_;
  std::optional<TridiagonalLoop<double>> loop_;
  std::optional<LambdaMax> lambda_max_;
  Index count_ = 0;              // of the tasks that are open
  std::optional<MatrixView> X_;  // whose S is known
  int scale_x_ = 0;              // and as scaled
  double largest_ = 0;           // entry of S
  Lane yy_ = Lane::zero();       // Σ y², primal only
  std::optional<double> lambda_;
  bool is_reduced_ = false;  // S to tridiagonal form
  bool has_start_ = false;   // whether z does not start at zero
  bool moved_ = false;       // whether a loop has run: until then q = q(0)
  Buffer q0_rows_;           // (lane, d)
  Array<Lane> q0_;           // (d,)
  Array<Lane> b_;            // (size,)
  Array<Lane> z_;            // (size,) the state
  Array<Lane> g_;            // (size,)
  Array<Lane> out_;          // (d,)
  Buffer one_z_;             // (size,) z and g of a task alone
  Buffer one_g_;
};

}  // namespace loopcore
