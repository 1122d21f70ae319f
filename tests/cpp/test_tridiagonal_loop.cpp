#include <doctest/doctest.h>

#include <loopcore/tridiagonal_loop.hpp>
#include <vector>

#include "problem.hpp"

using namespace loopcore;

namespace {

/// T, c and z of small integers, and steps of 1/2 and 1: no loop below is ever rounded.
struct Loops {
  explicit Loops(Index d) : lanes_a(d), lanes_o(d), c(d), z(d) {
    for (Index k = 0; k < d; ++k) {
      a.push_back(static_cast<double>(k % 3));
      o.push_back(static_cast<double>(k % 2 + 1));
      lanes_a[k] = Lane::broadcast(a.back());
      lanes_o[k] = Lane::broadcast(o.back());
      for (Index t = 0; t < lane_width; ++t) {
        c[k].set(t, static_cast<double>(t - k));
        z[k].set(t, static_cast<double>(k * t + 1));
      }
    }
    for (Index t = 0; t < 12; ++t) etas.push_back(t % 3 == 0 ? 1 : 0.5);
    const VectorView view = testing::view(etas);
    const Scaling none;
    steps = Steps::scheduled(&view, 1, 1, &none);
  }

  /// z after T loops, each written out.
  Array<Lane> exact(Index T) const {
    const Index d = c.size();
    Array<Lane> now(d), next(d);
    std::copy_n(z.data(), d, now.data());
    for (Index t = 0; t < T; ++t) {
      for (Index k = 0; k < d; ++k) {
        Lane g = lanes_a[k] * now[k] + c[k];
        if (k > 0) g = g + lanes_o[k - 1] * now[k - 1];
        if (k + 1 < d) g = g + lanes_o[k] * now[k + 1];
        next[k] = now[k] - etas[static_cast<std::size_t>(t)] * g;
      }
      std::swap(now, next);
    }
    return now;
  }

  std::vector<double> a, o, etas;
  Array<Lane> lanes_a, lanes_o, c, z;
  Steps steps;
};

/// z after the loops 0 … T−1, so many at a time.
template <class Value>
Array<Lane> run(const Loops& loops, const Value* a, const Value* o, Index T, Index at_once) {
  const Index d = loops.c.size();
  TridiagonalLoop<Value> loop(d);
  loop.open(a, o, loops.c.data());
  Array<Lane> z(d);
  std::copy_n(loops.z.data(), d, z.data());
  Stop stop = testing::never_stop();
  for (Index t = 0; t < T; t += at_once) {
    loop.run(t, std::min(t + at_once, T), loops.steps, z.data(), stop, [] {});
  }
  return z;
}

}  // namespace

TEST_CASE(
    "each loop is z − η (T z + c), however many run together, with one T for all or one each") {
  for (const Index d : {0, 1, 2, 3, 4, 5, 11}) {
    const Loops loops(d);
    for (Index T = 0; T <= 12; ++T) {
      const Array<Lane> exact = loops.exact(T);
      for (Index at_once = 1; at_once <= 9; ++at_once) {
        const Array<Lane> one = run(loops, loops.a.data(), loops.o.data(), T, at_once);
        const Array<Lane> each = run(loops, loops.lanes_a.data(), loops.lanes_o.data(), T, at_once);
        for (Index t = 0; t < lane_width; ++t) {
          const std::vector<double> expected = testing::element(exact.data(), t, d);
          CHECK(testing::element(one.data(), t, d) == expected);
          CHECK(testing::element(each.data(), t, d) == expected);
        }
      }
    }
  }
}

TEST_CASE("loops that run together have the bits of loops one by one") {
  for (const Index d : {1, 2, 4, 7, 20, 33}) {
    Loops loops(d);
    for (double& eta : loops.etas) eta *= 0.0123;
    const Array<Lane> apart = run(loops, loops.lanes_a.data(), loops.lanes_o.data(), 12, 1);
    const Array<Lane> together = run(loops, loops.lanes_a.data(), loops.lanes_o.data(), 12, 12);
    for (Index t = 0; t < lane_width; ++t) {
      CHECK(testing::element(together.data(), t, d) == testing::element(apart.data(), t, d));
    }
  }
}
