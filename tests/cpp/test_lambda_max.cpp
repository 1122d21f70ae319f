#include <doctest/doctest.h>

#include <Eigen/QR>
#include <loopcore/lambda_max.hpp>

#include "problem.hpp"

using namespace loopcore;

namespace {

/// λ_max by Lanczos of Q diag(λ) Qᵀ with a random orthogonal Q.
double found(const Eigen::VectorXd& lambda) {
  const Eigen::Index d = lambda.size();
  std::srand(3);
  const Eigen::HouseholderQR<Eigen::MatrixXd> qr(Eigen::MatrixXd::Random(d, d));
  const Eigen::MatrixXd Q = qr.householderQ();
  const Eigen::MatrixXd A = Q * lambda.asDiagonal() * Q.transpose();
  LambdaMax lambda_max(d);
  Stop stop = testing::never_stop();
  return lambda_max(
      [&](const double* v, double* w) {
        Eigen::Map<Eigen::VectorXd>(w, d).noalias() = A * Eigen::Map<const Eigen::VectorXd>(v, d);
      },
      stop);
}

}  // namespace

TEST_CASE("easy, clustered and equal spectra, small and large") {
  for (const Eigen::Index d : {1, 2, 3, 4, 8, 20, 128, 400}) {
    CAPTURE(d);
    Eigen::VectorXd lambda = Eigen::VectorXd::LinSpaced(d, 1, 2);
    CHECK(found(lambda) == doctest::Approx(lambda.maxCoeff()).epsilon(2e-14));
    lambda.setConstant(3);
    CHECK(found(lambda) == doctest::Approx(3).epsilon(2e-14));
    lambda[0] = 3 * (1 + 1e-10);
    CHECK(found(lambda) == doctest::Approx(lambda[0]).epsilon(2e-14));
    for (Eigen::Index k = 0; k < d; ++k)
      lambda[k] = std::pow(10.0, -12.0 * static_cast<double>(k) / static_cast<double>(d));
    CHECK(found(lambda) == doctest::Approx(1).epsilon(2e-14));
  }
}

TEST_CASE("a zero matrix has λ_max 0, an empty one too, and a NaN is seen") {
  CHECK(found(Eigen::VectorXd::Zero(5)) == 0.0);
  LambdaMax empty(0);
  Stop stop = testing::never_stop();
  CHECK(empty([](const double*, double*) {}, stop) == 0.0);
  LambdaMax three(3);
  CHECK(std::isnan(three([](const double*, double* w) { std::fill_n(w, 3, std::nan("")); }, stop)));
}
