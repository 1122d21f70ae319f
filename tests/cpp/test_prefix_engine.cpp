#include <doctest/doctest.h>

#include <loopcore/gram_prefixes.hpp>
#include <loopcore/packed_prefixes.hpp>
#include <memory>

#include "exact.hpp"

using namespace loopcore;

namespace {

constexpr Path paths[] = {Path::gram, Path::power, Path::tridiagonal};

/// q(T) of the prefixes from `first` on, one an element, and the sums over the rows before `first` but one.
std::vector<std::vector<double>> run(PrefixEngine& engine, const Task& task, Index first,
                                     double eta, Index T) {
  Buffer base(engine.size_of_sums()), sums(engine.size_of_sums());
  engine.open(task, Scaling{});
  for (Index k = 0; k < first; k += engine.width()) engine.form(k, base.data(), sums.data());
  engine.form(first, base.data(), sums.data());
  Stop stop = testing::never_stop();
  engine.start(stop);
  const Lane* q = engine.run(Steps::constant(Lane::broadcast(eta)), T, stop);
  std::vector<std::vector<double>> found;
  for (Index k = 0; k < engine.width(); ++k) found.push_back(testing::element(q, k, task.d));
  return found;
}

/// The first rows of a prompt.
testing::Prompt<> first_rows(testing::Prompt<> prompt, Index rows) {
  prompt.n = rows;
  prompt.X.resize(static_cast<std::size_t>(rows * prompt.d));
  prompt.y.resize(static_cast<std::size_t>(rows));
  return prompt;
}

std::vector<std::unique_ptr<PrefixEngine>> engines(Index d, Path path, bool finds_step) {
  std::vector<std::unique_ptr<PrefixEngine>> result;
  result.push_back(std::make_unique<PackedPrefixes<0>>(d, path, finds_step));
  if (d == 4) result.push_back(std::make_unique<PackedPrefixes<4>>(d, path, finds_step));
  result.push_back(std::make_unique<GramPrefixes>(d, path, finds_step));
  return result;
}

}  // namespace

TEST_CASE("every prefix is the q-recursion in long double") {
  for (const Index d : {1, 4, 7, 20, 33}) {
    const testing::Prompt<> prompt(2 * lane_width + 3, d, static_cast<unsigned>(d));
    const double eta = 0.7 / static_cast<double>(testing::lambda_max(prompt));
    for (const Path path : paths) {
      for (const auto& engine : engines(d, path, false)) {
        for (Index first = 0; first <= prompt.n; first += lane_width) {
          const auto q = run(*engine, prompt.task(1.5), first, eta, 30);
          for (Index k = 0; k < engine->width(); ++k) {
            const Index rows = std::min(first + k, prompt.n);  // past the last one like the last
            const auto& found = q[static_cast<std::size_t>(k)];
            if (rows == 0) {
              CHECK(found == prompt.q0);
              continue;
            }
            const testing::Loops exact(first_rows(prompt, rows), 30, 1.5L,
                                       [eta](Index) { return eta; });
            CHECK(exact.error(found) < 10);
          }
        }
      }
    }
  }
}

TEST_CASE("λ_max, tr S and Σ y² of every prefix") {
  const testing::Prompt<> prompt(lane_width - 1, 5);
  for (const Path path : paths) {
    for (const auto& engine : engines(5, path, true)) {
      Buffer base(engine->size_of_sums()), sums(engine->size_of_sums());
      Stop stop = testing::never_stop();
      engine->open(prompt.task(), Scaling{});
      for (Index first = 0; first < lane_width; first += engine->width()) {
        engine->form(first, base.data(), sums.data());
        engine->start(stop);
        const Lane lambda = engine->lambda_max(stop);
        for (Index k = 0; k < engine->width(); ++k) {
          const testing::Prompt<> rows = first_rows(prompt, first + k);
          double trace = 0, yy = 0;
          for (const double x : rows.X) trace += x * x;
          for (const double y : rows.y) yy += y * y;
          CHECK(engine->trace()[k] == doctest::Approx(trace).epsilon(1e-14));
          CHECK(engine->yy()[k] == doctest::Approx(yy).epsilon(1e-14));
          const auto exact = first + k == 0 ? 0.0 : static_cast<double>(testing::lambda_max(rows));
          CHECK(std::abs(lambda[k] - exact) <= 12 * 0x1p-53 * exact);
        }
      }
    }
  }
}

TEST_CASE("rows are read as scaled, and those that do not exist are zero") {
  testing::Prompt<float> prompt(3, 2);
  PrefixRows rows(2, 4);
  rows.open(prompt.task(), Scaling{3, -1});
  const double* x[4];
  rows.read(-1, x);
  for (Index r = 0; r < 4; ++r) {
    for (Index k = 0; k < 2; ++k) CHECK(x[r][k] == (r == 0 ? 0.0 : 8.0 * prompt.x(r - 1, k)));
    CHECK(rows.y()[r] == (r == 0 ? 0.0 : 0.5 * prompt.y[static_cast<std::size_t>(r - 1)]));
  }
  rows.read(2, x);
  CHECK(x[0][1] == 8.0 * prompt.x(2, 1));
  CHECK(x[1][1] == 0);
  CHECK(rows.y()[3] == 0);
}
