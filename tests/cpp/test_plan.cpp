#include <doctest/doctest.h>

#include <loopcore/plan.hpp>

using namespace loopcore;

TEST_CASE("few loops stream, many loops sum X up once") {
  const auto choose = [](Index n, Index d, Index T) {
    return choose_path(Path::automatic, n, d, T, StepKind::given);
  };
  CHECK(choose(20000, 256, 3) == Path::stream);
  CHECK(choose(20, 4, 50) == Path::gram);
  CHECK(choose(40, 20, 100) == Path::gram);
  CHECK(choose(512, 128, 200) == Path::gram);
  CHECK(choose(200000, 64, 100) == Path::gram);
  CHECK(choose(20000, 1000, 50) == Path::stream);
  CHECK(choose(20000, 1000, 1000) == Path::gram);
}

TEST_CASE("a named path is taken") {
  CHECK(choose_path(Path::stream, 20, 4, 1000000, StepKind::given) == Path::stream);
  CHECK(choose_path(Path::gram, 20000, 256, 1, StepKind::given) == Path::gram);
}

TEST_CASE("the dual form is for wide X and constant steps") {
  CHECK(uses_dual(4, 5, StepKind::lambda_max));
  CHECK(uses_dual(4, 5, StepKind::given));
  CHECK_FALSE(uses_dual(5, 5, StepKind::given));
  CHECK_FALSE(uses_dual(4, 5, StepKind::chebyshev));
  CHECK_FALSE(uses_dual(4, 5, StepKind::schedule));
}
