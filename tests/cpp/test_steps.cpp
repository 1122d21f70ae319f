#include <doctest/doctest.h>

#include "problem.hpp"

using namespace loopcore;

TEST_CASE("Chebyshev nodes are every node once, for any T") {
  for (Index T = 0; T <= 130; ++T) {
    std::vector<double> nodes = chebyshev_nodes(T);
    REQUIRE(nodes.size() == static_cast<std::size_t>(T));
    std::sort(nodes.begin(), nodes.end(), std::greater<>());
    for (Index k = 0; k < T; ++k) {
      const double angle =
          std::numbers::pi * static_cast<double>(2 * k + 1) / static_cast<double>(2 * T);
      CHECK(2 * nodes[static_cast<std::size_t>(k)] - 1 ==
            doctest::Approx(std::cos(angle)).epsilon(1e-14));
    }
  }
}

TEST_CASE("the order is that of Lebedev and Finogenov") {
  const auto node = [](Index k, Index T) {
    return std::pow(
        std::cos(std::numbers::pi * static_cast<double>(2 * k + 1) / static_cast<double>(4 * T)),
        2);
  };
  const auto four = chebyshev_nodes(4);
  const Index order_four[] = {0, 3, 1, 2};
  for (std::size_t t = 0; t < 4; ++t) CHECK(four[t] == doctest::Approx(node(order_four[t], 4)));
  const auto five = chebyshev_nodes(5);  // the middle, then order(4) around it
  const Index order_five[] = {2, 0, 4, 1, 3};
  for (std::size_t t = 0; t < 5; ++t) CHECK(five[t] == doctest::Approx(node(order_five[t], 5)));
}

TEST_CASE("no product of factors on the way grows as sorted nodes let it") {
  const Index T = 200;
  const double lambda_min = 1e-4;
  const auto nodes = chebyshev_nodes(T);
  const Steps steps = Steps::chebyshev(lambda_min, 1, nodes.data());
  double largest = 0;
  for (double lambda = lambda_min; lambda <= 1; lambda *= 1.01) {
    double product = 1;
    for (Index t = 0; t < T; ++t) {
      product *= std::abs(1 - steps(t) * lambda);
      largest = std::max(largest, product);
    }
    CHECK(product <= 0.0367);  // 1 / T_200((1 + 1e-4) / (1 − 1e-4)) = 0.03663
  }
  CHECK(largest < 1e4);
}

TEST_CASE("steps of each kind") {
  CHECK(Steps::constant(0.25)(17) == 0.25);
  const std::vector<double> schedule{1, 2, 3};
  const Steps scheduled = Steps::scheduled(testing::view(schedule), 0.5, Scaling{.x = 1});
  CHECK(scheduled(2) == 3 * 0.5 / 4);
  const std::vector<double> nodes{0.5};
  CHECK(Steps::chebyshev(1, 3, nodes.data())(0) == 0.5);
}
