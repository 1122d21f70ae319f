#include <doctest/doctest.h>

#include <loopcore/gram.hpp>

#include "engines.hpp"
#include "exact.hpp"

using namespace loopcore;

namespace {

constexpr Path paths[] = {Path::gram, Path::power, Path::tridiagonal};

/// Up to a lane of tasks on one X, each with its own y, q0 and α.
struct Shared {
  Shared(Index n, Index d) : X(n, d) {
    for (Index t = 0; t < lane_width; ++t) others.emplace_back(n, d, static_cast<unsigned>(t + 5));
    for (const auto& other : others) {
      Task task = other.task(static_cast<double>(tasks.size()) - 2.5);
      task.X = X.task().X;
      tasks.push_back(task);
    }
    eta = Lane::broadcast(static_cast<double>(1 / testing::lambda_max(X)));
  }

  testing::Prompt<> X;
  std::vector<testing::Prompt<>> others;
  std::vector<Task> tasks;
  Lane eta;
};

}  // namespace

TEST_CASE("every path is the q-recursion in long double, primal and dual") {
  for (const auto& [n, d] : testing::shapes) {
    const testing::Prompt<> prompt(n, d, static_cast<unsigned>(n + 5 * d));
    const auto eta = static_cast<double>(1 / testing::lambda_max(prompt));
    const Team team(1);
    const Task task = prompt.task(1.5);
    const testing::Loops exact(prompt, 30, 1.5L, [eta](Index) { return eta; });
    for (const Path path : paths) {
      for (const bool dual : n < d ? std::vector{true, false} : std::vector{false}) {
        Gram gram(n, d, path, dual, false, team);
        const Steps steps = Steps::constant(Lane::broadcast(eta));
        CHECK(exact.error(testing::run(gram, {&task, 1}, steps, 30)[0]) < 10);
        CHECK(testing::run(gram, {&task, 1}, steps, 0)[0] == prompt.q0);
      }
    }
  }
}

TEST_CASE("tasks on one X have the bits that each has alone") {
  for (const auto& [n, d] : {std::pair<Index, Index>{50, 40}, {30, 70}, {300, 33}}) {
    const Shared shared(n, d);
    const Team team(1);
    for (const Path path : {Path::gram, Path::tridiagonal}) {
      for (const bool dual : n < d ? std::vector{true, false} : std::vector{false}) {
        Gram gram(n, d, path, dual, false, team), alone(n, d, path, dual, false, team);
        REQUIRE(gram.take(shared.tasks) == lane_width);
        const auto together = testing::run(gram, shared.tasks, Steps::constant(shared.eta), 20);
        for (std::size_t t = 0; t < together.size(); ++t) {
          const auto q =
              testing::run(alone, {&shared.tasks[t], 1}, Steps::constant(shared.eta), 20);
          CHECK(q[0] == together[t]);  // for t > 0 on the S, and the basis, that are known
        }
      }
    }
  }
}

TEST_CASE("a NaN in one task leaves the bits of others on its X alone") {
  for (const auto& [n, d] : {std::pair<Index, Index>{50, 41}, {30, 71}}) {
    Shared shared(n, d);
    const Team team(1);
    for (const Path path : {Path::gram, Path::tridiagonal}) {
      const auto run = [&, n = n, d = d] {
        Gram gram(n, d, path, n < d, false, team);
        return testing::run(gram, shared.tasks, Steps::constant(shared.eta), 20);
      };
      const auto expected = run();
      const std::vector<double> bad(static_cast<std::size_t>(d), NAN);
      const VectorView q0 = shared.tasks[0].q0;
      shared.tasks[0].q0 = testing::view(bad);
      const auto found = run();
      shared.tasks[0].q0 = q0;
      CHECK(std::isnan(found[0][0]));
      for (std::size_t t = 1; t < found.size(); ++t) CHECK(found[t] == expected[t]);
    }
  }
}

TEST_CASE("a Gram takes the tasks in front that have their X in common, with power one by one") {
  const Shared shared(40, 35), other(40, 35);
  const Team team(1);
  const Gram gram(40, 35, Path::gram, false, false, team);
  const Gram power(40, 35, Path::power, false, false, team);
  const std::vector<Task> tasks{shared.tasks[0], shared.tasks[1], other.tasks[0], shared.tasks[0]};
  CHECK(gram.take(tasks) == 2);
  CHECK(gram.take(std::span(tasks).subspan(2)) == 1);
  CHECK(power.take(tasks) == 1);
  std::vector<Task> many(static_cast<std::size_t>(lane_width + 3), shared.tasks[0]);
  CHECK(gram.take(many) == lane_width);
}

TEST_CASE("another X in between changes no bit") {
  const Shared a(40, 35), b(40, 35);
  const Team team(1);
  for (const Path path : paths) {
    Gram gram(40, 35, path, false, true, team);
    const auto run = [&](const Shared& shared) {
      auto q = testing::run(gram, {&shared.tasks[0], 1}, Steps::constant(shared.eta), 9);
      return q[0];
    };
    const auto first = run(a);
    run(b);
    CHECK(run(a) == first);
    CHECK(run(a) == first);
  }
}

TEST_CASE("the number of threads changes no bit") {
  for (const auto& [n, d] : {std::pair<Index, Index>{600, 40}, {3000, 70}, {300, 270}, {40, 300}}) {
    const testing::Prompt<> prompt(n, d);
    const Task task = prompt.task();
    const Steps steps = Steps::constant(Lane::broadcast(0.2 / static_cast<double>(n + d)));
    for (const Path path : paths) {
      const auto q = [&, n = n, d = d](int threads) {
        const Team team(threads);
        Gram gram(n, d, path, n < d, false, team);
        return testing::run(gram, {&task, 1}, steps, 8);
      };
      const auto one = q(1);
      CHECK(q(2) == one);
      CHECK(q(3) == one);
    }
  }
}

TEST_CASE("λ_max on every path") {
  const testing::Prompt<> prompt(60, 40);
  const Team team(1);
  const Task task = prompt.task();
  const Scaling scaling;
  Stop stop = testing::never_stop();
  for (const Path path : paths) {
    Gram gram(60, 40, path, false, true, team);
    gram.open({&task, 1}, &scaling, stop);
    CHECK(gram.lambda_max(stop)[0] ==
          doctest::Approx(static_cast<double>(testing::lambda_max(prompt))).epsilon(1e-15));
  }
}

TEST_CASE("large S is summed by panels: a constant X of 600 columns does not drift") {
  const Index n = 601, d = 600;
  const std::vector<double> X(static_cast<std::size_t>(n * d), 0.1);
  const std::vector<double> y(static_cast<std::size_t>(n), 0.3);
  Task task;
  task.n = n;
  task.d = d;
  task.X = testing::view(X, d);
  task.y = testing::view(y);
  task.alpha = 1;
  const Team team(1);
  Gram gram(n, d, Path::gram, false, false, team);
  const double lambda = 0.01 * static_cast<double>(n * d);
  const auto q = testing::run(gram, {&task, 1}, Steps::constant(Lane::broadcast(0.5 / lambda)), 3);
  // q = −c 1 with c = (1 − 2⁻³) · 0.3 / (0.1 d)
  const double expected = -0.875 * 0.3 / (0.1 * static_cast<double>(d));
  for (const double value : q[0]) {
    CHECK(std::abs(value / expected - 1) < 60 * 0x1p-53);
  }
}

TEST_CASE("what leaves the range of double is seen") {
  Stop stop = testing::never_stop();
  const Team team(1);
  for (const bool dual : {false, true}) {
    for (const double exponent : {-160.0, 160.0}) {
      const testing::Prompt<> prompt(6, 9, 1, exponent);
      const Task task = prompt.task();
      Gram gram(6, 9, Path::gram, dual, false, team);
      double row[9];
      const Scaling plain, scaling = find_scaling(task, row);
      gram.open({&task, 1}, &plain, stop);
      CHECK(testing::holds(gram.in_range(), 1) == std::vector{false});
      gram.open({&task, 1}, &scaling, stop);
      CHECK(testing::holds(gram.in_range(), 1) == std::vector{true});
    }
  }
}
