// Symmetric positive semidefinite matrices on which reductions and eigenvalues are tried.
#pragma once

#include <cmath>
#include <string>

#include "exact.hpp"

namespace loopcore::testing {

inline const char* const symmetric_kinds[] = {"random",    "low rank",   "orthonormal", "clustered",
                                              "one lower", "projection", "all ones",    "graded",
                                              "diagonal",  "zero"};

/// A + factor v vᵀ
inline void add_product(Matrix& A, Real factor, const Vector& v) {
  for (Index j = 0; j < A.size; ++j) {
    for (Index k = 0; k < A.size; ++k) {
      A(j, k) += factor * v[static_cast<std::size_t>(j)] * v[static_cast<std::size_t>(k)];
    }
  }
}

/// Rounded to double, and so exact from then on.
inline Matrix make_symmetric(const std::string& kind, Index d) {
  Matrix A(d);
  const Prompt<> random(d, d, static_cast<unsigned>(d));
  const auto row = [&](Index i) {
    Vector v;
    for (Index k = 0; k < d; ++k) v.push_back(static_cast<Real>(random.x(i, k)));
    return v;
  };
  const auto add_identity = [&](Real factor) {
    for (Index k = 0; k < d; ++k) A(k, k) += factor;
  };
  if (kind == "random") {
    for (Index i = 0; i < d; ++i) add_product(A, 1, row(i));
  } else if (kind == "low rank") {
    for (Index i = 0; i < (d + 2) / 3; ++i) add_product(A, 1, row(i));
  } else if (kind ==
             "orthonormal") {  // sums of products of orthonormal columns: 1 but for rounding
    add_identity(1);
    for (Index i = 0; i < d; ++i) add_product(A, 1e-17L, row(i));
  } else if (kind == "clustered") {  // all but two eigenvalues agree
    add_identity(3);
    add_product(A, 1e-6L, row(0));
    add_product(A, -1 / std::pow(norm(row(d - 1)), Real{2}), row(d - 1));
  } else if (kind == "one lower") {  // dummy variables, one of which is rarer
    add_identity(10);
    A(d / 2, d / 2) = 5;
  } else if (kind == "projection") {  // orthonormal rows, half as many as columns
    const Vector v = row(0);
    for (Index i = 0; i < d / 2; ++i) {  // column i of the reflection at v
      Vector h(v.size());
      const Real factor = -2 * v[static_cast<std::size_t>(i)] / std::pow(norm(v), Real{2});
      for (std::size_t k = 0; k < v.size(); ++k) h[k] = factor * v[k];
      h[static_cast<std::size_t>(i)] += 1;
      add_product(A, 1, h);
    }
  } else if (kind == "all ones") {
    add_product(A, 1, Vector(static_cast<std::size_t>(d), 1));
  } else if (kind == "graded") {  // columns of a condition number of 10⁶
    for (Index i = 0; i < d; ++i) {
      Vector v = row(i);
      for (Index k = 0; k < d; ++k) {
        v[static_cast<std::size_t>(k)] *=
            std::pow(Real{10}, static_cast<Real>(-6 * k) / static_cast<Real>(d));
      }
      add_product(A, 1, v);
    }
  } else if (kind == "diagonal") {
    for (Index k = 0; k < d; ++k) A(k, k) = static_cast<Real>(1 + k % 3);
  }
  for (Index j = 0; j < d; ++j) {
    for (Index k = 0; k <= j; ++k) A(j, k) = A(k, j) = static_cast<double>(A(j, k));
  }
  return A;
}

/// ‖Qᵀ Q − 1‖ / u and ‖Q T Qᵀ − S‖ / (u ‖S‖) in Frobenius' norm.
struct ReductionError {
  double orthogonality = 0;
  double residual = 0;
};

/// `column(k)` is the column k of Q, (d,); T has the diagonal a and the off-diagonal o.
template <class Column>
ReductionError reduction_error(const Matrix& S, const Vector& a, const Vector& o, Column&& column) {
  const Index d = S.size;
  std::vector<Vector> Q;
  for (Index k = 0; k < d; ++k) Q.push_back(column(k));
  const auto at = [](const Vector& v, Index k) { return v[static_cast<std::size_t>(k)]; };
  const auto q = [&](Index k) -> const Vector& { return Q[static_cast<std::size_t>(k)]; };
  Real lost = 0;
  for (Index j = 0; j < d; ++j) {
    for (Index k = 0; k <= j; ++k) {
      Real product = j == k ? -1 : 0;
      for (Index i = 0; i < d; ++i) product += at(q(j), i) * at(q(k), i);
      lost += (j == k ? 1 : 2) * product * product;
    }
  }
  Real left = 0;  // column by column of S Q − Q T
  for (Index k = 0; k < d; ++k) {
    for (Index i = 0; i < d; ++i) {
      Real sum = at(a, k) * at(q(k), i);
      if (k > 0) sum += at(o, k - 1) * at(q(k - 1), i);
      if (k + 1 < d) sum += at(o, k) * at(q(k + 1), i);
      for (Index j = 0; j < d; ++j) sum -= S(i, j) * at(q(k), j);
      left += sum * sum;
    }
  }
  const Real size = norm(S.entries);
  return {static_cast<double>(std::sqrt(lost) * 0x1p53L),
          size == 0 ? static_cast<double>(left)
                    : static_cast<double>(std::sqrt(left) / size * 0x1p53L)};
}

}  // namespace loopcore::testing
