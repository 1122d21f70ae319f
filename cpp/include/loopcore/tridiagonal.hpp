// Tridiagonal: the basis in which S is tridiagonal, of several small tasks at once. There a loop costs O(d)
// whatever the steps are.
//
// S = Q T Qᵀ with Q a product of Householder reflections (Golub and Van Loan, Matrix Computations,
// 8.3.1). With z = Qᵀ q and c = Qᵀ b the loop is
//     z ← z − η (T z + c)
// The basis costs ⅔ d³ multiply-adds, a ninth of the eigenbasis, in a fixed number of steps: nothing
// has to converge. A loop in it costs 4 d.
#pragma once

#include <algorithm>
#include <cmath>
#include <utility>

#include "loopcore/buffer.hpp"
#include "loopcore/lane.hpp"
#include "loopcore/packed_gram.hpp"
#include "loopcore/range.hpp"
#include "loopcore/types.hpp"

namespace loopcore {

/// The largest eigenvalue of T, or 0 where that is negative.
///
/// Laguerre's iteration falls monotonically from any upper bound x. With p the characteristic
/// polynomial of the leading blocks, p_k = (x − a_k) p_{k−1} − o²_{k−1} p_{k−2}, it needs p, p', p''.
/// They are scaled on the way: at a distance δ from m eigenvalues that agree they are as small as δᵐ.
/// There it converges linearly, slowest for m = d/2: 100 iterations at d = 32, 145 at 64, elsewhere under ten.
/// Of rank one, the first step leads to λ itself, but for rounding in proportion to d: it is taken a little
/// short, for what falls below λ stays there (R = 36 at n = 1, d = 64 without).
inline Lane largest_eigenvalue(const Lane* a, const Lane* o, Index d) {
  if (d == 0) return Lane::zero();
  // Gershgorin's bound
  Lane bound = Lane::zero();
  for (Index k = 0; k < d; ++k) {
    Lane radius = abs(a[k]);
    if (k > 0) radius = radius + abs(o[k - 1]);
    if (k + 1 < d) radius = radius + abs(o[k]);
    bound = max(bound, radius);
  }
  // x = λ / bound
  const Lane one = Lane::broadcast(1);
  const auto positive = Lane::zero() < bound;
  const Lane inverse = select(positive, one / select(positive, bound, one), Lane::zero());
  Lane x = one;
  auto moving = positive;
  const Lane shortened = Lane::broadcast(1 - 0x1p-50 * static_cast<double>(d));
  for (int iteration = 0; iteration < 200 && any(moving); ++iteration) {
    Lane p = x - a[0] * inverse;
    Lane p1 = one;
    Lane p2 = Lane::zero();
    Lane last = one;
    Lane last1 = Lane::zero();
    Lane last2 = Lane::zero();
    Lane lowest = p;
    for (Index k = 1; k < d; ++k) {
      const Lane shift = x - a[k] * inverse;
      const Lane off = o[k - 1] * inverse;
      const Lane square = -(off * off);
      const Lane next = madd(shift, p, square * last);
      const Lane next1 = madd(shift, p1, madd(square, last1, p));
      const Lane next2 = madd(shift, p2, madd(square, last2, p1 + p1));
      last = p, last1 = p1, last2 = p2;
      p = next, p1 = next1, p2 = next2;
      lowest = select(p < lowest, p, lowest);
      const auto tiny = p2 < Lane::broadcast(0x1p-60);
      if (k % 8 == 0 && any(tiny)) {
        const Lane largest = max(max(abs(p), abs(p1)), abs(p2));
        const Lane factor = select(tiny, one / largest, one);
        for (Lane* value : {&last, &last1, &last2, &p, &p1, &p2}) *value = factor * *value;
      }
    }
    // x ← x − d p / (p' + √((d − 1) ((d − 1) p'² − d p p'')))
    const Lane n1 = Lane::broadcast(static_cast<double>(d - 1));
    const Lane n = Lane::broadcast(static_cast<double>(d));
    const Lane spread = max(n1 * (n1 * p1 * p1 - n * p * p2), Lane::zero());
    const Lane next = x - shortened * (n * p / (p1 + sqrt(spread)));
    // Were not all leading blocks positive, x would have come down among eigenvalues that agree.
    moving = moving & (next < x) & (Lane::zero() < lowest);
    x = select(moving, next, x);
  }
  return x * bound;
}

/// Of S in lanes.
template <Index D>
class PackedTridiagonal {
 public:
  explicit PackedTridiagonal(Index d)
      : d_(d),
        S_{nullptr, Size<D>(d)},
        a_(d),
        o_(d),
        shifted_(d),
        tau_(d),
        u_(d),
        p_(d),
        v_(d),
        w_(d) {}

  /// Reduces S, of which the lower triangle is read and overwritten. It is S − σ with the mean eigenvalue
  /// σ that is reduced, for rounding is relative to its norm: of eigenvalues that all agree nothing is
  /// lost (38 u at d = 20 without it).
  void reduce(LaneMatrix<D> S) {
    S_ = S;
    Lane sigma = Lane::zero();
    for (Index k = 0; k < d_; ++k) sigma = sigma + S[k][k];
    sigma = Lane::broadcast(1 / static_cast<double>(std::max<Index>(d_, 1))) * sigma;
    for (Index k = 0; k < d_; ++k) S[k][k] = S[k][k] - sigma;
    v_.fill(Lane::zero());
    w_.fill(Lane::zero());
    for (Index k = 0; k + 2 < d_; ++k) {
      update_column(k);
      make_reflector(k);
      update_and_multiply(k + 1);
      finish_w(k);
    }
    for (Index k = std::max<Index>(d_ - 2, 0); k < d_; ++k) update_column(k);
    for (Index k = 0; k < d_; ++k) shifted_[k] = S[k][k];
    for (Index k = 0; k < d_; ++k) a_[k] = shifted_[k] + sigma;
    sigma_ = sigma;
    if (d_ > 1) o_[d_ - 2] = S[d_ - 1][d_ - 2];
  }

  /// Of S and T alike. That of T − σ is never negative.
  Lane largest_eigenvalue() const {
    return loopcore::largest_eigenvalue(shifted_.data(), o_.data(), d_) + sigma_;
  }

  const Lane* diagonal() const { return a_.data(); }      // (d,)
  const Lane* off_diagonal() const { return o_.data(); }  // (d − 1,)

  /// z ← Qᵀ z, (d,)
  void to_basis(Lane* z) const {
    for (Index k = 0; k + 2 < d_; ++k) reflect(k, z);
  }
  /// z ← Q z, (d,)
  void from_basis(Lane* z) const {
    for (Index k = d_ - 3; k >= 0; --k) reflect(k, z);
  }

 private:
  Lane& v(Index k, Index i) const { return S_[i][k]; }  // reflector k, i = k+1 … d−1, v_{k+1} = 1

  // The reflections H = 1 − τ u uᵀ are applied one step late:
  //     A ← H A H = A − u wᵀ − w uᵀ,   p = A u,   w = τ p − ½ τ² ⟨p, u⟩ u
  // with v and w those of the step before, so that one pass over A, as much of it as is left, both brings
  // it up to date and forms the next p. Only its lower triangle is touched.

  /// A_ik ← A_ik − v_i w_k − w_i v_k,  i ≥ k
  void update_column(Index k) {
    for (Index i = k; i < d_; ++i) {
      S_[i][k] = madd(-v_[i], w_[k], madd(-w_[i], v_[k], S_[i][k]));
    }
  }

  /// H that takes column k below the diagonal, x, to (o_k, 0, …, 0), with
  ///     o = −sign(x_0) ‖x‖,   τ = (o − x_0) / o,   u = (x_i / (x_0 − o)).
  /// Where x is negligible after its first entry there is nothing to do: τ = 0.
  void make_reflector(Index k) {
    const Lane x_0 = v(k, k + 1);
    for (Index i = k + 2; i < d_; ++i) u_[i] = v(k, i);
    const Lane rest = dot(u_, u_, k + 2);
    const Lane norm = sqrt(madd(x_0, x_0, rest));
    const auto idle = rest <= Lane::broadcast(negligible_square);
    const Lane one = Lane::broadcast(1);
    const Lane o = select(idle, x_0, select(x_0 < Lane::zero(), norm, -norm));
    const Lane divisor = select(idle, one, o);
    tau_[k] = select(idle, Lane::zero(), (o - x_0) / divisor);
    const Lane inverse = select(idle, Lane::zero(), one / select(idle, one, x_0 - o));
    o_[k] = o;
    u_[k + 1] = v(k, k + 1) = one;
    for (Index i = k + 2; i < d_; ++i) u_[i] = v(k, i) = u_[i] * inverse;
  }

  /// A ← A − v wᵀ − w vᵀ and p = A u, from row and column `first` on
  void update_and_multiply(Index first) {
    constexpr Index R = lane_width == 8 ? 4 : 2;
    Index i = first;
    for (; i + R <= d_; i += R) update_and_multiply_rows<R>(first, i);
    for (; i < d_; ++i) update_and_multiply_rows<1>(first, i);
  }

  /// R rows i of it, with what they, and by symmetry their columns, add to p.
  template <Index R>
  void update_and_multiply_rows(Index first, Index i) {
    Lane v_i[R], w_i[R], u_i[R], sum[R];
    for (Index r = 0; r < R; ++r) {
      v_i[r] = -v_[i + r];
      w_i[r] = -w_[i + r];
      u_i[r] = u_[i + r];
      sum[r] = Lane::zero();
    }
    for (Index j = first; j < i; ++j) {
      const Lane v_j = v_[j], w_j = w_[j], u_j = u_[j];
      Lane p_j = p_[j];
      for (Index r = 0; r < R; ++r) {
        const Lane A_ij = madd(v_i[r], w_j, madd(w_i[r], v_j, S_[i + r][j]));
        S_[i + r][j] = A_ij;
        sum[r] = madd(A_ij, u_j, sum[r]);
        p_j = madd(A_ij, u_i[r], p_j);
      }
      p_[j] = p_j;
    }
    for (Index r = 0; r < R; ++r) {
      for (Index c = 0; c <= r; ++c) {
        const Lane A_rc = madd(v_i[r], -w_i[c], madd(w_i[r], -v_i[c], S_[i + r][i + c]));
        S_[i + r][i + c] = A_rc;
        sum[r] = madd(A_rc, u_i[c], sum[r]);
        if (c < r) sum[c] = madd(A_rc, u_i[r], sum[c]);
      }
    }
    for (Index r = 0; r < R; ++r) p_[i + r] = sum[r];
  }

  /// v, w ← u, τ p − ½ τ² ⟨p, u⟩ u
  void finish_w(Index k) {
    const Index first = k + 1;
    const Lane product = tau_[k] * dot(p_, u_, first);
    const Lane factor = Lane::broadcast(-0.5) * tau_[k] * product;
    for (Index j = first; j < d_; ++j) w_[j] = madd(factor, u_[j], tau_[k] * p_[j]);
    std::swap(v_, u_);
  }

  /// z ← z − τ ⟨v, z⟩ v
  void reflect(Index k, Lane* z) const {
    const auto v_k = [&](Index i) { return v(k, i); };
    const Lane factor = -(tau_[k] * sum_of_products(k + 1, d_, v_k, [&](Index i) { return z[i]; }));
    for (Index i = k + 1; i < d_; ++i) z[i] = madd(factor, v(k, i), z[i]);
  }

  /// ⟨a, b⟩ from entry `begin` on
  Lane dot(const Array<Lane>& a, const Array<Lane>& b, Index begin) const {
    return sum_of_products(begin, d_, [&](Index i) { return a[i]; }, [&](Index i) { return b[i]; });
  }

  Size<D> d_;
  LaneMatrix<D> S_;      // (d, d): the reflectors below the diagonal
  Array<Lane> a_;        // (d,)
  Array<Lane> o_;        // (d,)
  Array<Lane> shifted_;  // (d,) a − σ
  Lane sigma_ = Lane::zero();
  Array<Lane> tau_;  // (d,)
  Array<Lane> u_;    // (d,) the reflector at work
  Array<Lane> p_;    // (d,)
  Array<Lane> v_;    // (d,) the one before
  Array<Lane> w_;    // (d,)
};

}  // namespace loopcore
