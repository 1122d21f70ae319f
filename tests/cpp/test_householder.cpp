#include <doctest/doctest.h>

#include <limits>
#include <loopcore/householder.hpp>

#include "symmetric.hpp"

using namespace loopcore;

namespace {

struct Reduced {
  explicit Reduced(const testing::Matrix& S)
      : memory(LaneBlocks::size(padded(S.size), S.size)), basis(S.size) {
    const LaneBlocks blocks{memory.data(), padded(S.size)};
    for (Index j = 0; j < S.size; ++j) {
      for (Index k = 0; k < S.size; ++k) blocks(j, k) = static_cast<double>(S(j, k));
    }
    Stop stop = testing::never_stop();
    basis.reduce(blocks, stop);
  }

  Buffer memory;
  Householder basis;
};

}  // namespace

TEST_CASE("Q T Qᵀ is S, and Q is orthogonal, to a few tens of u") {
  for (const std::string kind : testing::symmetric_kinds) {
    for (const Index d : {1, 2, 3, 7, 8, 9, 16, 33, 65, 100}) {
      const testing::Matrix S = testing::make_symmetric(kind, d);
      const Reduced reduced(S);
      const double* a = reduced.basis.diagonal();
      const double* o = reduced.basis.off_diagonal();
      const auto error = testing::reduction_error(S, {a, a + d}, {o, o + d - 1}, [&](Index k) {
        Array<Lane> z(d);
        z[k] = Lane::broadcast(1);
        reduced.basis.from_basis(z.data());
        const std::vector<double> q = testing::element(z.data(), 0, d);
        return testing::Vector(q.begin(), q.end());
      });
      CAPTURE(kind);
      CAPTURE(d);
      CHECK(error.orthogonality < 100);
      CHECK(error.residual < 100);
    }
  }
}

TEST_CASE("to_basis undoes from_basis on every element") {
  const Index d = 40;
  const Reduced reduced(testing::make_symmetric("random", d));
  Array<Lane> z(d);
  for (Index k = 0; k < d; ++k) {
    for (Index t = 0; t < lane_width; ++t) z[k].set(t, static_cast<double>((k * t) % 7 - 3));
  }
  reduced.basis.from_basis(z.data());
  reduced.basis.to_basis(z.data());
  for (Index k = 0; k < d; ++k) {
    for (Index t = 0; t < lane_width; ++t) {
      CHECK(std::abs(z[k][t] - static_cast<double>((k * t) % 7 - 3)) < 200 * 0x1p-53);
    }
  }
}

TEST_CASE("a vector alone is turned with the bits it has in a lane") {
  for (const Index d : {1, 2, 7, 8, 9, 40, 65}) {
    const Reduced reduced(testing::make_symmetric("random", d));
    Array<Lane> lanes(d);
    Buffer alone(padded(d));
    for (Index k = 0; k < d; ++k) lanes[k] = Lane::broadcast(alone[k] = 1.0 / (k + 3.0));
    reduced.basis.to_basis(lanes.data());
    reduced.basis.to_basis(alone.data());
    for (Index k = 0; k < d; ++k) CHECK(lanes[k][0] == alone[k]);
    reduced.basis.from_basis(lanes.data());
    reduced.basis.from_basis(alone.data());
    for (Index k = 0; k < d; ++k) CHECK(lanes[k][0] == alone[k]);
  }
}

TEST_CASE("λ_max within 12 u of long double") {
  for (const std::string kind : testing::symmetric_kinds) {
    for (const Index d : {1, 2, 3, 7, 8, 9, 16, 33, 65, 100, 150}) {
      const testing::Matrix S = testing::make_symmetric(kind, d);
      const auto exact = testing::eigenvalues(S).back();
      const Reduced reduced(S);
      CAPTURE(kind);
      CAPTURE(d);
      const double error = static_cast<double>(reduced.basis.largest_eigenvalue() - exact);
      CHECK(std::abs(error) <= 12 * 0x1p-53 * static_cast<double>(exact));
    }
  }
}

TEST_CASE("NaN and infinity end, and are seen") {
  for (const double bad :
       {std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity()}) {
    for (const Index d : {1, 2, 33}) {
      testing::Matrix S = testing::make_symmetric("random", d);
      for (Index k = 0; k < d; ++k) S(d - 1, k) = S(k, d - 1) = static_cast<testing::Real>(bad);
      const Reduced reduced(S);
      double sum = 0;
      for (Index k = 0; k < d; ++k) sum += reduced.basis.diagonal()[k];
      CHECK_FALSE(std::isfinite(sum));
    }
  }
}
