#include <doctest/doctest.h>

#include <algorithm>
#include <limits>
#include <loopcore/packed_gram.hpp>

#include "problem.hpp"

using namespace loopcore;

namespace {

using Prompts = std::vector<testing::Prompt<>>;

/// S of one task, (d, d), of which the lower triangle is kept.
std::vector<double> whole(const Lane* S, Index t, Index d) {
  std::vector<double> entries = testing::element(S, t, d * d);
  for (Index j = 0; j < d; ++j) {
    for (Index k = 0; k < j; ++k) {
      entries[static_cast<std::size_t>(k * d + j)] = entries[static_cast<std::size_t>(j * d + k)];
    }
  }
  return entries;
}

/// S, b and max |y| of every task in its element of a lane.
using Sums = std::vector<std::vector<double>>;

Sums form(const std::vector<Task>& tasks, const std::vector<Scaling>& scalings) {
  const Index d = tasks[0].d;
  Ahead ahead;
  PackedGram<0> gram(tasks[0].n, d, ahead);
  Stop stop = testing::never_stop();
  REQUIRE(gram.form(tasks.data(), scalings.data(), static_cast<Index>(tasks.size()), stop));
  Sums sums;
  for (Index t = 0; t < static_cast<Index>(tasks.size()); ++t) {
    sums.push_back(whole(gram.S().data, t, d));
    const std::vector<double> b = testing::element(gram.b(), t, d);
    sums.back().insert(sums.back().end(), b.begin(), b.end());
    sums.back().push_back(gram.largest_y()[t]);
  }
  return sums;
}

Sums form(const std::vector<Task>& tasks) {
  return form(tasks, std::vector<Scaling>(tasks.size()));
}

Prompts make_prompts(Index n, Index d, Index count) {
  Prompts prompts;
  for (Index t = 0; t < count; ++t) {
    prompts.emplace_back(n, d, static_cast<unsigned>(100 * t + n + d));
  }
  return prompts;
}

std::vector<Task> tasks_of(const Prompts& prompts) {
  std::vector<Task> tasks;
  for (const auto& prompt : prompts) tasks.push_back(prompt.task());
  return tasks;
}

/// The largest error of S and b in units of u Σ_i |x_ij x_ik|.
double largest_error(const testing::Prompt<>& prompt, const std::vector<double>& sums) {
  const Index d = prompt.d;
  double largest = 0;
  const auto check = [&](double sum, auto&& a, auto&& b) {
    long double exact = 0;
    long double magnitude = 0;
    for (Index i = 0; i < prompt.n; ++i) {
      exact += static_cast<long double>(a(i)) * b(i);
      magnitude += std::abs(static_cast<long double>(a(i)) * b(i));
    }
    const long double error = std::abs(sum - exact);
    if (error > 0) largest = std::max(largest, static_cast<double>(error / magnitude * 0x1p53L));
  };
  for (Index j = 0; j < d; ++j) {
    const auto x_j = [&](Index i) { return prompt.x(i, j); };
    for (Index k = 0; k < d; ++k) {
      check(sums[static_cast<std::size_t>(j * d + k)], x_j,
            [&](Index i) { return prompt.x(i, k); });
    }
    check(sums[static_cast<std::size_t>(d * d + j)], x_j,
          [&](Index i) { return prompt.y[static_cast<std::size_t>(i)]; });
  }
  return largest;
}

bool have_same_bits(const std::vector<double>& a, const std::vector<double>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(double)) == 0;
}

}  // namespace

TEST_CASE("S and b are the sums of every task, for odd shapes") {
  for (const Index n : {0, 1, 2, 63, 64, 65, 130}) {
    for (Index d = 1; d <= 33; ++d) {
      const Prompts prompts = make_prompts(n, d, lane_width);
      const Sums sums = form(tasks_of(prompts));
      double largest = 0;
      for (std::size_t t = 0; t < sums.size(); ++t) {
        largest = std::max(largest, largest_error(prompts[t], sums[t]));
      }
      CAPTURE(n);
      CAPTURE(d);
      CHECK(largest < 12);
    }
  }
}

TEST_CASE("a task has the same bits alone, beside others and at any place") {
  for (const auto& [n, d] : {std::pair<Index, Index>{1, 1}, {20, 4}, {65, 7}, {130, 33}}) {
    const Prompts prompts = make_prompts(n, d, lane_width);
    const Sums all = form(tasks_of(prompts));
    for (Index count = 1; count <= lane_width; ++count) {
      std::vector<Task> tasks = tasks_of(prompts);
      std::rotate(tasks.begin(), tasks.begin() + 1, tasks.end());
      tasks.resize(static_cast<std::size_t>(count));
      const Sums some = form(tasks);
      for (std::size_t t = 0; t < some.size(); ++t) {
        CHECK(have_same_bits(some[t], all[(t + 1) % all.size()]));
      }
    }
  }
}

TEST_CASE("storage and strides change no bit, each task has its own") {
  for (const auto& [n, d] : {std::pair<Index, Index>{5, 3}, {70, 9}, {130, 32}}) {
    const testing::Prompt<float> prompt(n, d);
    const std::vector<double> wide(prompt.X.begin(), prompt.X.end());
    const std::vector<double> wide_y(prompt.y.begin(), prompt.y.end());
    std::vector<float> columns(prompt.X.size());
    std::vector<double> sparse(static_cast<std::size_t>(3 * n * d));
    for (Index i = 0; i < n; ++i) {
      for (Index k = 0; k < d; ++k) {
        columns[static_cast<std::size_t>(k * n + i)] = prompt.x(i, k);
        sparse[static_cast<std::size_t>(i * 3 * d + 2 * k)] = prompt.x(i, k);
      }
    }
    Task task = prompt.task();
    task.y = testing::view(wide_y);
    task.X = testing::view(wide, d);
    std::vector<Task> tasks{task};
    tasks.push_back(prompt.task());
    task.X = testing::view(columns, n).transposed();
    tasks.push_back(task);
    task.X = testing::view(sparse, 3 * d);
    task.X.column_stride *= 2;
    tasks.push_back(task);
    const Sums expected = form({tasks[0]});
    for (const Task& other : tasks) CHECK(have_same_bits(form({other})[0], expected[0]));
    tasks.resize(static_cast<std::size_t>(std::min<Index>(4, lane_width)));
    for (const auto& sums : form(tasks)) CHECK(have_same_bits(sums, expected[0]));
  }
}

TEST_CASE("a size known beforehand changes no bit") {
  const Prompts prompts = make_prompts(130, 4, lane_width);
  const std::vector<Task> tasks = tasks_of(prompts);
  const std::vector<Scaling> scalings(tasks.size());
  const Sums expected = form(tasks);
  Ahead ahead;
  PackedGram<4> gram(130, 4, ahead);
  Stop stop = testing::never_stop();
  REQUIRE(gram.form(tasks.data(), scalings.data(), lane_width, stop));
  for (Index t = 0; t < lane_width; ++t) {
    const std::vector<double>& sums = expected[static_cast<std::size_t>(t)];
    CHECK(whole(gram.S().data, t, 4) == std::vector<double>(sums.begin(), sums.begin() + 16));
    CHECK(testing::element(gram.b(), t, 4) ==
          std::vector<double>(sums.begin() + 16, sums.begin() + 20));
  }
}

TEST_CASE("scalings are exact powers of two, each task has its own") {
  const Prompts plain = make_prompts(70, 5, lane_width);
  Prompts scaled = plain;
  std::vector<Scaling> scalings;
  for (std::size_t t = 0; t < scaled.size(); ++t) {
    const int exponent = t % 2 == 0 ? 0 : 300;
    for (double& x : scaled[t].X) x = std::ldexp(x, exponent);
    for (double& y : scaled[t].y) y = std::ldexp(y, -exponent);
    scalings.push_back({.x = -exponent, .y = exponent});
  }
  const Sums expected = form(tasks_of(plain));
  const Sums sums = form(tasks_of(scaled), scalings);
  for (std::size_t t = 0; t < sums.size(); ++t) CHECK(have_same_bits(sums[t], expected[t]));
}

TEST_CASE(
    "a NaN in one task leaves the others' bits alone, and the next tasks on the same object") {
  for (const Index n : {20, 130}) {
    Prompts prompts = make_prompts(n, 6, lane_width);
    const Sums before = form(tasks_of(prompts));
    prompts[1].X[3] = std::numeric_limits<double>::quiet_NaN();
    prompts[1].y[0] = std::numeric_limits<double>::infinity();
    const Sums after = form(tasks_of(prompts));
    CHECK(std::isnan(after[1][3 * 6 + 3]));
    for (std::size_t t = 0; t < after.size(); ++t) {
      if (t != 1) CHECK(have_same_bits(after[t], before[t]));
    }
    Ahead ahead;
    PackedGram<0> gram(n, 6, ahead);
    Stop stop = testing::never_stop();
    const std::vector<Scaling> scalings(prompts.size());
    const std::vector<Task> tasks = tasks_of(prompts);
    gram.form(tasks.data(), scalings.data(), lane_width, stop);
    gram.form(&tasks[0], scalings.data(), 1, stop);
    CHECK(have_same_bits(whole(gram.S().data, 0, 6), {before[0].begin(), before[0].begin() + 36}));
  }
}

TEST_CASE("many equal rows are summed without drift") {
  const Index n = 4096;
  const std::vector<double> x(static_cast<std::size_t>(n), 1.0 / 3);
  Task task;
  task.n = n;
  task.d = 1;
  task.X = testing::view(x, 1);
  task.y = testing::view(x);
  const Sums sums = form({task});
  const long double exact = 4096.0L * static_cast<long double>(1.0 / 3) * (1.0 / 3);
  for (const std::size_t k : {0, 1}) {
    CHECK(std::abs(static_cast<double>((sums[0][k] - exact) / exact)) < 22 * 0x1p-53);
  }
}

TEST_CASE("a raised flag ends the sum") {
  const testing::Prompt<> prompt(4000, 32);
  const Task task = prompt.task();
  const Scaling scaling;
  StopFlag flag;
  flag.raised = true;
  Stop stop(flag, true);
  Ahead ahead;
  PackedGram<0> gram(4000, 32, ahead);
  CHECK_FALSE(gram.form(&task, &scaling, 1, stop));
}
