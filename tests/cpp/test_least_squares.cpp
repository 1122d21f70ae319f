#include <doctest/doctest.h>

#include <Eigen/QR>
#include <loopcore/least_squares.hpp>

#include "exact.hpp"
#include "svd.hpp"

using namespace loopcore;

TEST_CASE("the solution is Eigen's, tall and wide, in one panel and in many") {
  for (const auto& [n, d] :
       {std::pair<Index, Index>{5, 3}, {3, 5}, {40, 20}, {2000, 6}, {700, 150}, {4, 4}}) {
    const testing::Prompt<> prompt(n, d, 7);
    Stop stop = testing::never_stop();
    LeastSquares solver(n, d, 0x1p-52);
    std::vector<double> theta(static_cast<std::size_t>(d));
    solver.solve(prompt.task(), theta.data(), stop);
    using Rows = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
    const Eigen::MatrixXd X = Eigen::Map<const Rows>(prompt.X.data(), n, d);
    const Eigen::VectorXd y = Eigen::Map<const Eigen::VectorXd>(prompt.y.data(), n);
    const Eigen::VectorXd expected = X.completeOrthogonalDecomposition().solve(y);
    CHECK(testing::relative_difference(
              theta, std::vector<double>(expected.begin(), expected.end())) < 1e-12);
    const Spectrum spectrum = solver.spectrum(prompt.task(), stop);
    const Eigen::VectorXd sigma = Eigen::JacobiSVD<Eigen::MatrixXd>(X).singularValues();
    CHECK(spectrum.rank == std::min(n, d));
    CHECK(spectrum.rescaled(spectrum.lambda_max, 0) ==
          doctest::Approx(sigma[0] * sigma[0]).epsilon(1e-13));
    CHECK(spectrum.kappa() ==
          doctest::Approx(std::pow(sigma[0] / sigma[sigma.size() - 1], 2)).epsilon(1e-10));
  }
}

TEST_CASE("rank-deficient X has its rank and the solution of least norm") {
  const std::vector<double> X{1, 1, 2, 2, 3, 3};
  const std::vector<double> y{1, 2, 3};
  Task task;
  task.n = 3;
  task.d = 2;
  task.X = testing::view(X, 2);
  task.y = testing::view(y);
  LeastSquares solver(3, 2, 0x1p-52);
  Stop stop = testing::never_stop();
  double theta[2];
  solver.solve(task, theta, stop);
  CHECK(theta[0] == doctest::Approx(0.5));
  CHECK(theta[1] == doctest::Approx(0.5));
  CHECK(solver.spectrum(task, stop).rank == 1);
  CHECK(solver.spectrum(task, stop).kappa() == doctest::Approx(1));
}

TEST_CASE("zero, not finite and huge X") {
  Stop stop = testing::never_stop();
  std::vector<double> X{0, 0, 0, 0};
  const std::vector<double> y{1, 2};
  Task task;
  task.n = 2;
  task.d = 2;
  task.X = testing::view(X, 2);
  task.y = testing::view(y);
  LeastSquares solver(2, 2, 0x1p-52);
  double theta[2];
  solver.solve(task, theta, stop);
  CHECK(theta[0] == 0.0);
  CHECK(solver.spectrum(task, stop).rank == 0);
  CHECK(std::isnan(solver.spectrum(task, stop).kappa()));
  X = {1, std::nan(""), 0, 1};
  solver.solve(task, theta, stop);
  CHECK(std::isnan(theta[0]));
  CHECK(std::isnan(solver.spectrum(task, stop).lambda_max));
  X = {2e200, 0, 0, 1e200};
  solver.solve(task, theta, stop);
  CHECK(theta[0] == doctest::Approx(0.5e-200));
  CHECK(solver.spectrum(task, stop).kappa() == doctest::Approx(4));
}
