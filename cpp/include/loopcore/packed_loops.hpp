// PackedLoops: the loops of a few small tasks in lanes, one an element, from S and b on.
#pragma once

#include <algorithm>
#include <optional>

#include "loopcore/ahead.hpp"
#include "loopcore/buffer.hpp"
#include "loopcore/packed_gram.hpp"
#include "loopcore/packed_loop.hpp"
#include "loopcore/plan.hpp"
#include "loopcore/power.hpp"
#include "loopcore/steps.hpp"
#include "loopcore/stop.hpp"
#include "loopcore/tridiagonal.hpp"
#include "loopcore/tridiagonal_loop.hpp"

namespace loopcore {

/// z ← z − η (S z + b) on q itself, or on z = Qᵀ q in the basis Q where S is tridiagonal. D is the size of the
/// tasks, or 0 for any.
template <Index D>
class PackedLoops {
 public:
  /// For tasks of size d on the path gram, power or tridiagonal; `finds_step` where lambda_max() will be
  /// asked. `ahead` is told of idle moments and must outlive this.
  PackedLoops(Index d, Path path, bool finds_step, Ahead& ahead)
      : d_(d),
        ahead_(ahead),
        z_(d),
        g_(d),
        copy_(finds_step && path != Path::tridiagonal ? d * d : 0) {
    if (path == Path::power) power_.emplace(d, ahead);
    if (path == Path::tridiagonal || finds_step) basis_.emplace(d);
    if (path == Path::tridiagonal) loop_.emplace(d);
  }

  /// q(0), (d,), to be set before open().
  Lane* start() { return z_.data(); }

  /// S (d, d), its lower triangle, and b (d,) stay the caller's, but what they hold from now on is open.
  /// `has_start` where q(0) may not be zero.
  void open(LaneMatrix<D> S, Lane* b, bool has_start) {
    S_ = S;
    b_ = b;
    has_start_ = has_start;
    moved_ = false;
    if (!basis_) return;
    if (loop_) {
      basis_->reduce(S_);
      basis_->to_basis(b_);
    } else {
      const LaneMatrix<D> copy{copy_.data(), d_};
      for (Index j = 0; j < d_; ++j) std::copy_n(S_[j], j + 1, copy[j]);
      basis_->reduce(copy);
    }
  }

  /// λ_max(S)
  Lane lambda_max() const { return basis_->largest_eigenvalue(); }

  /// The loops begin … end − 1.
  void advance(Index begin, Index end, const Steps& steps, Stop& stop) {
    if (begin == end) return;
    if (loop_ && !moved_) {
      if (has_start_) basis_->to_basis(z_.data());
      loop_->open(basis_->diagonal(), basis_->off_diagonal(), b_);
    }
    moved_ = true;
    if (power_) {
      power_->run(S_, b_, steps(begin), end - begin, z_.data(), stop);
    } else if (loop_) {
      loop_->run(begin, end, steps, z_.data(), stop, [this] { ahead_.ask(); });
    } else {
      advance_in_place(begin, end, steps, stop);
    }
  }

  /// q, (d,)
  const Lane* q() {
    if (!loop_ || !moved_) return z_.data();
    std::copy_n(z_.data(), d_, g_.data());
    basis_->from_basis(g_.data());
    return g_.data();
  }

  /// Qᵀ q, (d,)
  const Lane* state() {
    if (!loop_ || moved_) return z_.data();
    std::copy_n(z_.data(), d_, g_.data());
    basis_->to_basis(g_.data());
    return g_.data();
  }

  /// v ← Qᵀ v, (d,)
  void to_basis(Lane* v) {
    if (loop_) basis_->to_basis(v);
  }

 private:
  void advance_in_place(Index begin, Index end, const Steps& steps, Stop& stop) {
    for (Index t = begin; t < end; ++t) {
      ahead_.ask();
      affine(S_, z_.data(), b_, g_.data());
      descend(steps(t), g_.data(), d_, z_.data());
      if (stop.after(d_ * d_ * lane_width)) return;
    }
  }

  Size<D> d_;
  Ahead& ahead_;
  LaneMatrix<D> S_{nullptr, d_};
  Lane* b_ = nullptr;
  std::optional<Power<PackedMap<D>>> power_;
  std::optional<PackedTridiagonal<D>> basis_;
  std::optional<TridiagonalLoop<Lane>> loop_;
  bool has_start_ = false;  // whether z does not start at zero
  bool moved_ = false;      // whether a loop has run: until then z is q(0) itself
  Array<Lane> z_;           // (d,) the state
  Array<Lane> g_;           // (d,)
  Array<Lane> copy_;        // (d, d) S, where the basis is wanted for λ_max alone
};

}  // namespace loopcore
