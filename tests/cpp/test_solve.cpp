#include <doctest/doctest.h>

#include "exact.hpp"
#include "solving.hpp"

using namespace loopcore;
using testing::solve;

namespace {

constexpr Path paths[] = {Path::automatic, Path::stream, Path::gram, Path::power,
                          Path::tridiagonal};

/// In lanes, tall and wide; larger, tall and wide.
constexpr std::pair<Index, Index> shapes[] = {{20, 4}, {7, 12}, {90, 40}, {30, 45}};

constexpr double promised = 30;

bool can_run(Path path, StepKind kind) { return path != Path::power || is_constant(kind); }

}  // namespace

TEST_CASE("all paths, every kind of step, within R of long double") {
  for (const auto& [n, d] : shapes) {
    const testing::Prompt<> prompt(n, d, static_cast<unsigned>(d));
    const testing::Vector lambda = testing::eigenvalues(testing::gram_matrix(prompt));
    const testing::Real largest = lambda.back();
    const testing::Real smallest = lambda[static_cast<std::size_t>(std::max<Index>(0, d - n))];
    const Index T = 25;
    std::vector<double> schedule;
    for (Index t = 0; t < T; ++t)
      schedule.push_back(static_cast<double>(1 / largest) / (1 + 0.1 * static_cast<double>(t)));
    const std::vector<double> nodes = chebyshev_nodes(T);
    StepInput input;
    input.eta = 0.25 * schedule[0];
    input.schedule = testing::view(schedule);
    const auto check = [&](StepKind kind, auto&& eta) {
      const testing::Loops exact(prompt, T, 2, eta);
      for (const Path path : paths) {
        if (!can_run(path, kind)) continue;
        CAPTURE(n);
        CAPTURE(static_cast<int>(path));
        CAPTURE(static_cast<int>(kind));
        CHECK(exact.error(solve(prompt.task(2), T, path, kind, input)) < promised);
      }
    };
    check(StepKind::given, [&](Index) { return static_cast<testing::Real>(input.eta); });
    check(StepKind::schedule, [&](Index t) {
      return static_cast<testing::Real>(schedule[static_cast<std::size_t>(t)]);
    });
    check(StepKind::lambda_max, [&](Index) { return 1 / largest; });
    check(StepKind::optimal, [&](Index) { return 2 / (smallest + largest); });
    check(StepKind::chebyshev, [&](Index t) {
      const testing::Real node = nodes[static_cast<std::size_t>(t)];
      return 1 / (largest * node + smallest * (1 - node));
    });
  }
}

TEST_CASE("no loops give q0, exactly") {
  for (const auto& [n, d] : shapes) {
    const testing::Prompt<> prompt(n, d);
    for (const Path path : paths) {
      CHECK(solve(prompt.task(3), 0, path, StepKind::lambda_max) == prompt.q0);
    }
  }
}

TEST_CASE("dividing by n is a smaller step") {
  const testing::Prompt<> prompt(16, 5);  // n is a power of two: the same bits
  const Task task = prompt.task();
  for (const Path path : paths) {
    Problem problem;
    problem.n = 16;
    problem.d = 5;
    problem.T = 9;
    problem.at = {9};
    problem.kind = StepKind::given;
    problem.path = path;
    problem.mean = true;
    const StepInput large{0.5, {}};
    CHECK(solve(problem, {&task, 1}, {&large, 1})[0][0] ==
          solve(task, 9, path, StepKind::given, {0.5 / 16, {}}));
  }
}

TEST_CASE("optimal and Chebyshev steps reach the solution sooner") {
  const testing::Prompt<> prompt(40, 20, 5);
  LeastSquares least_squares(40, 20, 0x1p-52);
  Stop stop = testing::never_stop();
  std::vector<double> theta(20);
  least_squares.solve(prompt.task(), theta.data(), stop);
  const auto error = [&](StepKind kind) {
    const auto q = solve(prompt.task(-1), 60, Path::gram, kind);  // α = −1: q itself tends to θ̂
    return testing::relative_difference(q, theta);
  };
  CHECK(error(StepKind::optimal) < 0.5 * error(StepKind::lambda_max));
  CHECK(error(StepKind::chebyshev) < 0.01 * error(StepKind::optimal));
}

TEST_CASE("scaled tasks give scaled results, bit for bit, at any exponent") {
  for (const auto& [n, d] : shapes) {
    const testing::Prompt<> plain(n, d, 2);
    for (const int exponent : {-500, 500}) {
      testing::Prompt<> scaled = plain;
      for (double& x : scaled.X) x = std::ldexp(x, exponent);
      for (double& y : scaled.y) y = std::ldexp(y, exponent);
      for (const Path path : paths) {
        for (const StepKind kind : {StepKind::lambda_max, StepKind::optimal, StepKind::chebyshev}) {
          if (!can_run(path, kind)) continue;
          CHECK(solve(scaled.task(), 12, path, kind) == solve(plain.task(), 12, path, kind));
        }
      }
    }
  }
}

TEST_CASE("tasks of 1e-160 and 1e150 beside ordinary ones: all within R, none disturbs another") {
  for (const auto& [n, d] : shapes) {
    std::vector<testing::Prompt<>> prompts;
    std::vector<Task> tasks;
    for (Index t = 0; t < lane_width; ++t) {
      const double exponent = t % 2 == 0 ? 0 : t % 4 == 1 ? -160 : 150;
      prompts.emplace_back(n, d, static_cast<unsigned>(t), exponent);
    }
    for (const auto& prompt : prompts) tasks.push_back(prompt.task());
    const std::vector<StepInput> inputs(tasks.size());
    for (const Path path : paths) {
      Problem problem;
      problem.n = n;
      problem.d = d;
      problem.T = 12;
      problem.at = {12};
      problem.path = path;
      const auto together = solve(problem, tasks, inputs);
      for (std::size_t t = 0; t < tasks.size(); ++t) {
        const testing::Real eta = 1 / testing::lambda_max(prompts[t]);
        const testing::Loops exact(prompts[t], 12, 1, [eta](Index) { return eta; });
        CAPTURE(t);
        CAPTURE(static_cast<int>(path));
        CHECK(exact.error(together[t][0]) < promised);
        CHECK(together[t][0] == solve(tasks[t], 12, path, StepKind::lambda_max));
      }
    }
  }
}

TEST_CASE("tasks on one X, of which one needs a scaling of its own y") {
  for (const auto& [n, d] : shapes) {
    const testing::Prompt<> prompt(n, d);
    std::vector<double> small = prompt.y;
    for (double& y : small) y = std::ldexp(y, -700);
    std::vector<Task> tasks(static_cast<std::size_t>(std::min<Index>(lane_width, 3)),
                            prompt.task());
    tasks[1].y = testing::view(small);
    tasks[1].alpha = 0x1p700;
    const std::vector<StepInput> inputs(tasks.size());
    for (const Path path : paths) {
      Problem problem;
      problem.n = n;
      problem.d = d;
      problem.T = 12;
      problem.at = {12};
      problem.path = path;
      const auto q = solve(problem, tasks, inputs);
      const testing::Real eta = 1 / testing::lambda_max(prompt);
      const testing::Loops exact(prompt, 12, 1, [eta](Index) { return eta; });
      for (const auto& found : q) CHECK(exact.error(found[0]) < promised);
      CHECK(q.back() == q[0]);
    }
  }
}

TEST_CASE("recording at several loops changes nothing, but for where powers are cut") {
  for (const auto& [n, d] : shapes) {
    const testing::Prompt<> prompt(n, d, 4);
    const Task task = prompt.task();
    const StepInput input;
    for (const Path path : {Path::stream, Path::gram, Path::power, Path::tridiagonal}) {
      Problem problem;
      problem.n = n;
      problem.d = d;
      problem.T = 10;
      problem.at = {0, 3, 3, 10};
      problem.path = path;
      const auto q = solve(problem, {&task, 1}, {&input, 1})[0];
      REQUIRE(q.size() == 4);
      CHECK(q[0] == prompt.q0);
      CHECK(q[1] == solve(task, 3, path, StepKind::lambda_max));
      CHECK(q[2] == q[1]);
      if (path != Path::power) CHECK(q[3] == solve(task, 10, path, StepKind::lambda_max));
      const testing::Real eta = 1 / testing::lambda_max(prompt);
      const testing::Loops exact(prompt, 10, 1, [eta](Index) { return eta; });
      CHECK(exact.error(q[3]) < promised);
    }
  }
}

TEST_CASE("the number of threads changes no bit") {
  const testing::Prompt<> prompt(3000, 40);
  const Task task = prompt.task();
  const StepInput input;
  for (const Path path : paths) {
    Problem problem;
    problem.n = 3000;
    problem.d = 40;
    problem.T = 20;
    problem.at = {20};
    problem.path = path;
    const auto one = solve(problem, {&task, 1}, {&input, 1}, 1);
    CHECK(solve(problem, {&task, 1}, {&input, 1}, 2) == one);
    CHECK(solve(problem, {&task, 1}, {&input, 1}, 3) == one);
  }
}

TEST_CASE("nothing to attend to leaves q where it is") {
  for (const Index d : {3, 40}) {
    const testing::Prompt<> prompt(0, d);
    const testing::Prompt<> zero(4, d);
    for (const Path path : paths) {
      CHECK(solve(prompt.task(), 5, path, StepKind::lambda_max) == prompt.q0);
      Task task = zero.task();
      const std::vector<double> nothing(static_cast<std::size_t>(4 * d));
      task.X = testing::view(nothing, d);
      for (const StepKind kind : {StepKind::lambda_max, StepKind::optimal, StepKind::chebyshev}) {
        if (can_run(path, kind)) CHECK(solve(task, 5, path, kind) == zero.q0);
      }
    }
  }
}

TEST_CASE("a raised flag ends the run with nothing more recorded") {
  const testing::Prompt<> prompt(3000, 40);
  const Task task = prompt.task();
  const StepInput input;
  for (const Path path : paths) {
    Problem problem;
    problem.n = 3000;
    problem.d = 40;
    problem.T = 1000;
    problem.at = {1000};
    problem.path = path;
    const Team team(1);
    Solver solver(problem, team);
    testing::Vectors vectors(1);
    StopFlag flag;
    flag.raised = true;
    Stop stop(flag, true);
    solver({&task, 1}, {&input, 1}, vectors, stop);
    CHECK(vectors.q[0].empty());
  }
}
