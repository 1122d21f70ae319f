#include <doctest/doctest.h>

#include <loopcore/plan.hpp>

using namespace loopcore;

namespace {

Path choose(Index n, Index d, Index T, StepKind kind = StepKind::given, bool only_end = true) {
  return choose_path(Path::automatic, n, d, T, kind, only_end);
}

}  // namespace

TEST_CASE("few loops of a large X stream, many sum it up once") {
  CHECK(choose(20000, 256, 3) == Path::stream);
  CHECK(choose(20000, 1000, 20) == Path::stream);
  for (const auto& [n, d] : {std::pair<Index, Index>{512, 128}, {200000, 64}, {20000, 1000}}) {
    CHECK(choose(n, d, 1000) != Path::stream);
    CHECK(choose(n, d, 1000, StepKind::chebyshev) != Path::stream);
  }
}

TEST_CASE("small tasks run in lanes, which sum X up for all but a few loops") {
  CHECK(is_packed(4096, 32));
  CHECK(is_packed(0, 1));
  CHECK_FALSE(is_packed(4097, 32));
  CHECK_FALSE(is_packed(4096, 33));
  for (const Index d : {1, 4, 20, 32}) {
    for (const Index T : {50, 1000, 1000000}) CHECK(choose(20, d, T) != Path::stream);
  }
}

TEST_CASE("powers are for constant steps of which the end alone is read out") {
  CHECK(choose(20, 4, 1000000) == Path::power);
  CHECK(choose(512, 128, 1000000, StepKind::lambda_max) == Path::power);
  for (const Index d : {4, 20, 128}) {
    for (const Index T : {1, 50, 1000, 1000000}) {
      CHECK(choose(512, d, T, StepKind::given, false) != Path::power);
      CHECK(choose(512, d, T, StepKind::schedule) != Path::power);
      CHECK(choose(512, d, T, StepKind::chebyshev) != Path::power);
    }
  }
  CHECK(choose(20, 4, 1000000, StepKind::chebyshev) == Path::tridiagonal);
  CHECK(choose(512, 128, 1000000, StepKind::chebyshev) == Path::tridiagonal);
}

TEST_CASE("a named path is taken") {
  CHECK(choose_path(Path::stream, 20, 4, 1000000, StepKind::given, true) == Path::stream);
  CHECK(choose_path(Path::gram, 20000, 256, 1, StepKind::given, true) == Path::gram);
  CHECK(choose_path(Path::power, 20, 4, 1, StepKind::given, true) == Path::power);
  CHECK(choose_path(Path::tridiagonal, 20, 4, 1, StepKind::given, true) == Path::tridiagonal);
}

TEST_CASE("the dual form is for wide X that is not packed, and constant steps") {
  CHECK(uses_dual(4, 50, StepKind::lambda_max));
  CHECK(uses_dual(4, 50, StepKind::given));
  CHECK(uses_dual(4, 50, StepKind::optimal));
  CHECK_FALSE(uses_dual(4, 5, StepKind::given));
  CHECK_FALSE(uses_dual(50, 50, StepKind::given));
  CHECK_FALSE(uses_dual(4, 50, StepKind::chebyshev));
  CHECK_FALSE(uses_dual(4, 50, StepKind::schedule));
}

TEST_CASE("so many squarings that no other number costs less") {
  CHECK(count_squarings(5, 0) == 0);
  CHECK(count_squarings(5, 1) == 0);
  for (const Index d : {1, 4, 20, 128}) {
    const auto cost = [d](Index squarings, Index T) {  // in loops
      return static_cast<double>(squarings * (d + 4)) / 2 + static_cast<double>(T >> squarings);
    };
    for (const Index T : {2, 7, 64, 100, 1000, 1000000}) {
      const Index best = count_squarings(d, T);
      for (Index k = 0; T >> k > 0; ++k) CHECK(cost(best, T) <= cost(k, T));
    }
  }
}
