// A solver that has run allocates nothing: operator new is counted here, for the whole program.
#include <doctest/doctest.h>

#include <atomic>
#include <cstdlib>
#include <loopcore/looped_vjp_plan.hpp>
#include <new>

#include "allocations.hpp"
#include "solving.hpp"
#include "undone.hpp"

namespace {
std::atomic<long> allocations{0};

void* counted(std::size_t size, std::size_t alignment) {
  ++allocations;
  const std::size_t rounded = (size + alignment - 1) / alignment * alignment;
  if (void* memory = std::aligned_alloc(alignment, rounded == 0 ? alignment : rounded))
    return memory;
  throw std::bad_alloc();
}
}  // namespace

void* operator new(std::size_t size) { return counted(size, alignof(std::max_align_t)); }
void* operator new(std::size_t size, std::align_val_t alignment) {
  return counted(size, static_cast<std::size_t>(alignment));
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept { std::free(memory); }

using namespace loopcore;

long testing::allocations() { return ::allocations; }

TEST_CASE("the count sees an allocation") {
  const long before = allocations;
  const std::vector<double> values(10);
  CHECK(allocations == before + 1);
}

namespace {

/// Looks at what it is shown, and keeps nothing.
class Sum : public Readout {
 public:
  void open(Engine&, Index, Index, Stop&) override {}
  void record(Engine& engine, Index, Index, Index) override { sum += engine.q()[0][0]; }

  double sum = 0;
};

}  // namespace

TEST_CASE("no path allocates but in its first run, which may need memory for a copy") {
  for (const auto& [n, d] : {std::pair<Index, Index>{20, 4}, {7, 12}, {300, 33}, {30, 50}}) {
    const testing::Prompt<float> prompt(n, d);
    const std::vector<Task> tasks(static_cast<std::size_t>(lane_width), prompt.task());
    const std::vector<double> schedule(50, 1e-3);
    std::vector<StepInput> inputs(tasks.size());
    for (StepInput& input : inputs) {
      input.eta = 1e-3;
      input.schedule = testing::view(schedule);
    }
    for (const Path path : {Path::stream, Path::gram, Path::power, Path::tridiagonal}) {
      for (const StepKind kind : {StepKind::given, StepKind::schedule, StepKind::lambda_max}) {
        if (path == Path::power && !is_constant(kind)) continue;
        Problem problem;
        problem.n = n;
        problem.d = d;
        problem.T = 50;
        problem.at = {0, 25, 50};
        problem.kind = kind;
        problem.path = path;
        const Team team(1);
        Solver solver(problem, team);
        Stop stop = testing::never_stop();
        Sum sum;
        solver(tasks, inputs, sum, stop);
        const long before = allocations;
        solver(tasks, inputs, sum, stop);
        CHECK(allocations == before);
        CHECK(std::isfinite(sum.sum));
      }
    }
  }
}

TEST_CASE("nor does a way backwards") {
  for (const auto& [n, d] : {std::pair<Index, Index>{20, 4}, {7, 12}, {300, 33}, {30, 50}}) {
    const testing::Prompt<float> prompt(n, d);
    const std::vector<Task> tasks(static_cast<std::size_t>(lane_width), prompt.task());
    const std::vector<double> schedule(50, 1e-3);
    for (const StepKind kind : {StepKind::given, StepKind::schedule, StepKind::lambda_max}) {
      Problem problem;
      problem.n = n;
      problem.d = d;
      problem.T = 50;
      problem.kind = kind;
      const Team team(1);
      const auto vjp = make_vjp(problem, team);
      std::vector<testing::Kept> kept(tasks.size(), testing::Kept(n, d, 50));
      std::vector<Pulled> pulled;
      for (testing::Kept& task : kept) {
        const StepInput steps{.eta = 1e-3, .schedule = testing::view(schedule)};
        pulled.push_back({steps, tasks[0].q0, task.places(kind)});
      }
      Stop stop = testing::never_stop();
      (*vjp)(tasks, pulled, stop);
      const long before = allocations;
      (*vjp)(tasks, pulled, stop);
      CHECK(allocations == before);
    }
  }
}

namespace {

/// Likewise of adjoints.
class BarSum final : public LoopedVjpSink {
 public:
  void put(Index, Index, Index, const double* token) override { sum += token[0]; }
  void put_step(Index, Index, Index, double eta_bar) override { sum += eta_bar; }

  double sum = 0;
};

}  // namespace

TEST_CASE("no reverse pass of a looped model allocates") {
  constexpr Index D = 5, rows = 9;
  const std::vector<double> Z(rows * D, 0.1), eta(1, 0.01), weights(D * D, 0.1);
  std::vector<double> sums(3 * D * D);
  LoopedProblem problem;
  problem.model = {.D = D, .layers = 1, .heads = 1};
  problem.model.P = problem.model.Q = problem.model.skip = weights.data();
  problem.model.update = Update::all;
  problem.n = rows - 1;
  problem.T = 20;
  std::vector<Prompt> prompts(1, literal_prompt(matrix_view(Z.data(), D), problem.n, D));
  prompts[0].eta = matrix_view(eta.data(), 1);
  prompts[0].eta.row_stride = 0;  // one step for all loops
  const WeightBars bars{sums.data(), sums.data() + D * D, sums.data() + 2 * D * D};
  const auto check = [&](LoopedVjpEngine& engine) {
    Stop stop = testing::never_stop();
    BarSum sum;
    const long before = allocations;
    engine.run(prompts, prompts, bars, sum, stop);
    CHECK(allocations == before);
    CHECK(std::isfinite(sum.sum));
  };
  for (const LoopedPath path : {LoopedPath::attention_rows, LoopedPath::linear_all}) {
    check(*make_looped_vjp_engine<TasksInLanes>(problem, path));
    check(*make_looped_vjp_engine<ColumnsInLanes>(problem, path));
  }
  problem.model.update = Update::query;
  check(*make_looped_vjp_engine<TasksInLanes>(problem, LoopedPath::linear_query));
  check(*make_looped_vjp_engine<ColumnsInLanes>(problem, LoopedPath::linear_query));
}
