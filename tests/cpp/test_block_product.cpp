#include <doctest/doctest.h>

#include <loopcore/block_product.hpp>

#include "problem.hpp"

using namespace loopcore;

namespace {

constexpr Index sizes[] = {1, 2, 5, 8, 9, 17, 24, 33, 70, 256, 257, 300};

/// (size, size) in blocks, S_jk = entry(j, k)
template <class Entry>
Buffer make_blocks(Index size, Entry&& entry) {
  Buffer memory(LaneBlocks::size(padded(size), size));
  const LaneBlocks S{memory.data(), padded(size)};
  for (Index j = 0; j < size; ++j) {
    for (Index k = 0; k < size; ++k) S(j, k) = entry(j, k);
  }
  return memory;
}

}  // namespace

TEST_CASE("multiply gives S z for every number of lanes, and of panels") {
  for (const Index size : sizes) {
    const auto entry = [](Index j, Index k) { return static_cast<double>((j * k + j + k) % 11); };
    Buffer memory = make_blocks(size, entry);
    Buffer z(padded(size)), g(padded(size));
    for (Index k = 0; k < size; ++k) z[k] = static_cast<double>(k % 7 - 3);
    multiply(LaneBlocks{memory.data(), padded(size)}, size, z.data(), g.data());
    for (Index j = 0; j < size; ++j) {
      double exact = 0;  // small integers: no rounding, whatever the order
      for (Index k = 0; k < size; ++k) exact += entry(j, k) * z[k];
      CHECK(g[j] == exact);
    }
  }
}

TEST_CASE("a vector has the same bits alone and in a lane of vectors") {
  for (const Index size : sizes) {
    const testing::Prompt<> random(size, size), vectors(size, lane_width, 7);
    Buffer memory = make_blocks(
        size, [&](Index j, Index k) { return random.x(std::max(j, k), std::min(j, k)); });
    const LaneBlocks S{memory.data(), padded(size)};
    Array<Lane> z(size), g(size);
    for (Index k = 0; k < size; ++k) {
      for (Index t = 0; t < lane_width; ++t) z[k].set(t, vectors.x(k, t));
    }
    multiply(S, size, z.data(), g.data());
    for (Index t = 0; t < lane_width; ++t) {
      Buffer one_z(padded(size)), one_g(padded(size));
      for (Index k = 0; k < size; ++k) one_z[k] = z[k][t];
      multiply(S, size, one_z.data(), one_g.data());
      CHECK(testing::element(g.data(), t, size) ==
            std::vector<double>(one_g.data(), one_g.data() + size));
    }
  }
}
