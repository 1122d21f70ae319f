#include <doctest/doctest.h>

#include "problem.hpp"

using namespace loopcore;

namespace {

std::vector<double> solve(const Task& task, Index T, Path path, StepKind kind,
                          const StepInput& input = {}) {
  Problem problem{.n = task.n, .d = task.d, .T = T, .at = {T}, .kind = kind, .path = path};
  Solver solver(problem);
  Stop stop = testing::never_stop();
  std::vector<double> result;
  solver(task, input, stop, [&](Index, const double* q) { result.assign(q, q + task.d); });
  return result;
}

}  // namespace

TEST_CASE("both paths, every kind of step, against long double") {
  for (const auto& [n, d] : {std::pair<Index, Index>{20, 4}, {7, 12}, {90, 17}}) {
    const testing::Prompt<> prompt(n, d, static_cast<unsigned>(d));
    const Index T = 25;
    const long double lambda = prompt.lambda_max();
    std::vector<double> schedule;
    for (Index t = 0; t < T; ++t)
      schedule.push_back(static_cast<double>(1 / lambda) / (1 + 0.1 * static_cast<double>(t)));
    for (const Path path : {Path::stream, Path::gram}) {
      const auto found = solve(prompt.task(2), T, path, StepKind::lambda_max);
      CHECK(testing::relative_difference(
                found, prompt.loops(T, 2, [&](Index) { return 1 / lambda; })) < 3e-14);
      const auto given =
          solve(prompt.task(2), T, path, StepKind::given, {.eta = 0.25 * schedule[0]});
      CHECK(testing::relative_difference(
                given, prompt.loops(T, 2, [&](Index) { return 0.25L * schedule[0]; })) < 3e-14);
      const auto planned =
          solve(prompt.task(2), T, path, StepKind::schedule, {.schedule = testing::view(schedule)});
      CHECK(testing::relative_difference(planned, prompt.loops(T, 2, [&](Index t) {
              return static_cast<long double>(schedule[static_cast<std::size_t>(t)]);
            })) < 3e-14);
    }
  }
}

TEST_CASE("optimal and Chebyshev steps reach the solution sooner") {
  const testing::Prompt<> prompt(40, 20, 5);
  LeastSquares least_squares(40, 20, 0x1p-52);
  Stop stop = testing::never_stop();
  std::vector<double> theta(20);
  least_squares.solve(prompt.task(), theta.data(), stop);
  const auto error = [&](StepKind kind) {
    auto v = solve(prompt.task(-1), 60, Path::gram, kind);  // α = −1: q itself tends to θ̂
    return testing::relative_difference(v, theta);
  };
  CHECK(error(StepKind::optimal) < 0.5 * error(StepKind::lambda_max));
  CHECK(error(StepKind::chebyshev) < 0.01 * error(StepKind::optimal));
}

TEST_CASE("scaled tasks give scaled results, bit for bit, at any exponent") {
  const testing::Prompt<> plain(30, 6, 2);
  for (const int exponent : {-500, 500}) {
    testing::Prompt<> scaled = plain;
    for (double& x : scaled.X) x = std::ldexp(x, exponent);
    for (double& y : scaled.y) y = std::ldexp(y, exponent);
    for (const Path path : {Path::stream, Path::gram}) {
      for (const StepKind kind : {StepKind::lambda_max, StepKind::optimal, StepKind::chebyshev}) {
        CHECK(solve(scaled.task(), 12, path, kind) == solve(plain.task(), 12, path, kind));
      }
    }
  }
}

TEST_CASE("recording at several loops changes nothing") {
  const testing::Prompt<> prompt(9, 20, 4);
  for (const Path path : {Path::stream, Path::gram}) {
    Problem problem{.n = 9, .d = 20, .T = 10, .at = {0, 3, 3, 10}, .path = path};
    Solver solver(problem);
    Stop stop = testing::never_stop();
    std::vector<std::vector<double>> q;
    solver(prompt.task(), {}, stop, [&](Index, const double* at) { q.emplace_back(at, at + 20); });
    REQUIRE(q.size() == 4);
    CHECK(q[0] == prompt.q0);
    CHECK(q[1] == solve(prompt.task(), 3, path, StepKind::lambda_max));
    CHECK(q[2] == q[1]);
    CHECK(q[3] == solve(prompt.task(), 10, path, StepKind::lambda_max));
  }
}

TEST_CASE("nothing to attend to leaves q where it is") {
  const testing::Prompt<> prompt(0, 3);
  const testing::Prompt<> zero(4, 3);
  for (const Path path : {Path::stream, Path::gram}) {
    CHECK(solve(prompt.task(), 5, path, StepKind::lambda_max) == prompt.q0);
    Task task = zero.task();
    const std::vector<double> nothing(12);
    task.X = testing::view(nothing, 3);
    for (const StepKind kind : {StepKind::lambda_max, StepKind::optimal, StepKind::chebyshev}) {
      CHECK(solve(task, 5, path, kind) == zero.q0);
    }
  }
}
