#include <doctest/doctest.h>

#include <algorithm>
#include <functional>
#include <loopcore/steps.hpp>

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
  const Steps steps =
      Steps::chebyshev(Lane::broadcast(lambda_min), Lane::broadcast(1), nodes.data());
  double largest = 0;
  for (double lambda = lambda_min; lambda <= 1; lambda *= 1.01) {
    double product = 1;
    for (Index t = 0; t < T; ++t) {
      product *= std::abs(1 - steps(t)[0] * lambda);
      largest = std::max(largest, product);
    }
    CHECK(product <= 0.0367);  // 1 / T_200((1 + 1e-4) / (1 − 1e-4)) = 0.03663
  }
  CHECK(largest < 1e4);
}

TEST_CASE("steps of each kind, one a task") {
  Lane eta = Lane::zero();
  for (Index t = 0; t < lane_width; ++t) eta.set(t, static_cast<double>(t));
  for (Index t = 0; t < lane_width; ++t) CHECK(Steps::constant(eta)(17)[t] == eta[t]);
  const std::vector<double> nodes{0.5};
  const Lane one = Lane::broadcast(1);
  for (Index t = 0; t < lane_width; ++t) {
    CHECK(Steps::chebyshev(one, one + eta, nodes.data())(0)[t] ==
          doctest::Approx(2 / (2 + eta[t])).epsilon(1e-15));
  }
}

TEST_CASE("where X is zero every step is") {
  const std::vector<double> nodes{0.5};
  CHECK(Steps::chebyshev(Lane::zero(), Lane::zero(), nodes.data())(0)[0] == 0);
}

TEST_CASE("schedules, shared by the tasks or one each, as scaled") {
  const std::vector<double> common{1, 2, 3};
  const std::vector<float> own{5, 6, 7};
  const VectorView shared[] = {testing::view(common), testing::view(common)};
  const VectorView each[] = {testing::view(common), testing::view(own)};
  const Scaling plain[2];
  const Scaling scaled[] = {{}, {.x = 1}};
  CHECK(Steps::scheduled(shared, 2, 0.5, plain)(2)[0] == 1.5);
  CHECK(Steps::scheduled(shared, 2, 0.5, plain)(2)[1] == 1.5);
  CHECK(Steps::scheduled(shared, 2, 0.5, scaled)(2)[0] == 1.5);
  CHECK(Steps::scheduled(shared, 2, 0.5, scaled)(2)[1] == 1.5 / 4);
  CHECK(Steps::scheduled(each, 2, 1, plain)(1)[0] == 2);
  CHECK(Steps::scheduled(each, 2, 1, plain)(1)[1] == 6);
}
