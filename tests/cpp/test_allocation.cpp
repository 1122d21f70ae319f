// The loops allocate nothing once a solver exists: operator new is counted here, for the whole program.
#include <doctest/doctest.h>

#include <atomic>
#include <cstdlib>
#include <new>

#include "problem.hpp"

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

TEST_CASE("the count sees an allocation") {
  const long before = allocations;
  const std::vector<double> values(10);
  CHECK(allocations == before + 1);
}

TEST_CASE("no path allocates while it runs") {
  for (const auto& [n, d] : {std::pair<Index, Index>{20, 4}, {7, 12}, {300, 33}}) {
    const testing::Prompt<float> prompt(n, d);
    const Task task = prompt.task();
    const std::vector<double> schedule(50, 1e-3);
    for (const Path path : {Path::stream, Path::gram}) {
      for (const StepKind kind : {StepKind::given, StepKind::schedule, StepKind::lambda_max}) {
        Problem problem{.n = n, .d = d, .T = 50, .at = {0, 25, 50}, .kind = kind, .path = path};
        Solver solver(problem);
        Stop stop = testing::never_stop();
        const StepInput input{.eta = 1e-3, .schedule = testing::view(schedule)};
        double sum = 0;
        const long before = allocations;
        solver(task, input, stop, [&](Index, const double* q) { sum += q[0]; });
        CHECK(allocations == before);
        CHECK(std::isfinite(sum));
      }
    }
  }
}
