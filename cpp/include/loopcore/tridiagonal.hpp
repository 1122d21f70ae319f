// Tridiagonal: the loop in a basis where S is tridiagonal, O(d) a loop whatever the steps are.
//
// S = Q T Qᵀ with Q a product of Householder reflections (Golub and Van Loan, Matrix Computations,
// 8.3.1). With z = Qᵀ q and c = Qᵀ b the loop is
//     z ← z − η (T z + c)
// The basis costs ⅔ d³ multiply-adds, a ninth of the eigenbasis, in a fixed number of steps: nothing
// has to converge. A loop in it costs 4 d.
#pragma once

#include <algorithm>
#include <cmath>

#include "loopcore/buffer.hpp"
#include "loopcore/lane.hpp"
#include "loopcore/packed_gram.hpp"
#include "loopcore/range.hpp"
#include "loopcore/types.hpp"

namespace loopcore {

/// z ← z − η (T z + c) on vectors of lanes. T has the diagonal a and the off-diagonal o, one a lane
/// element (Value = Lane) or the same for all (Value = double). All (d,), o with d − 1 entries.
template <class Value>
void tridiagonal_loop(const Value* a, const Value* o, const Lane* c, Index d, Lane eta, Lane* z) {
  if (d == 0) return;
  Lane before = Lane::zero();  // o_{k−1} z_{k−1}, of the old z
  for (Index k = 0; k + 1 < d; ++k) {
    const Lane z_k = z[k];
    Lane g = madd(a[k], z_k, c[k] + before);
    g = madd(o[k], z[k + 1], g);
    before = o[k] * z_k;
    z[k] = madd(-eta, g, z_k);
  }
  const Lane g = madd(a[d - 1], z[d - 1], c[d - 1] + before);
  z[d - 1] = madd(-eta, g, z[d - 1]);
}

/// The largest eigenvalue of T, or 0 where that is negative.
///
/// Laguerre's iteration falls monotonically from any upper bound x. With p the characteristic
/// polynomial of the leading blocks, p_k = (x − a_k) p_{k−1} − o²_{k−1} p_{k−2}, it needs p, p', p''.
/// They are scaled on the way: at a distance δ from m eigenvalues that agree they are as small as δᵐ.
/// There it converges linearly, slowest for m = d/2: 100 iterations at d = 32, elsewhere under ten.
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
    const Lane next = x - n * p / (p1 + sqrt(spread));
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
      : d_(d), S_{nullptr, Size<D>(d)}, a_(d), o_(d), shifted_(d), tau_(d), v_(d), w_(d) {}

  /// Reduces S, of which the lower triangle is read and overwritten. It is S − σ with the mean eigenvalue
  /// σ that is reduced, for rounding is relative to its norm: of eigenvalues that all agree nothing is
  /// lost (38 u at d = 20 without it).
  void reduce(LaneMatrix<D> S) {
    S_ = S;
    Lane sigma = Lane::zero();
    for (Index k = 0; k < d_; ++k) sigma = sigma + S[k][k];
    sigma = Lane::broadcast(1 / static_cast<double>(std::max<Index>(d_, 1))) * sigma;
    for (Index k = 0; k < d_; ++k) S[k][k] = S[k][k] - sigma;
    for (Index k = 0; k + 2 < d_; ++k) {
      make_reflector(k);
      apply_to_trailing(k);
    }
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

  /// H = 1 − τ v vᵀ that takes column k below the diagonal, x, to (o_k, 0, …, 0), with
  ///     o = −sign(x_0) ‖x‖,   τ = (o − x_0) / o,   v = (x_i / (x_0 − o)).
  /// Where x is negligible after its first entry there is nothing to do: τ = 0.
  void make_reflector(Index k) {
    const Lane x_0 = v(k, k + 1);
    for (Index i = k + 2; i < d_; ++i) v_[i] = v(k, i);
    const Lane rest = dot(&v_[k + 2], &v_[k + 2], d_ - k - 2);
    const Lane norm = sqrt(madd(x_0, x_0, rest));
    const auto idle = rest <= Lane::broadcast(negligible_square);
    const Lane one = Lane::broadcast(1);
    const Lane o = select(idle, x_0, select(x_0 < Lane::zero(), norm, -norm));
    const Lane divisor = select(idle, one, o);
    tau_[k] = select(idle, Lane::zero(), (o - x_0) / divisor);
    const Lane inverse = select(idle, Lane::zero(), one / select(idle, one, x_0 - o));
    o_[k] = o;
    v_[k + 1] = v(k, k + 1) = one;
    for (Index i = k + 2; i < d_; ++i) v_[i] = v(k, i) = v_[i] * inverse;
  }

  /// A ← H A H on the rows and columns after k:  p = τ A v,  w = p − ½ τ ⟨p, v⟩ v,  A ← A − v wᵀ − w vᵀ
  void apply_to_trailing(Index k) {
    const Index first = k + 1;
    Index i = first;
    for (; i + 4 <= d_; i += 4) multiply_rows<4>(k, i);
    for (; i < d_; ++i) multiply_rows<1>(k, i);
    const Lane product = dot(&w_[first], &v_[first], d_ - first);
    const Lane factor = Lane::broadcast(-0.5) * tau_[k] * product;
    for (Index j = first; j < d_; ++j) w_[j] = madd(factor, v_[j], w_[j]);
    i = first;
    for (; i + 4 <= d_; i += 4) update_rows<4>(first, i);
    for (; i < d_; ++i) update_rows<1>(first, i);
  }

  /// w_i = τ Σ_j A_ij v_j for R rows i, from the lower triangle
  template <Index R>
  void multiply_rows(Index k, Index i) {
    Lane sum[R];
    std::fill_n(sum, R, Lane::zero());
    for (Index j = k + 1; j < i; ++j) {
      const Lane v_j = v_[j];
      for (Index r = 0; r < R; ++r) sum[r] = madd(S_[i + r][j], v_j, sum[r]);
    }
    for (Index j = i; j < i + R; ++j) {
      const Lane v_j = v_[j];
      for (Index r = 0; r < R; ++r) {
        sum[r] = madd(j <= i + r ? S_[i + r][j] : S_[j][i + r], v_j, sum[r]);
      }
    }
    for (Index j = i + R; j < d_; ++j) {
      const Lane v_j = v_[j];
      for (Index r = 0; r < R; ++r) sum[r] = madd(S_[j][i + r], v_j, sum[r]);
    }
    for (Index r = 0; r < R; ++r) w_[i + r] = tau_[k] * sum[r];
  }

  /// A_ij ← A_ij − v_i w_j − w_i v_j for R rows i, up to the diagonal and a little beyond
  template <Index R>
  void update_rows(Index first, Index i) {
    for (Index j = first; j < i + R; ++j) {
      const Lane v_j = v_[j];
      const Lane w_j = w_[j];
      for (Index r = 0; r < R; ++r) {
        Lane& A_ij = S_[i + r][j];
        A_ij = madd(-v_[i + r], w_j, madd(-w_[i + r], v_j, A_ij));
      }
    }
  }

  /// z ← z − τ ⟨v, z⟩ v
  void reflect(Index k, Lane* z) const {
    Lane sum[4];
    std::fill_n(sum, 4, Lane::zero());
    for (Index i = k + 1; i < d_; ++i) sum[i % 4] = madd(v(k, i), z[i], sum[i % 4]);
    const Lane factor = -(tau_[k] * ((sum[0] + sum[2]) + (sum[1] + sum[3])));
    for (Index i = k + 1; i < d_; ++i) z[i] = madd(factor, v(k, i), z[i]);
  }

  /// Σ a_i b_i, in four chains
  static Lane dot(const Lane* a, const Lane* b, Index count) {
    Lane sum[4];
    std::fill_n(sum, 4, Lane::zero());
    Index i = 0;
    for (; i + 4 <= count; i += 4) {
      for (Index c = 0; c < 4; ++c) sum[c] = madd(a[i + c], b[i + c], sum[c]);
    }
    for (; i < count; ++i) sum[0] = madd(a[i], b[i], sum[0]);
    return (sum[0] + sum[2]) + (sum[1] + sum[3]);
  }

  Size<D> d_;
  LaneMatrix<D> S_;      // (d, d): the reflectors below the diagonal
  Array<Lane> a_;        // (d,)
  Array<Lane> o_;        // (d,)
  Array<Lane> shifted_;  // (d,) a − σ
  Lane sigma_ = Lane::zero();
  Array<Lane> tau_;  // (d,)
  Array<Lane> v_;    // (d,) the reflector at work
  Array<Lane> w_;    // (d,)
};

}  // namespace loopcore
