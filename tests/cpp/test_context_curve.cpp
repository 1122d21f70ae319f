#include <doctest/doctest.h>

#include <loopcore/context_curve.hpp>
#include <mutex>

#include "exact.hpp"
#include "solving.hpp"

using namespace loopcore;

namespace {

using Curves = std::vector<std::vector<std::vector<double>>>;  // (tasks, prefixes, d)

/// Keeps q of every prefix of every task.
class Keep final : public CurveReadout {
 public:
  Keep(Curves& curves, Index d) : curves_(curves), d_(d) {}

  void record(const Context& context, Index first, Index count, const Lane* q) override {
    auto& curve = curves_[static_cast<std::size_t>(context.number)];
    for (Index k = 0; k < count; ++k) {
      curve[static_cast<std::size_t>(first + k)] = testing::element(q, k, d_);
    }
  }

 private:
  Curves& curves_;
  Index d_;
};

Curves curves_of(const std::vector<testing::Prompt<>>& prompts, Problem problem, int threads) {
  problem.n = prompts[0].n;
  problem.d = prompts[0].d;
  const Index prefixes = problem.n + 1;
  Curves curves(prompts.size());
  for (auto& curve : curves) curve.resize(static_cast<std::size_t>(prefixes));
  StopFlag flag;
  const std::vector<double> schedule(static_cast<std::size_t>(problem.T), 1e-4);
  run_context_curves(
      problem, prefixes, static_cast<Index>(prompts.size()), threads, flag,
      [&](Index number, Task& task, StepInput& steps) {
        task = prompts[static_cast<std::size_t>(number)].task(1.5);
        steps.eta = 1e-3;
        steps.schedule = testing::view(schedule);
      },
      [&] { return std::make_unique<Keep>(curves, problem.d); });
  return curves;
}

}  // namespace

TEST_CASE("any number of threads, whether by tasks or by panels, computes the same bits") {
  for (const Index d : {4, 9, 66}) {
    for (const StepKind kind : {StepKind::given, StepKind::schedule, StepKind::lambda_max}) {
      Problem problem;
      problem.T = 200;
      problem.kind = kind;
      const std::vector<testing::Prompt<>> one{{300, d, 1}};
      const std::vector<testing::Prompt<>> many(17, testing::Prompt<>(70, d, 2));
      for (const auto& prompts : {one, many}) {
        const Curves alone = curves_of(prompts, problem, 1);
        for (const int threads : {2, 3, 7}) CHECK(curves_of(prompts, problem, threads) == alone);
      }
    }
  }
}

TEST_CASE("a curve has the bits of a shorter one") {
  const testing::Prompt<> prompt(150, 6);
  testing::Prompt<> shorter = prompt;
  shorter.n = 77;
  Problem problem;
  problem.T = 9;
  const auto whole = curves_of({prompt}, problem, 1)[0];
  const auto part = curves_of({shorter}, problem, 1)[0];
  for (std::size_t k = 0; k < part.size(); ++k) CHECK(part[k] == whole[k]);
}

TEST_CASE("every prefix is what a solver finds") {
  for (const Index d : {1, 4, 20, 66}) {
    const testing::Prompt<> prompt(80, d);
    for (const bool mean : {false, true}) {
      for (const StepKind kind : {StepKind::given, StepKind::schedule, StepKind::lambda_max}) {
        Problem problem;
        problem.T = 20;
        problem.kind = kind;
        problem.mean = mean;
        const auto curve = curves_of({prompt}, problem, 1)[0];
        const std::vector<double> schedule(20, 1e-4);
        const StepInput input{1e-3, testing::view(schedule)};
        for (const Index k : {0, 1, 7, 8, 63, 64, 65, 80}) {
          problem.d = d;
          problem.n = k;
          problem.at = {problem.T};
          Task task = prompt.task(1.5);
          task.n = k;
          const auto expected = testing::solve(problem, {&task, 1}, {&input, 1})[0][0];
          CHECK(testing::relative_difference(curve[static_cast<std::size_t>(k)], expected) < 1e-12);
        }
      }
    }
  }
}

TEST_CASE("what is known of a task: its scale, and where it begins and ends to mean something") {
  testing::Prompt<> prompt(6, 2);
  std::fill_n(prompt.X.begin(), 4, 0.0);
  prompt.y[0] = 0;
  double row[2];
  Stop stop = testing::never_stop();
  Context context = look_at(3, prompt.task(), {}, row, stop);
  CHECK(context.number == 3);
  CHECK(context.scaling.is_identity());
  CHECK(context.first_x == 2);
  CHECK(context.first_y == 1);
  CHECK(context.first_not_finite == 6);
  for (double& x : prompt.X) x *= 1e200;
  prompt.y[4] = INFINITY;
  context = look_at(3, prompt.task(), {}, row, stop);
  CHECK(context.scaling.x < -500);
  CHECK(context.scaling.y == 0);
  CHECK(context.first_not_finite == 4);
}
