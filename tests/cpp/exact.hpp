// The truth in long double: eigenvalues by Jacobi's method, loops written out, and the error R of a
// result.
#pragma once

#include <algorithm>
#include <cmath>
#include <vector>

#include "problem.hpp"

namespace loopcore::testing {

using Real = long double;
using Vector = std::vector<Real>;

/// (size, size), row by row
struct Matrix {
  explicit Matrix(Index size_) : size(size_), entries(static_cast<std::size_t>(size * size)) {}

  Real& operator()(Index j, Index k) { return entries[static_cast<std::size_t>(j * size + k)]; }
  Real operator()(Index j, Index k) const {
    return entries[static_cast<std::size_t>(j * size + k)];
  }

  Index size;
  Vector entries;
};

inline Real norm(const Vector& v) {
  Real sum = 0;
  for (const Real value : v) sum += value * value;
  return std::sqrt(sum);
}

/// XᵀX
template <class S>
Matrix gram_matrix(const Prompt<S>& prompt) {
  Matrix A(prompt.d);
  for (Index i = 0; i < prompt.n; ++i) {
    for (Index j = 0; j < prompt.d; ++j) {
      const auto x_j = static_cast<Real>(prompt.x(i, j));
      for (Index k = 0; k < prompt.d; ++k) A(j, k) += x_j * static_cast<Real>(prompt.x(i, k));
    }
  }
  return A;
}

/// Of a symmetric A, by Jacobi's cyclic rotations (Golub and Van Loan, Matrix Computations, 8.5).
inline Vector eigenvalues(Matrix A) {
  const Real size = norm(A.entries);
  const auto rotate = [&A](Index p, Index q) {
    const Real theta = (A(q, q) - A(p, p)) / (2 * A(p, q));
    const Real t = (theta < 0 ? -1 : 1) / (std::abs(theta) + std::hypot(theta, Real{1}));
    const Real c = 1 / std::hypot(t, Real{1});
    const Real s = t * c;
    for (Index k = 0; k < A.size; ++k) {
      const Real p_k = A(p, k), q_k = A(q, k);
      A(p, k) = c * p_k - s * q_k;
      A(q, k) = s * p_k + c * q_k;
    }
    for (Index k = 0; k < A.size; ++k) {
      const Real k_p = A(k, p), k_q = A(k, q);
      A(k, p) = c * k_p - s * k_q;
      A(k, q) = s * k_p + c * k_q;
    }
  };
  bool rotated = true;
  for (int sweep = 0; rotated && sweep < 30; ++sweep) {
    rotated = false;
    for (Index p = 0; p < A.size; ++p) {
      for (Index q = p + 1; q < A.size; ++q) {
        if (std::abs(A(p, q)) <= 1e-20L * size) continue;
        rotate(p, q);
        rotated = true;
      }
    }
  }
  Vector values;
  for (Index k = 0; k < A.size; ++k) values.push_back(A(k, k));
  std::sort(values.begin(), values.end());
  return values;
}

template <class S>
Real lambda_max(const Prompt<S>& prompt) {
  return eigenvalues(gram_matrix(prompt)).back();
}

/// ‖a − b‖ / ‖b‖
template <class A, class B>
double relative_difference(const A& a, const B& b) {
  Real difference = 0;
  Real size = 0;
  for (std::size_t k = 0; k < b.size(); ++k) {
    const Real delta = static_cast<Real>(a[k]) - static_cast<Real>(b[k]);
    difference += delta * delta;
    size += static_cast<Real>(b[k]) * static_cast<Real>(b[k]);
  }
  return static_cast<double>(std::sqrt(difference) / std::sqrt(size));
}

/// The loops of one prompt, literally.
struct Loops {
  /// q ← q − η_t (Xᵀ X q + α Xᵀ y) for t = 0 … T−1, from q0
  template <class S, class Eta>
  Loops(const Prompt<S>& prompt, Index T, Real alpha, Eta&& eta) {
    const Vector lambda = eigenvalues(gram_matrix(prompt));
    const Real norm_X2 = lambda.back();
    const Real norm_Xy = alpha * std::sqrt(norm_X2) * norm({prompt.y.begin(), prompt.y.end()});
    q.assign(prompt.q0.begin(), prompt.q0.end());
    Vector added;  // of the loop t to S_T, but for g_t
    for (Index t = 0; t < T; ++t) {
      const Real before = norm(q);
      loop(prompt, alpha, eta(t));
      added.push_back(norm(q) + std::abs(eta(t)) * (norm_X2 * before + std::abs(norm_Xy)));
    }
    Vector products(lambda.size(), 1);
    for (Index t = T - 1; t >= 0; --t) {
      scale +=
          *std::max_element(products.begin(), products.end()) * added[static_cast<std::size_t>(t)];
      for (std::size_t i = 0; i < lambda.size(); ++i)
        products[i] *= std::abs(1 - eta(t) * lambda[i]);
    }
  }

  /// R = ‖q̂_T − q_T‖ / (u S_T)
  template <class Found>
  double error(const Found& found) const {
    Vector difference;
    for (std::size_t k = 0; k < q.size(); ++k) {
      difference.push_back(static_cast<Real>(found[k]) - q[k]);
    }
    return static_cast<double>(norm(difference) / scale * 0x1p53L);
  }

  Vector q;        // q_T
  Real scale = 0;  // S_T = Σ_{t<T} g_t [‖q_{t+1}‖ + η_t (‖X‖² ‖q_t‖ + |α| ‖X‖ ‖y‖)]

 private:
  template <class S>
  void loop(const Prompt<S>& prompt, Real alpha, Real eta) {
    Vector g(q.size());
    for (Index i = 0; i < prompt.n; ++i) {
      Real r = alpha * static_cast<Real>(prompt.y[static_cast<std::size_t>(i)]);
      for (Index k = 0; k < prompt.d; ++k)
        r += static_cast<Real>(prompt.x(i, k)) * q[static_cast<std::size_t>(k)];
      for (Index k = 0; k < prompt.d; ++k)
        g[static_cast<std::size_t>(k)] += r * static_cast<Real>(prompt.x(i, k));
    }
    for (std::size_t k = 0; k < q.size(); ++k) q[k] -= eta * g[k];
  }
};

}  // namespace loopcore::testing
