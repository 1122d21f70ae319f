// Eigenvector: that of the largest eigenvalue of a tridiagonal matrix, several side by side.
#pragma once

#include <algorithm>

#include "loopcore/buffer.hpp"
#include "loopcore/lane.hpp"
#include "loopcore/types.hpp"

namespace loopcore {

/// By the twisted factorisation of T − λ (Parlett and Dhillon, 1997): pivots from both ends,
///     p_i = a_i − λ − o²_{i−1} / p_{i−1},   m_i = a_i − λ − o²_i / m_{i+1},
/// meet at the i where γ_i = p_i + m_i − (a_i − λ) is nearest to 0; there z_i = 1, and
///     z_i = −(o_i / p_i) z_{i+1} before,   z_i = −(o_{i−1} / m_i) z_{i−1} after it.
/// A pivot nearer to 0 than u λ is put there: that moves the matrix by no more than its own rounding.
class Eigenvector {
 public:
  explicit Eigenvector(Index d) : d_(d), before_(d), after_(d), pivot_(d) {}

  /// z, (d,), of norm 1; a the diagonal, (d,), o beside it, (d − 1,), lambda = λ_max ≥ 0.
  void find(const Lane* a, const Lane* o, Lane lambda, Lane* z) {
    if (d_ == 0) return;
    const Lane nearest = max(Lane::broadcast(0x1p-53) * lambda, Lane::broadcast(0x1p-900));
    const auto off_zero = [nearest](Lane pivot) {
      return select(abs(pivot) < nearest, -nearest, pivot);
    };
    for (Index i = 0; i < d_; ++i) {
      Lane p = a[i] - lambda;
      if (i > 0) p = madd(before_[i - 1], o[i - 1], p);
      pivot_[i] = p = off_zero(p);
      if (i + 1 < d_) before_[i] = -(o[i] / p);
    }
    Lane least;  // |γ_i|
    Lane twist = Lane::zero();
    for (Index i = d_ - 1; i >= 0; --i) {
      Lane m = a[i] - lambda;
      if (i + 1 < d_) m = madd(after_[i + 1], o[i], m);
      const Lane gamma = abs(pivot_[i] + (m - (a[i] - lambda)));
      m = off_zero(m);
      if (i > 0) after_[i] = -(o[i - 1] / m);
      const Lane here = Lane::broadcast(static_cast<double>(i));
      twist = i + 1 == d_ ? here : select(gamma < least, here, twist);
      least = i + 1 == d_ ? gamma : select(gamma < least, gamma, least);
    }
    spread(twist, z);
  }

 private:
  /// z from its entry 1 at `twist`.
  void spread(Lane twist, Lane* z) const {
    const Lane one = Lane::broadcast(1);
    for (Index i = d_ - 1; i >= 0; --i) {
      const Lane here = Lane::broadcast(static_cast<double>(i));
      const Lane next = i + 1 < d_ ? before_[i] * z[i + 1] : Lane::zero();
      z[i] = select(here < twist, next, select(twist < here, Lane::zero(), one));
    }
    for (Index i = 1; i < d_; ++i) {
      const Lane here = Lane::broadcast(static_cast<double>(i));
      z[i] = select(twist < here, after_[i] * z[i - 1], z[i]);
    }
    const auto z_i = [z](Index i) { return z[i]; };
    const Lane inverse = one / sqrt(sum_of_products(0, d_, z_i, z_i));
    for (Index i = 0; i < d_; ++i) z[i] = inverse * z[i];
  }

  Index d_;
  Array<Lane> before_;  // (d,) z_i / z_{i+1} in front of the twist
  Array<Lane> after_;   // (d,) z_i / z_{i−1} behind it
  Array<Lane> pivot_;   // (d,) p
};

}  // namespace loopcore
