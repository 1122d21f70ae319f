#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <loopcore/packed_loop.hpp>

#include "problem.hpp"

using namespace loopcore;

TEST_CASE("affine gives c + A z in every element, for every size, from the lower triangle") {
  for (Index size = 0; size <= 33; ++size) {
    Array<Lane> A(size * size), z(size), c(size), out(size + 1);
    for (Index t = 0; t < lane_width; ++t) {
      for (Index k = 0; k < size * size; ++k) A[k].set(t, static_cast<double>((7 * k + t) % 11));
      for (Index k = 0; k < size; ++k) {
        z[k].set(t, static_cast<double>((k + 3 * t) % 7 - 3));
        c[k].set(t, static_cast<double>(k - t));
      }
    }
    for (Index j = 0; j < size; ++j) {
      for (Index k = j + 1; k < size; ++k) A[j * size + k] = Lane::broadcast(std::nan(""));
    }
    out[size] = Lane::broadcast(-1);
    affine(LaneMatrix<0>{A.data(), Size<0>(size)}, z.data(), c.data(), out.data());
    for (Index t = 0; t < lane_width; ++t) {
      for (Index j = 0; j < size; ++j) {
        double exact = c[j][t];  // small integers: no rounding, whatever the order
        for (Index k = 0; k < size; ++k) {
          exact += A[std::max(j, k) * size + std::min(j, k)][t] * z[k][t];
        }
        CHECK(out[j][t] == exact);
      }
      CHECK(out[size][t] == -1);
    }
  }
}

TEST_CASE("descend takes a step of its own in every element") {
  Array<Lane> z(3), g(3);
  Lane eta = Lane::zero();
  for (Index t = 0; t < lane_width; ++t) {
    eta.set(t, static_cast<double>(t));
    for (Index k = 0; k < 3; ++k) {
      z[k].set(t, 100);
      g[k].set(t, static_cast<double>(k + 1));
    }
  }
  descend(eta, g.data(), 3, z.data());
  for (Index t = 0; t < lane_width; ++t) {
    for (Index k = 0; k < 3; ++k) CHECK(z[k][t] == 100.0 - static_cast<double>(t * (k + 1)));
  }
}
