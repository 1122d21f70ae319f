#include <doctest/doctest.h>

#include <cmath>
#include <loopcore/eigenvector.hpp>
#include <loopcore/tridiagonal.hpp>
#include <random>

#include "problem.hpp"

using namespace loopcore;

namespace {

/// ‖T z − λ z‖ / λ in each element, and that ‖z‖ = 1.
void check(const Array<Lane>& a, const Array<Lane>& o, Index d, Lane lambda) {
  Eigenvector eigenvector(d);
  Array<Lane> z(d);
  eigenvector.find(a.data(), o.data(), lambda, z.data());
  for (Index t = 0; t < lane_width; ++t) {
    double residual = 0, norm = 0;
    for (Index i = 0; i < d; ++i) {
      double sum = (a[i][t] - lambda[t]) * z[i][t];
      if (i > 0) sum += o[i - 1][t] * z[i - 1][t];
      if (i + 1 < d) sum += o[i][t] * z[i + 1][t];
      residual += sum * sum;
      norm += z[i][t] * z[i][t];
    }
    CHECK(norm == doctest::Approx(1).epsilon(1e-14));
    CHECK(std::sqrt(residual) <= 50 * 0x1p-53 * lambda[t]);
  }
}

}  // namespace

TEST_CASE("T z = λ z to a few u, in every element, for random T and T in blocks") {
  std::mt19937 generator(5);
  std::normal_distribution<double> normal;
  for (const Index d : {1, 2, 3, 5, 8, 20, 33}) {
    for (int trial = 0; trial < 200; ++trial) {
      Array<Lane> a(d), o(d);
      for (Index t = 0; t < lane_width; ++t) {
        double radius = 0;
        for (Index k = 0; k + 1 < d; ++k) {
          const bool is_cut = generator() % 5 == 0;
          o[k].set(t, is_cut ? 0 : normal(generator) * std::pow(10, -3 * (trial % 3) * (k % 2)));
          radius = std::max(radius, std::abs(o[k][t]));
        }
        // Positive definite, as S is.
        for (Index k = 0; k < d; ++k) a[k].set(t, 2 * radius + std::abs(normal(generator)));
      }
      check(a, o, d, largest_eigenvalue(a.data(), o.data(), d));
    }
  }
}

TEST_CASE("a vector that hardly reaches one end of T is found as well") {
  // Wilkinson's W21+: its largest eigenvectors decay by 1e-10 from each end to the middle.
  Array<Lane> a(21), o(21);
  for (Index k = 0; k < 21; ++k) {
    a[k] = Lane::broadcast(std::abs(static_cast<double>(k - 10)) + (k == 20 ? 0.01 : 0));
    o[k] = Lane::broadcast(1);
  }
  check(a, o, 21, largest_eigenvalue(a.data(), o.data(), 21));
}

TEST_CASE("T = 0 gives some unit vector, no NaN") {
  Array<Lane> a(5), o(5), z(5);
  Eigenvector eigenvector(5);
  eigenvector.find(a.data(), o.data(), Lane::zero(), z.data());
  double norm = 0;
  for (Index k = 0; k < 5; ++k) norm += z[k][0] * z[k][0];
  CHECK(norm == doctest::Approx(1));
}
