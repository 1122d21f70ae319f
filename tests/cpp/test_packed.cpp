#include <doctest/doctest.h>

#include <loopcore/packed.hpp>

#include "engines.hpp"
#include "exact.hpp"

using namespace loopcore;

namespace {

constexpr Path paths[] = {Path::gram, Path::power, Path::tridiagonal};

/// A lane of prompts with a step and an α each.
struct Tasks {
  Tasks(Index n, Index d) {
    for (Index t = 0; t < lane_width; ++t) prompts.emplace_back(n, d, static_cast<unsigned>(t + 1));
    for (const auto& prompt : prompts) {
      tasks.push_back(prompt.task(static_cast<double>(tasks.size()) - 1.5));
      eta.set(static_cast<Index>(tasks.size()) - 1,
              static_cast<double>(1 / testing::lambda_max(prompt)));
    }
  }

  std::vector<testing::Prompt<>> prompts;
  std::vector<Task> tasks;
  Lane eta = Lane::zero();
};

}  // namespace

TEST_CASE("every path is the q-recursion in long double") {
  for (const auto& [n, d] : {std::pair<Index, Index>{1, 1}, {20, 4}, {3, 7}, {40, 20}, {130, 32}}) {
    const Tasks tasks(n, d);
    for (const Path path : paths) {
      for (const Index T : {0, 1, 5, 100}) {
        Packed<0> packed(n, d, path, false);
        const auto q = testing::run(packed, tasks.tasks, Steps::constant(tasks.eta), T);
        for (std::size_t t = 0; t < q.size(); ++t) {
          const double eta = tasks.eta[static_cast<Index>(t)];
          if (T == 0) {
            CHECK(q[t] == tasks.prompts[t].q0);
            continue;
          }
          CHECK(testing::Loops(tasks.prompts[t], T, tasks.tasks[t].alpha, [eta](Index) {
                  return eta;
                }).error(q[t]) < 10);
        }
      }
    }
  }
}

TEST_CASE("a task has the same bits alone, at any place and beside a NaN") {
  const Index n = 20, d = 4;
  const Tasks tasks(n, d);
  for (const Path path : paths) {
    Packed<4> packed(n, d, path, true);
    Packed<0> any_size(n, d, path, true);
    const auto q = testing::run(packed, tasks.tasks, Steps::constant(tasks.eta), 50);
    CHECK(testing::run(any_size, tasks.tasks, Steps::constant(tasks.eta), 50) == q);
    for (std::size_t t = 0; t < q.size(); ++t) {
      const double eta = tasks.eta[static_cast<Index>(t)];
      const auto alone =
          testing::run(packed, {&tasks.tasks[t], 1}, Steps::constant(Lane::broadcast(eta)), 50);
      CHECK(alone[0] == q[t]);
      std::vector<double> bad(static_cast<std::size_t>(n * d), NAN);
      Task other = tasks.tasks[0];
      other.X = testing::view(bad, d);
      const std::vector<Task> both{other, tasks.tasks[t]};
      CHECK(testing::run(packed, both, Steps::constant(Lane::broadcast(eta)), 50)[1] == q[t]);
    }
  }
}

TEST_CASE("λ_max of every task, with and without the basis") {
  for (const auto& [n, d] : {std::pair<Index, Index>{20, 4}, {16, 32}}) {
    const Tasks tasks(n, d);
    const std::vector<Scaling> scalings(tasks.tasks.size());
    Stop stop = testing::never_stop();
    for (const Path path : paths) {
      Packed<0> packed(n, d, path, true);
      packed.open(tasks.tasks, scalings.data(), stop);
      const Lane lambda = packed.lambda_max(stop);
      for (Index t = 0; t < lane_width; ++t) {
        const auto exact = testing::lambda_max(tasks.prompts[static_cast<std::size_t>(t)]);
        CHECK(std::abs(static_cast<double>(lambda[t] / exact - 1)) < 16 * 0x1p-53);
      }
    }
  }
}

TEST_CASE("the state has the inner products of q, before the first loop and after") {
  const Tasks tasks(20, 9);
  const std::vector<Scaling> scalings(tasks.tasks.size());
  Stop stop = testing::never_stop();
  for (const Path path : paths) {
    Packed<0> packed(20, 9, path, false);
    packed.open(tasks.tasks, scalings.data(), stop);
    packed.prepare(stop);
    Array<Lane> v(9), moved(9);
    for (Index k = 0; k < 9; ++k) v[k] = moved[k] = Lane::broadcast(static_cast<double>(k - 3));
    packed.to_basis(moved.data());
    for (Index T = 0; T <= 2; ++T) {
      packed.advance(std::max<Index>(T - 1, 0), T, Steps::constant(tasks.eta), stop);
      Lane in_place = Lane::zero(), in_basis = Lane::zero();
      const Lane* state = packed.state();
      for (Index k = 0; k < 9; ++k) in_basis = in_basis + moved[k] * state[k];
      const Lane* q = packed.q();
      for (Index k = 0; k < 9; ++k) in_place = in_place + v[k] * q[k];
      for (Index t = 0; t < lane_width; ++t) {
        CHECK(in_basis[t] == doctest::Approx(in_place[t]).epsilon(1e-13));
      }
    }
  }
}

TEST_CASE("what leaves the range of double is seen, in X and in y, also in one column of many") {
  for (const Index n : {6, 100}) {
    for (const double factor : {1e-160, 1e160}) {
      testing::Prompt<> X(n, 3), column(n, 3), y(n, 3), plain(n, 3);
      for (double& x : X.X) x *= factor;
      for (double& value : y.y) value *= factor;
      for (Index i = 0; i < n; ++i) column.X[static_cast<std::size_t>(3 * i)] *= factor;
      const Scaling scalings[2];
      Stop stop = testing::never_stop();
      Packed<0> packed(n, 3, Path::gram, false);
      const auto in_range = [&](const testing::Prompt<>& prompt) {
        const std::vector<Task> tasks{plain.task(), prompt.task()};
        packed.open(std::span(tasks).first(2), scalings, stop);
        return testing::holds(packed.in_range(), 2);
      };
      CHECK(in_range(plain) == std::vector{true, true});
      CHECK(in_range(X) == std::vector{true, false});
      CHECK(in_range(y) == std::vector{true, false});
      // A small column among ordinary ones loses nothing that counts.
      CHECK(in_range(column) == std::vector{true, factor < 1});
    }
  }
}
