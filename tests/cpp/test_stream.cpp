#include <doctest/doctest.h>

#include <loopcore/stream.hpp>

#include "engines.hpp"
#include "exact.hpp"

using namespace loopcore;

TEST_CASE("loops follow the q-recursion in long double") {
  for (const auto& [n, d] : testing::shapes) {
    const testing::Prompt<> prompt(n, d, static_cast<unsigned>(3 * n + d));
    const auto eta = static_cast<double>(1 / testing::lambda_max(prompt));
    const Team team(1);
    Stream stream(n, d, false, team);
    const Task task = prompt.task(1.5);
    const auto q = testing::run(stream, {&task, 1}, Steps::constant(Lane::broadcast(eta)), 30);
    CHECK(testing::Loops(prompt, 30, 1.5L, [eta](Index) { return eta; }).error(q[0]) < 10);
  }
}

TEST_CASE("λ_max from passes over X") {
  const testing::Prompt<float> prompt(50, 13);
  const Team team(1);
  Stream stream(50, 13, true, team);
  Stop stop = testing::never_stop();
  const Task task = prompt.task();
  const Scaling scaling;
  stream.open({&task, 1}, &scaling, stop);
  CHECK(stream.lambda_max(stop)[0] ==
        doctest::Approx(static_cast<double>(testing::lambda_max(prompt))).epsilon(1e-14));
  CHECK(testing::holds(stream.in_range(), 1) == std::vector{true});
}

TEST_CASE("the number of threads changes no bit, chunks more and fewer than threads") {
  for (const auto& [n, d] : {std::pair<Index, Index>{0, 3}, {100, 9}, {1500, 3}, {5000, 40}}) {
    const testing::Prompt<> prompt(n, d);
    const Task task = prompt.task();
    const Steps steps = Steps::constant(Lane::broadcast(0.5 / static_cast<double>(n + 1)));
    const auto q = [&](int threads) {
      const Team team(threads);
      Stream stream(n, d, false, team);
      return testing::run(stream, {&task, 1}, steps, 5);
    };
    const auto one = q(1);
    CHECK(q(2) == one);
    CHECK(q(3) == one);
  }
}

TEST_CASE("what leaves the range of double is seen") {
  Stop stop = testing::never_stop();
  const Team team(1);
  for (const double exponent : {-160.0, 160.0}) {
    const testing::Prompt<> prompt(6, 3, 1, exponent);
    const Task task = prompt.task();
    Stream stream(6, 3, false, team);
    double row[3];
    const Scaling plain, scaling = find_scaling(task, row);
    stream.open({&task, 1}, &plain, stop);
    CHECK(testing::holds(stream.in_range(), 1) == std::vector{false});
    stream.open({&task, 1}, &scaling, stop);
    CHECK(testing::holds(stream.in_range(), 1) == std::vector{true});
  }
}
