#include <doctest/doctest.h>

#include <cmath>
#include <loopcore/affine_loop.hpp>

using namespace loopcore;

TEST_CASE("multiply gives Sᵀ z for every number of lanes, and of panels") {
  for (const Index columns : {1, 2, 5, 8, 9, 17, 24, 33, 70, 300}) {
    const Index rows = columns;
    Buffer memory(LaneBlocks::size(padded(rows), columns));
    const LaneBlocks S{memory.data(), padded(rows)};
    Buffer z(padded(rows));
    for (Index i = 0; i < rows; ++i) {
      z[i] = static_cast<double>(i % 7 - 3);
      for (Index k = 0; k < columns; ++k) S(i, k) = static_cast<double>((i * 5 + k * 3) % 11);
    }
    Buffer g(padded(columns));
    multiply(S, rows, columns, z.data(), g.data());
    for (Index k = 0; k < columns; ++k) {
      double exact = 0;  // small integers: no rounding, whatever the order
      for (Index i = 0; i < rows; ++i) exact += S(i, k) * z[i];
      CHECK(g[k] == exact);
    }
    descend(0.5, g.data(), columns, z.data());
    for (Index k = 0; k < columns; ++k) {
      CHECK(z[k] == static_cast<double>(k % 7 - 3) - 0.5 * g[k]);
    }
  }
}
