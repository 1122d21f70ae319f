#include <doctest/doctest.h>

#include <loopcore/packed_vjp.hpp>

#include "undone.hpp"

using namespace loopcore;

namespace {

/// Some tasks of one size with steps of their own, below 2 / λ_max.
struct Batch {
  Batch(Index n, Index d, Index T, StepKind kind, Index count = lane_width) {
    problem.n = n;
    problem.d = d;
    problem.T = T;
    problem.kind = kind;
    for (Index t = 0; t < count; ++t) prompts.emplace_back(n, d, static_cast<unsigned>(t + 3));
    for (const auto& prompt : prompts) {
      const auto number = static_cast<double>(tasks.size());
      const double eta = (0.3 + 0.1 * number) / static_cast<double>(testing::lambda_max(prompt));
      schedules.emplace_back();
      for (Index t = 0; t < T; ++t) {
        const double factor = kind == StepKind::schedule ? 1 + 0.1 * static_cast<double>(t % 5) : 1;
        schedules.back().push_back(factor * eta);
      }
      tasks.push_back(prompt.task(number - 2.5));
      steps.push_back({.eta = eta, .schedule = {}});
    }
    for (std::size_t t = 0; t < tasks.size(); ++t) steps[t].schedule = testing::view(schedules[t]);
  }

  Problem problem;
  std::vector<testing::Prompt<>> prompts;
  std::vector<std::vector<double>> schedules;
  std::vector<Task> tasks;
  std::vector<StepInput> steps;
};

/// In batches of any size, d as it is known when compiled.
template <Index D>
void check_against_long_double(Index n, Index d, StepKind kind) {
  const Batch batch(n, d, 40, kind);
  PackedVjp<D> vjp(batch.problem, 40);
  const auto kept = testing::pull_back(vjp, batch.problem, batch.tasks, batch.steps);
  for (std::size_t t = 0; t < kept.size(); ++t) {
    const testing::Real alpha = static_cast<double>(t) - 2.5;
    const auto exact = testing::undo(batch.prompts[t], alpha, batch.schedules[t]);
    CHECK(testing::distance(kept[t].X, exact.X) < 1e-12);
    CHECK(testing::distance(kept[t].y, exact.y) < 1e-12);
    const auto v_bar = static_cast<double>(testing::norm(batch.prompts[t].q0));
    CHECK(testing::distance(kept[t].q0, exact.q0, v_bar) < 1e-13);
    CHECK(kept[t].alpha[0] == doctest::Approx(exact.alpha[0]).epsilon(1e-11));
    const double size = testing::slope_size(batch.prompts[t], alpha);
    if (kind == StepKind::given) {
      CHECK(testing::distance(kept[t].eta, exact.eta, size) < 1e-13);
    } else {
      CHECK(testing::distance(kept[t].schedule, exact.schedule, size) < 1e-13);
    }
  }
}

}  // namespace

TEST_CASE("the cotangents are those of the loops undone in long double, in every element") {
  for (const StepKind kind : {StepKind::given, StepKind::schedule}) {
    for (const auto& [n, d] : testing::shapes) {
      if (d <= 32) check_against_long_double<0>(n, d, kind);
      if (d == 4) check_against_long_double<4>(n, d, kind);
    }
  }
}

TEST_CASE("segments change no bit") {
  for (const StepKind kind : {StepKind::given, StepKind::schedule, StepKind::lambda_max}) {
    const Batch batch(7, 5, 333, kind);
    PackedVjp<0> whole(batch.problem, 333);
    const auto expected = testing::pull_back(whole, batch.problem, batch.tasks, batch.steps);
    for (const Index segment : {32, 64, 320}) {
      PackedVjp<0> vjp(batch.problem, segment);
      CHECK(testing::pull_back(vjp, batch.problem, batch.tasks, batch.steps) == expected);
    }
  }
}

TEST_CASE("a hundred thousand loops with checkpoints have the bits of a full record") {
  const Batch batch(6, 3, 100'000, StepKind::given, 2);
  CHECK(choose_segment(100'000, 3) < 400);
  PackedVjp<0> whole(batch.problem, 100'000), parts(batch.problem, choose_segment(100'000, 3));
  CHECK(testing::pull_back(parts, batch.problem, batch.tasks, batch.steps) ==
        testing::pull_back(whole, batch.problem, batch.tasks, batch.steps));
}

TEST_CASE("a task has the same bits alone and in company") {
  for (const StepKind kind : {StepKind::given, StepKind::schedule, StepKind::lambda_max}) {
    const Batch batch(50, 13, 40, kind);
    PackedVjp<0> vjp(batch.problem, 40);
    const auto together = testing::pull_back(vjp, batch.problem, batch.tasks, batch.steps);
    for (std::size_t t = 0; t < together.size(); ++t) {
      CHECK(testing::pull_back(vjp, batch.problem, {batch.tasks[t]}, {batch.steps[t]})[0] ==
            together[t]);
    }
  }
}
