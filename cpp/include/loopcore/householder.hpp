// Householder: S = Q T Qᵀ of one larger S, by reflections H_k = 1 − τ v vᵀ.
#pragma once

#include <algorithm>
#include <cmath>

#include "loopcore/buffer.hpp"
#include "loopcore/lane.hpp"
#include "loopcore/lane_blocks.hpp"
#include "loopcore/range.hpp"
#include "loopcore/rows.hpp"
#include "loopcore/stop.hpp"
#include "loopcore/types.hpp"

namespace loopcore {

/// Of the update and the product of a step
///     A ← A − v wᵀ − w vᵀ,   p = A u,   w' = τ p − ½ τ² ⟨p, u⟩ u
/// the update waits until the next reflector u is known, which takes one column of A. Both then need one
/// pass over A together: from memory it is the passes that cost.
class Householder {
 public:
  /// For S of (d, d).
  explicit Householder(Index d)
      : d_(d), a_(d), o_(d), tau_(d), v_(padded(d)), w_(padded(d)), u_(padded(d)), p_(padded(d)) {}

  /// Reduces S, which is overwritten: its row k keeps the reflector k. As in PackedTridiagonal, S − σ is
  /// reduced, with the mean eigenvalue σ.
  void reduce(const LaneBlocks& S, Stop& stop) {
    S_ = S;
    double sigma = 0;
    for (Index k = 0; k < d_; ++k) sigma += S(k, k) / static_cast<double>(d_);
    for (Index k = 0; k < d_; ++k) S(k, k) -= sigma;
    v_.fill(0);
    w_.fill(0);
    for (Index k = 0; k < d_; ++k) {
      take_column(k);
      a_[k] = u_[k] + sigma;
      if (k + 1 == d_) break;
      o_[k] = make_reflector(k);
      update_and_multiply(k + 1);
      std::swap(v_, u_);
      make_update(k);
      for (Index i = k + 1; i < d_; ++i) S_(k, i) = v_[i];
      if (stop.after(3 * (d_ - k) * (d_ - k))) return;
    }
  }

  const double* diagonal() const { return a_.data(); }      // (d,)
  const double* off_diagonal() const { return o_.data(); }  // (d − 1,)

  /// z ← Qᵀ z on a lane of vectors, (d,)
  void to_basis(Lane* z) const {
    for (Index k = 0; k + 1 < d_; ++k) reflect(k, z);
  }
  /// z ← Q z
  void from_basis(Lane* z) const {
    for (Index k = d_ - 2; k >= 0; --k) reflect(k, z);
  }

 private:
  /// u ← column k of A from the diagonal on, with the update that still waits; zeros before it.
  void take_column(Index k) {
    std::fill_n(u_.data(), k, 0.0);
    for (Index i = k; i < d_; ++i) {
      u_[i] = madd(-v_[i], w_[k], madd(-w_[i], v_[k], S_(i, k)));
    }
  }

  /// u ← the reflector that takes the column to (…, a_k, o_k, 0, …), with u_{k+1} = 1. Returns o_k; see
  /// PackedTridiagonal.
  double make_reflector(Index k) {
    const double first = u_[k + 1];
    u_[k] = u_[k + 1] = 0;
    const double* rest = u_.data();
    double rest2;
    dot_rows<1>(&rest, d_, u_.data(), &rest2);
    u_[k + 1] = 1;
    if (rest2 <= negligible_square) {
      tau_[k] = 0;
      std::fill_n(&u_[k + 1] + 1, d_ - k - 2, 0.0);
      return first;
    }
    const double norm = std::sqrt(madd(first, first, rest2));
    const double o = first < 0 ? norm : -norm;
    tau_[k] = (o - first) / o;
    const double inverse = 1 / (first - o);
    for (Index i = k + 2; i < d_; ++i) u_[i] *= inverse;
    return o;
  }

  /// A ← A − v wᵀ − w vᵀ and p = A u on the rows and columns from `first` on, and what shares a lane with
  /// them.
  void update_and_multiply(Index first) {
    Index l = first / lane_width * lane_width;
    for (; l + 2 * lane_width <= padded(d_); l += 2 * lane_width) update_columns<2>(first, l);
    if (l < d_) update_columns<1>(first, l);
  }

  /// For L lanes of columns from `column` on. p is summed in four interleaved chains over the rows.
  template <Index L>
  void update_columns(Index first, Index column) {
    Lane v[L];
    Lane w[L];
    Lane sum[4][L];
    double* block[L];
    for (Index l = 0; l < L; ++l) {
      v[l] = -Lane::load(&v_[column + l * lane_width]);
      w[l] = -Lane::load(&w_[column + l * lane_width]);
      block[l] = S_.block(column + l * lane_width);
      for (auto& chain : sum) chain[l] = Lane::zero();
    }
    const auto add = [&](Index i, Lane* chain) {
      const Lane v_i = Lane::broadcast(v_[i]);
      const Lane w_i = Lane::broadcast(w_[i]);
      const Lane u_i = Lane::broadcast(u_[i]);
      for (Index l = 0; l < L; ++l) {
        double* A_i = block[l] + i * lane_width;
        const Lane updated = madd(v_i, w[l], madd(w_i, v[l], Lane::load(A_i)));
        updated.store(A_i);
        chain[l] = madd(u_i, updated, chain[l]);
      }
    };
    Index i = first;
    for (; i + 4 <= d_; i += 4) {
      for (Index c = 0; c < 4; ++c) add(i + c, sum[c]);
    }
    for (Index c = 0; i < d_; ++i, ++c) add(i, sum[c]);
    for (Index l = 0; l < L; ++l) {
      const Lane all = (sum[0][l] + sum[2][l]) + (sum[1][l] + sum[3][l]);
      all.store(&p_[column + l * lane_width]);
    }
  }

  /// w = τ p − ½ τ² ⟨p, v⟩ v, zero up to k
  void make_update(Index k) {
    std::fill_n(p_.data(), k + 1, 0.0);
    const double* p = p_.data();
    double product;
    dot_rows<1>(&p, d_, v_.data(), &product);
    const double factor = -0.5 * tau_[k] * tau_[k] * product;
    for (Index i = 0; i < padded(d_); ++i) w_[i] = madd(factor, v_[i], tau_[k] * p_[i]);
  }

  /// z ← z − τ ⟨v, z⟩ v
  void reflect(Index k, Lane* z) const {
    const auto v_k = [&](Index i) { return S_(k, i); };
    const Lane factor = -tau_[k] * sum_of_products(k + 1, d_, v_k, [&](Index i) { return z[i]; });
    for (Index i = k + 1; i < d_; ++i) z[i] = madd(S_(k, i), factor, z[i]);
  }

  Index d_;
  LaneBlocks S_;  // (d, d): v_k in the row k, after the diagonal
  Buffer a_;      // (d,)
  Buffer o_;      // (d,)
  Buffer tau_;    // (d,)
  Buffer v_;      // (d,) the update that waits
  Buffer w_;
  Buffer u_;  // (d,) the next reflector
  Buffer p_;  // (d,)
};

}  // namespace loopcore
