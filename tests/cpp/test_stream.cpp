#include <doctest/doctest.h>

#include "problem.hpp"

using namespace loopcore;

TEST_CASE("loops follow the q-recursion in long double") {
  for (const auto& [n, d] : testing::shapes) {
    const testing::Prompt<> prompt(n, d, static_cast<unsigned>(3 * n + d));
    const auto eta = static_cast<double>(1 / prompt.lambda_max());
    Stream stream(d);
    Stop stop = testing::never_stop();
    stream.open(prompt.task(1.5), {});
    for (Index t = 0; t < 30; ++t) stream.loop(eta, stop);
    const auto exact = prompt.loops(30, 1.5L, [eta](Index) { return eta; });
    CHECK(testing::relative_difference(std::vector<double>(stream.q(), stream.q() + d), exact) <
          1e-14);
  }
}

TEST_CASE("λ_max from passes over X") {
  const testing::Prompt<float> prompt(50, 13);
  Stream stream(13);
  Stop stop = testing::never_stop();
  stream.open(prompt.task(), {});
  CHECK(stream.lambda_max(stop) ==
        doctest::Approx(static_cast<double>(prompt.lambda_max())).epsilon(1e-14));
}
