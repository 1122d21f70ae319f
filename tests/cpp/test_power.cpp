#include <doctest/doctest.h>

#include <algorithm>
#include <limits>
#include <loopcore/power.hpp>

#include "symmetric.hpp"

using namespace loopcore;

namespace {

/// z ← z − η (S z + b), one task, with S and b of X and y.
struct Loop {
  Loop(const std::string& kind, Index size, double step)
      : S(testing::make_symmetric(kind, size)), prompt(1, size, static_cast<unsigned>(size)) {
    for (Index k = 0; k < size; ++k) b.push_back(prompt.x(0, k));
    lambda = testing::eigenvalues(S);
    eta = step / static_cast<double>(lambda.back());
  }

  /// z after T loops in long double, and the scale of its error as in exact.hpp.
  std::pair<testing::Vector, testing::Real> loops(Index T) const {
    testing::Vector z(prompt.q0.begin(), prompt.q0.end());
    testing::Real scale = 0;
    for (Index t = 0; t < T; ++t) {
      const testing::Real before = testing::norm(z);
      testing::Vector g(b.begin(), b.end());
      for (std::size_t j = 0; j < g.size(); ++j) {
        for (std::size_t k = 0; k < g.size(); ++k) {
          g[j] += S(static_cast<Index>(j), static_cast<Index>(k)) * z[k];
        }
      }
      for (std::size_t k = 0; k < g.size(); ++k) z[k] -= eta * g[k];
      testing::Real growth = 0;
      for (const testing::Real value : lambda) {
        growth = std::max(
            growth, std::pow(std::abs(1 - eta * value), static_cast<testing::Real>(T - 1 - t)));
      }
      scale += growth * (testing::norm(z) +
                         eta * (lambda.back() * before + testing::norm({b.begin(), b.end()})));
    }
    return {z, scale};
  }

  double error(const std::vector<double>& found, Index T) const {
    const auto [exact, scale] = loops(T);
    testing::Vector difference;
    for (std::size_t k = 0; k < exact.size(); ++k) difference.push_back(found[k] - exact[k]);
    const testing::Real error = testing::norm(difference);
    return error == 0 ? 0 : static_cast<double>(error / scale * 0x1p53L);
  }

  testing::Matrix S;
  testing::Prompt<> prompt;
  std::vector<double> b;
  testing::Vector lambda;
  double eta = 0;
};

/// All loops side by side, those of one size.
template <Index D = 0>
std::vector<std::vector<double>> run_packed(const std::vector<Loop>& loops, Index T) {
  const Index size = loops[0].S.size;
  Array<Lane> S(size * size), b(size), z(size);
  Lane eta = Lane::zero();
  for (std::size_t t = 0; t < loops.size(); ++t) {
    const auto element = static_cast<Index>(t);
    for (Index k = 0; k < size * size; ++k) {
      S[k].set(element, static_cast<double>(loops[t].S.entries[static_cast<std::size_t>(k)]));
    }
    for (Index k = 0; k < size; ++k) {
      b[k].set(element, loops[t].b[static_cast<std::size_t>(k)]);
      z[k].set(element, loops[t].prompt.q0[static_cast<std::size_t>(k)]);
    }
    eta.set(element, loops[t].eta);
  }
  Ahead ahead;
  Power<PackedMap<D>> power(size, ahead);
  Stop stop = testing::never_stop();
  power.run(LaneMatrix<D>{S.data(), Size<D>(size)}, b.data(), eta, T, z.data(), stop);
  std::vector<std::vector<double>> result;
  for (std::size_t t = 0; t < loops.size(); ++t) {
    result.push_back(testing::element(z.data(), static_cast<Index>(t), size));
  }
  return result;
}

std::vector<double> run_shared(const Loop& loop, Index T, int threads = 1) {
  const Index size = loop.S.size;
  Buffer memory(LaneBlocks::size(padded(size), size));
  const LaneBlocks S{memory.data(), padded(size)};
  Array<Lane> b(size), z(size);
  for (Index j = 0; j < size; ++j) {
    for (Index k = 0; k < size; ++k) S(j, k) = static_cast<double>(loop.S(j, k));
    b[j].set(0, loop.b[static_cast<std::size_t>(j)]);
    z[j].set(0, loop.prompt.q0[static_cast<std::size_t>(j)]);
  }
  const Team team(threads);
  Power<SharedMap> power(size, team);
  Stop stop = testing::never_stop();
  power.run(S, b.data(), Lane::broadcast(loop.eta), T, z.data(), stop);
  return testing::element(z.data(), 0, size);
}

constexpr Index counts[] = {0, 1, 2, 3, 7, 64, 1000};

}  // namespace

TEST_CASE("T loops in lanes are those of long double") {
  for (const Index size : {1, 2, 4, 5, 17, 32}) {
    std::vector<Loop> loops;
    for (Index t = 0; t < lane_width; ++t) {
      loops.emplace_back(t % 2 == 0 ? "random" : "low rank", size,
                         0.5 + static_cast<double>(t) / 8);
    }
    for (const Index T : counts) {
      const auto found = run_packed(loops, T);
      for (std::size_t t = 0; t < loops.size(); ++t) {
        CAPTURE(size);
        CAPTURE(T);
        CHECK(loops[t].error(found[t], T) < 10);
      }
      if (size == 4) CHECK(run_packed<4>(loops, T) == found);
    }
  }
}

TEST_CASE("T loops of one larger task are those of long double, on any number of threads") {
  for (const Index size : {1, 33, 70}) {
    for (const std::string kind : {"random", "low rank"}) {
      const Loop loop(kind, size, 1);
      for (const Index T : counts) {
        const auto found = run_shared(loop, T);
        CAPTURE(size);
        CAPTURE(T);
        CHECK(loop.error(found, T) < 10);
        CHECK(run_shared(loop, T, 2) == found);
      }
    }
  }
}

TEST_CASE("a contraction whose powers underflow settles, beside one whose do not") {
  const Index size = 5;
  std::vector<Loop> loops(static_cast<std::size_t>(lane_width), Loop("random", size, 1));
  loops[0] = Loop("orthonormal", size, 1 - 0x1p-10);
  for (const Index T : {60, 64, 1000, 100000, 1000003}) {
    const auto found = run_packed(loops, T);
    CHECK(loops[0].error(found[0], std::min<Index>(T, 1000)) < 10);  // it has long settled
    if (T <= 1000) CHECK(loops[1].error(found[1], T) < 10);
    CHECK(run_shared(loops[0], T).size() == 5);
    CHECK(loops[0].error(run_shared(loops[0], T), std::min<Index>(T, 1000)) < 10);
  }
}

TEST_CASE("what diverges is not finite, and its lane-mates keep their bits") {
  const Index size = 6;
  const std::vector<Loop> calm(static_cast<std::size_t>(lane_width), Loop("random", size, 1));
  std::vector<Loop> wild = calm;
  wild[1] = Loop("random", size, 30);
  wild[0].b[2] = std::numeric_limits<double>::quiet_NaN();
  for (const Index T : counts) {
    const auto expected = run_packed(calm, T);
    const auto found = run_packed(wild, T);
    for (std::size_t t = 2; t < found.size(); ++t) CHECK(found[t] == expected[t]);
    if (T < 3) continue;
    CHECK(std::isnan(found[0][0]));
    if (T <= 64) CHECK(wild[1].error(found[1], T) < 10);
    if (T == 1000) CHECK_FALSE(std::isfinite(found[1][0]));
    if (T == 1000) CHECK_FALSE(std::isfinite(run_shared(wild[1], T)[0]));
  }
}

TEST_CASE("powers that overflow where the loops do not are run loop by loop") {
  Loop loop("diagonal", 2, 1);
  loop.S(1, 1) = 5;  // 1 − η 5 = −4, but nothing of z is in that direction
  loop.eta = 1;
  loop.b = {1, 0};
  loop.prompt.q0 = {3, 0};
  const std::vector<double> expected{-1, 0};
  for (const Index T : {64, 1000, 4000, 100'000, 1'000'000}) {
    CHECK(run_packed({loop}, T)[0] == expected);
    CHECK(run_shared(loop, T) == expected);
    std::vector<Loop> lane(static_cast<std::size_t>(lane_width), loop);
    for (const auto& result : run_packed(lane, T)) CHECK(result == expected);
    for (std::size_t t = 0; t + 1 < lane.size(); t += 2) {
      lane[t].S(1, 1) = 0.5;  // a contraction, which settles
    }
    for (const auto& result : run_packed(lane, T)) CHECK(result == expected);
  }
}
