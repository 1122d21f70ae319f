// LambdaMax: the largest eigenvalue of a symmetric positive semidefinite matrix that is known by its
// products alone, to a few u: Lanczos with full reorthogonalisation.
#pragma once

#include <algorithm>
#include <cmath>

#include "loopcore/buffer.hpp"
#include "loopcore/lane.hpp"
#include "loopcore/rows.hpp"
#include "loopcore/stop.hpp"
#include "loopcore/types.hpp"

namespace loopcore {

class LambdaMax {
 public:
  /// For matrices of (size, size).
  explicit LambdaMax(Index size)
      : size_(size),
        steps_(std::min(size, max_steps)),
        basis_((steps_ + 1) * padded(size)),
        alpha_(steps_),
        beta_(steps_),
        ratio_(steps_) {}

  /// `multiply(v, w)` sets w = A v, both padded(size) long. Returns λ_max(A); NaN or Inf where A holds
  /// one; 0 if stopped.
  template <class Multiply>
  double operator()(Multiply&& multiply, Stop& stop) {
    if (size_ == 0) return 0;
    set_start();
    double theta = 0;
    for (int restart = 0; restart < max_restarts; ++restart) {
      Index known = 0;  // theta belongs to so many steps
      for (Index k = 0; k < steps_; ++k) {
        multiply(vector(k), vector(k + 1));
        orthogonalize(k);
        if (stop.after(4 * k * size_)) return 0;
        if (!std::isfinite(alpha_[k]) || !std::isfinite(beta_[k])) return alpha_[k] + beta_[k];
        // To look at θ costs as much as a step: every fourth time, and where the basis is complete, or
        // nearly so.
        const bool is_complete = k + 1 == size_;
        if (is_complete || k % 4 == 3 || k + 1 == steps_ || beta_[k] <= 0x1p-10 * alpha_[k]) {
          theta = largest_ritz_value(k + 1, theta, known);
          known = k + 1;
          if (is_complete) return theta;
          // ‖A v − θ v‖ = β_k |s_k|: some eigenvalue is that near to θ. Below u θ, a cluster around the
          // largest cannot hide one that is more than a few u away.
          if (beta_[k] * last_component(k + 1, theta) <= unit * theta) return theta;
        }
        normalize(k + 1, beta_[k]);
      }
      restart_from_ritz_vector();
    }
    return theta;
  }

 private:
  static constexpr Index max_steps = 256;  // bounds memory; beyond it Lanczos starts again, nearer
  static constexpr int max_restarts = 20;
  static constexpr double unit = 0x1p-53;

  double* vector(Index k) { return basis_.data() + k * padded(size_); }

  double dot(const double* a, const double* b) const {
    double result;
    dot_rows<1>(&a, size_, b, &result);
    return result;
  }

  /// w ← w + c v
  void add(double c, const double* v, double* w) const {
    const Lane factor = Lane::broadcast(c);
    for (Index k = 0; k < padded(size_); k += lane_width) {
      madd(factor, Lane::load(v + k), Lane::load(w + k)).store(w + k);
    }
  }

  void normalize(Index k, double norm) {
    const double inverse = 1 / norm;
    for (Index i = 0; i < size_; ++i) vector(k)[i] *= inverse;
  }

  /// A start with a share of every direction: fractional parts of multiples of the golden ratio, in
  /// [1/2, 3/2) with alternating signs in no simple pattern.
  void set_start() {
    std::fill_n(vector(0), padded(size_), 0.0);
    double fraction = 0;
    for (Index i = 0; i < size_; ++i) {
      fraction += 0.6180339887498949;
      if (fraction >= 1) fraction -= 1;
      vector(0)[i] = fraction < 0.5 ? fraction + 0.5 : -(fraction + 0.5);
    }
    normalize(0, std::sqrt(dot(vector(0), vector(0))));
  }

  /// α_k = ⟨v_k, A v_k⟩; v_{k+1} ← A v_k less its part in the basis, twice; β_k = ‖v_{k+1}‖
  void orthogonalize(Index k) {
    double* w = vector(k + 1);
    std::fill(w + size_, w + padded(size_), 0.0);
    alpha_[k] = dot(vector(k), w);
    for (int pass = 0; pass < 2; ++pass) {
      for (Index j = k; j >= 0; --j) add(-dot(vector(j), w), vector(j), w);
    }
    beta_[k] = std::sqrt(dot(w, w));
  }

  /// The largest eigenvalue of the tridiagonal matrix (α_0 … α_{k−1}; β_0 … β_{k−2}). Laguerre's
  /// iteration falls monotonically from any upper bound x. With p the characteristic polynomial it needs
  ///     s1 = p'/p = Σ r'/r,   s2 = −s1' = Σ (r'/r)² − r''/r
  /// over the ratios r_i = p_i / p_{i−1} = (x − α_i) − β²_{i−1} / r_{i−1}.
  double largest_ritz_value(Index k, double previous, Index known) const {
    double x = previous;  // that of the first `known` rows; each row more raises it by β at most
    for (Index i = known; i < k; ++i) x = std::max(x, alpha_[i]) + (i > 0 ? beta_[i - 1] : 0.0);
    const double degree = static_cast<double>(k);
    for (int iteration = 0; iteration < 50; ++iteration) {
      double r = x - alpha_[0];
      double r1 = 1;  // r'
      double r2 = 0;  // r''
      double s1 = 1 / r;
      double s2 = s1 * s1;
      for (Index i = 1; i < k; ++i) {
        const double inverse = 1 / r;
        const double q = beta_[i - 1] * inverse;
        r2 = q * q * (r2 - 2 * r1 * r1 * inverse);
        r1 = 1 + q * q * r1;
        r = (x - alpha_[i]) - q * beta_[i - 1];
        s1 += r1 / r;
        s2 += (r1 / r) * (r1 / r) - r2 / r;
      }
      const double spread = std::max(0.0, (degree - 1) * (degree * s2 - s1 * s1));
      const double next = x - degree / (s1 + std::sqrt(spread));
      if (!(s1 > 0) || !(next < x)) break;  // at the root, as near as rounding lets one see
      x = next;
    }
    return x;
  }

  /// |s_{k−1}| of the unit eigenvector s for θ, from the ratios s_{i+1}/s_i = β_i / e_{i+1} with
  /// e_i = (θ − α_i) − β_i² / e_{i+1}, run from the end, where s is small: that way is stable.
  double last_component(Index k, double theta) {
    double e = theta - alpha_[k - 1];
    for (Index i = k - 2; i >= 0; --i) {
      // e ≤ 0: by rounding, where s has hardly a share of v_0; a large ratio says "not converged".
      ratio_[i + 1] = e > 0 ? std::min(beta_[i] / e, 1e8) : 1e8;
      e = (theta - alpha_[i]) - ratio_[i + 1] * beta_[i];
    }
    double component = 1;
    double norm2 = 1;
    ratio_[0] = 1;
    for (Index i = 1; i < k; ++i) {
      component *= ratio_[i];
      norm2 += component * component;
    }
    ratio_[0] = 1 / std::sqrt(norm2);  // s_0
    return component * ratio_[0];
  }

  /// v_0 ← Σ_k s_k v_k
  void restart_from_ritz_vector() {
    double component = ratio_[0];
    double* v = vector(0);
    for (Index i = 0; i < size_; ++i) v[i] *= component;
    for (Index k = 1; k < steps_; ++k) {
      component *= ratio_[k];
      add(component, vector(k), v);
    }
    normalize(0, std::sqrt(dot(v, v)));
  }

  Index size_;
  Index steps_;
  Buffer basis_;  // (steps + 1, size): v_0, v_1, …
  Buffer alpha_;  // (steps,) diagonal
  Buffer beta_;   // (steps,) off-diagonal
  Buffer ratio_;  // (steps,) s_k / s_{k−1}, and s_0 in front
};

}  // namespace loopcore
