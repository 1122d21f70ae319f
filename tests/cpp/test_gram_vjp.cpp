#include <doctest/doctest.h>

#include <loopcore/gram_vjp.hpp>

#include "undone.hpp"

using namespace loopcore;

namespace {

Problem problem(Index n, Index d, Index T, StepKind kind) {
  Problem p;
  p.n = n;
  p.d = d;
  p.T = T;
  p.kind = kind;
  return p;
}

}  // namespace

TEST_CASE("the cotangents of a larger task are those of the loops undone in long double") {
  const Team team(1);
  for (const StepKind kind : {StepKind::given, StepKind::schedule}) {
    for (const auto& [n, d] : testing::shapes) {
      const testing::Prompt<> prompt(n, d, static_cast<unsigned>(n + d));
      const double eta = 0.9 / static_cast<double>(testing::lambda_max(prompt));
      std::vector<double> schedule(40, eta);
      if (kind == StepKind::schedule) schedule[7] *= 1.7;
      const Problem p = problem(n, d, 40, kind);
      GramVjp vjp(p, 40, team);
      const auto kept = testing::pull_back(vjp, p, {prompt.task(1.5)},
                                           {{.eta = eta, .schedule = testing::view(schedule)}})[0];
      const auto exact = testing::undo(prompt, 1.5L, schedule);
      CHECK(testing::distance(kept.X, exact.X) < 1e-12);
      CHECK(testing::distance(kept.y, exact.y) < 1e-12);
      const auto v_bar = static_cast<double>(testing::norm(prompt.q0));
      CHECK(testing::distance(kept.q0, exact.q0, v_bar) < 1e-13);
      CHECK(kept.alpha[0] == doctest::Approx(exact.alpha[0]).epsilon(1e-11));
      const double size = testing::slope_size(prompt, 1.5L);
      if (kind == StepKind::given) {
        CHECK(testing::distance(kept.eta, exact.eta, size) < 1e-13);
      } else {
        CHECK(testing::distance(kept.schedule, exact.schedule, size) < 1e-13);
      }
    }
  }
}

TEST_CASE("neither threads nor segments change a bit") {
  for (const auto& [n, d] : {std::pair<Index, Index>{600, 40}, {3000, 70}, {300, 270}, {40, 300}}) {
    const testing::Prompt<> prompt(n, d);
    const StepInput step{.eta = 0.2 / static_cast<double>(n + d), .schedule = {}};
    for (const StepKind kind : {StepKind::given, StepKind::lambda_max}) {
      const Problem p = problem(n, d, 70, kind);
      const auto kept = [&](int threads, Index segment) {
        const Team team(threads);
        GramVjp vjp(p, segment, team);
        return testing::pull_back(vjp, p, {prompt.task()}, {step})[0];
      };
      const auto one = kept(1, 70);
      CHECK(kept(2, 70) == one);
      CHECK(kept(3, 32) == one);
    }
  }
}

TEST_CASE("a task after another on one Vjp has the bits that it has alone") {
  const Problem p = problem(50, 40, 9, StepKind::lambda_max);
  const testing::Prompt<> a(50, 40, 1), b(50, 40, 2);
  const Team team(1);
  GramVjp both(p, 9, team), alone(p, 9, team);
  const auto kept = testing::pull_back(both, p, {a.task(), b.task()}, {{}, {}});
  CHECK(kept[1] == testing::pull_back(alone, p, {b.task()}, {{}})[0]);
}
