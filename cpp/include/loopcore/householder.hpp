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
      : d_(d),
        a_(d),
        o_(d),
        tau_(d),
        v_(padded(d)),
        w_(padded(d)),
        u_(padded(d)),
        p_(padded(d)),
        row_sums_(padded(d)) {}

  /// Reduces S, of which the lower triangle is read and the squares of a lane on the diagonal,
  /// and which is overwritten: its row k keeps the
  /// reflector k. As in PackedTridiagonal, S − σ is
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
      keep_reflector(k);
      if (stop.after(3 * (d_ - k) * (d_ - k))) return;
    }
  }

  const double* diagonal() const { return a_.data(); }      // (d,)
  const double* off_diagonal() const { return o_.data(); }  // (d − 1,)

  /// λ_max of S, by section: the interval in which it lies is cut at a lane of points, and below λ_max
  /// are those x for which T − x has a pivot that is not negative (Sturm).
  double largest_eigenvalue() const {
    double low = d_ > 0 ? a_[0] : 0;
    double high = low;  // Gershgorin's bound
    for (Index k = 0; k < d_; ++k) {
      const double before = k > 0 ? std::abs(o_[k - 1]) : 0;
      const double after = k + 1 < d_ ? std::abs(o_[k]) : 0;
      if (!std::isfinite(a_[k] + before + after)) return a_[k] + before + after;
      low = std::max(low, a_[k]);
      high = std::max(high, a_[k] + before + after);
    }
    for (int round = 0; round < 64 && high - low > 0x1p-52 * high; ++round) {
      Lane x;
      for (Index k = 0; k < lane_width; ++k) {
        const double share = static_cast<double>(k + 1) / static_cast<double>(lane_width + 1);
        x.set(k, low + (high - low) * share);
      }
      const Lane below = select(is_below(x), Lane::broadcast(1), Lane::zero());
      for (Index k = 0; k < lane_width; ++k) {
        if (below[k] != 0) {
          low = std::max(low, x[k]);
        } else {
          high = std::min(high, x[k]);
        }
      }
    }
    return high;
  }

  /// z ← Qᵀ z on a lane of vectors, (d,), or on one vector, padded with zeros to whole lanes: the same
  /// bits either way.
  template <class Value>
  void to_basis(Value* z) const {
    for (Index k = 0; k + 1 < d_; ++k) reflect(k, z);
  }
  /// z ← Q z
  template <class Value>
  void from_basis(Value* z) const {
    for (Index k = d_ - 2; k >= 0; --k) reflect(k, z);
  }

 private:
  /// Element by element: x ≤ λ_max
  Lane::Comparison is_below(Lane x) const {
    Lane pivot = Lane::broadcast(a_[0]) - x;
    auto below = ~(pivot < Lane::zero());
    for (Index k = 1; k < d_; ++k) {
      const double o2 = o_[k - 1] * o_[k - 1];
      pivot = (Lane::broadcast(a_[k]) - x) - Lane::broadcast(o2) / pivot;
      below = below | ~(pivot < Lane::zero());
    }
    return below;
  }

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

  /// A ← A − v wᵀ − w vᵀ and p = A u on the rows and columns from `first` on, in the lower triangle and the
  /// squares of a lane on the diagonal. An entry below them counts twice: its row adds to p by columns, and
  /// by symmetry its column to p by rows.
  void update_and_multiply(Index first) {
    constexpr Index W = lane_width;
    p_.fill(0);
    row_sums_.fill(Lane::zero());
    for (Index l = first / W * W; l < d_; l += 2 * W) {
      const Index second = std::min(l + W, d_);
      const Index below = std::min(l + 2 * W, d_);
      update_rows<1, false>(std::max(first, l), second, l);
      if (second == d_) break;
      update_rows<1, true>(std::max(first, second), below, l);
      update_rows<1, false>(std::max(first, second), below, second);
      update_rows<2, true>(below, d_, l);
    }
    for (Index i = first / W * W; i < d_; i += W) {
      Lane columns[W];
      transpose(reinterpret_cast<const double*>(&row_sums_[i]), W,
                reinterpret_cast<double*>(columns), W);
      for (Index half = W / 2; half > 0; half /= 2) {
        for (Index k = 0; k < half; ++k) columns[k] = columns[k] + columns[k + half];
      }
      (Lane::load(&p_[i]) + columns[0]).store(&p_[i]);
    }
  }

  /// For the rows from `begin` to `end` of L lanes of columns from `column` on; `mirrored` where they are
  /// below the diagonal. p is summed in four interleaved chains over the rows.
  template <Index L, bool mirrored>
  void update_rows(Index begin, Index end, Index column) {
    Lane v[L], w[L], u[L];
    Lane sum[4][L];
    double* block[L];
    for (Index l = 0; l < L; ++l) {
      v[l] = -Lane::load(&v_[column + l * lane_width]);
      w[l] = -Lane::load(&w_[column + l * lane_width]);
      u[l] = Lane::load(&u_[column + l * lane_width]);
      block[l] = S_.block(column + l * lane_width);
      for (auto& chain : sum) chain[l] = Lane::zero();
    }
    const auto add = [&](Index i, Lane* chain) {
      const Lane v_i = Lane::broadcast(v_[i]);
      const Lane w_i = Lane::broadcast(w_[i]);
      const Lane u_i = Lane::broadcast(u_[i]);
      Lane row_sum = mirrored ? row_sums_[i] : Lane::zero();
      for (Index l = 0; l < L; ++l) {
        double* A_i = block[l] + i * lane_width;
        const Lane updated = madd(v_i, w[l], madd(w_i, v[l], Lane::load(A_i)));
        updated.store(A_i);
        chain[l] = madd(u_i, updated, chain[l]);
        if (mirrored) row_sum = madd(u[l], updated, row_sum);
      }
      if (mirrored) row_sums_[i] = row_sum;
    };
    Index i = begin;
    for (; i + 4 <= end; i += 4) {
      for (Index c = 0; c < 4; ++c) add(i + c, sum[c]);
    }
    for (Index c = 0; i < end; ++i, ++c) add(i, sum[c]);
    for (Index l = 0; l < L; ++l) {
      double* p = &p_[column + l * lane_width];
      const Lane all = (sum[0][l] + sum[2][l]) + (sum[1][l] + sum[3][l]);
      (Lane::load(p) + all).store(p);
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

  /// v_k, (d,), into row k from the lane of its first entry on, with the zeros before it
  void keep_reflector(Index k) {
    for (Index i = (k + 1) / lane_width * lane_width; i < d_; i += lane_width) {
      Lane::load(&v_[i]).store(&S_(k, i));
    }
  }

  /// z ← z − τ ⟨v, z⟩ v on a lane of vectors
  void reflect(Index k, Lane* z) const {
    Lane sum[lane_width];  // over every lane_width-th entry, as in reflect() of one vector
    for (Lane& chain : sum) chain = Lane::zero();
    const Index first = (k + 1) / lane_width * lane_width;
    Index i = first;
    for (; i + lane_width <= d_; i += lane_width) {
      const double* v = &S_(k, i);
      for (Index c = 0; c < lane_width; ++c) sum[c] = madd(v[c], z[i + c], sum[c]);
    }
    for (Index c = 0; c < lane_width; ++c) {
      if (i + c < d_) sum[c] = madd(S_(k, i + c), z[i + c], sum[c]);
    }
    for (Index half = lane_width / 2; half > 0; half /= 2) {
      for (Index c = 0; c < half; ++c) sum[c] = sum[c] + sum[c + half];
    }
    const Lane factor = -tau_[k] * sum[0];
    for (i = first; i < d_; ++i) z[i] = madd(S_(k, i), factor, z[i]);
  }

  /// The same on one vector, a lane of its entries at a time.
  void reflect(Index k, double* z) const {
    const Index first = (k + 1) / lane_width * lane_width;
    Lane sum = Lane::zero();
    for (Index i = first; i < d_; i += lane_width) {
      sum = madd(Lane::load(&S_(k, i)), Lane::load(z + i), sum);
    }
    const Lane factor = Lane::broadcast(-tau_[k] * sum.sum());
    for (Index i = first; i < d_; i += lane_width) {
      madd(Lane::load(&S_(k, i)), factor, Lane::load(z + i)).store(z + i);
    }
  }

  Index d_;
  LaneBlocks S_;  // (d, d): v_k in the row k, after the diagonal
  Buffer a_;      // (d,)
  Buffer o_;      // (d,)
  Buffer tau_;    // (d,)
  Buffer v_;      // (d,) the update that waits
  Buffer w_;
  Buffer u_;              // (d,) the next reflector
  Buffer p_;              // (d,)
  Array<Lane> row_sums_;  // (d,)
};

}  // namespace loopcore
