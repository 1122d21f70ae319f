#include <doctest/doctest.h>

#include <algorithm>
#include <limits>
#include <loopcore/tridiagonal.hpp>

#include "symmetric.hpp"

using namespace loopcore;

namespace {

/// Puts S into every element from `first` on, times 2^(its number).
void put(const testing::Matrix& S, Index first, Array<Lane>& lanes) {
  for (Index t = first; t < lane_width; ++t) {
    for (Index k = 0; k < S.size * S.size; ++k) {
      const auto entry = static_cast<double>(S.entries[static_cast<std::size_t>(k)]);
      lanes[k].set(t, std::ldexp(entry, static_cast<int>(t)));
    }
  }
}

testing::Vector to_reals(const Lane* lanes, Index t, Index count) {
  const std::vector<double> values = testing::element(lanes, t, count);
  return {values.begin(), values.end()};
}

}  // namespace

TEST_CASE("Q T Qᵀ is S, and Q is orthogonal, to a few u") {
  for (const std::string kind : testing::symmetric_kinds) {
    for (const Index d : {1, 2, 3, 4, 5, 7, 8, 9, 17, 20, 32, 33}) {
      const testing::Matrix S = testing::make_symmetric(kind, d);
      Array<Lane> lanes(d * d);
      put(S, 0, lanes);
      PackedTridiagonal<0> basis(d);
      basis.reduce({lanes.data(), Size<0>(d)});
      const auto error =
          testing::reduction_error(S, to_reals(basis.diagonal(), 0, d),
                                   to_reals(basis.off_diagonal(), 0, d - 1), [&](Index k) {
                                     Array<Lane> z(d);
                                     z[k] = Lane::broadcast(1);
                                     basis.from_basis(z.data());
                                     return to_reals(z.data(), 0, d);
                                   });
      CAPTURE(kind);
      CAPTURE(d);
      CHECK(error.orthogonality < 40);
      CHECK(error.residual < 40);
    }
  }
}

TEST_CASE("to_basis undoes from_basis, each element by its own Q") {
  const Index d = 13;
  Array<Lane> lanes(d * d), z(d);
  put(testing::make_symmetric("random", d), 0, lanes);
  for (Index k = 0; k < d * d; ++k) {
    lanes[k].set(1, static_cast<double>(
                        testing::make_symmetric("graded", d).entries[static_cast<std::size_t>(k)]));
  }
  for (Index k = 0; k < d; ++k) z[k] = Lane::broadcast(static_cast<double>(k - 4));
  PackedTridiagonal<0> basis(d);
  basis.reduce({lanes.data(), Size<0>(d)});
  basis.to_basis(z.data());
  basis.from_basis(z.data());
  for (Index t = 0; t < lane_width; ++t) {
    for (Index k = 0; k < d; ++k) {
      CHECK(std::abs(z[k][t] - static_cast<double>(k - 4)) < 100 * 0x1p-53);
    }
  }
}

TEST_CASE("λ_max within 12 u of long double") {
  for (const std::string kind : testing::symmetric_kinds) {
    for (Index d = 1; d <= 33; ++d) {
      const testing::Matrix S = testing::make_symmetric(kind, d);
      const testing::Real exact = testing::eigenvalues(S).back();
      Array<Lane> lanes(d * d);
      put(S, 0, lanes);
      PackedTridiagonal<0> basis(d);
      basis.reduce({lanes.data(), Size<0>(d)});
      const Lane found = basis.largest_eigenvalue();
      CAPTURE(kind);
      CAPTURE(d);
      // Most are within 4 u; where all entries are equal they are rounded alike.
      CHECK(std::abs(static_cast<double>(found[0] - exact)) <=
            12 * 0x1p-53 * static_cast<double>(exact));
      for (Index t = 1; t < lane_width; ++t) {
        CHECK(found[t] == std::ldexp(found[0], static_cast<int>(t)));
      }
    }
  }
}

TEST_CASE("λ_max of rank one, where the first step of Laguerre's iteration is all but exact") {
  for (const Index d : {2, 9, 32, 64}) {
    for (unsigned seed = 0; seed < 40; ++seed) {
      const testing::Prompt<> prompt(1, d, seed);
      testing::Real exact = 0;  // ‖x‖²
      for (const double x : prompt.X) exact += static_cast<testing::Real>(x) * x;
      Array<Lane> lanes(d * d);
      put(testing::gram_matrix(prompt), 0, lanes);
      PackedTridiagonal<0> basis(d);
      basis.reduce({lanes.data(), Size<0>(d)});
      const double found = basis.largest_eigenvalue()[0];
      CHECK(std::abs(static_cast<double>(found / exact - 1)) < 12 * 0x1p-53);
    }
  }
}

TEST_CASE("a size known beforehand changes no bit") {
  Array<Lane> lanes(16), same(16);
  put(testing::make_symmetric("random", 4), 0, lanes);
  put(testing::make_symmetric("random", 4), 0, same);
  PackedTridiagonal<0> any_size(4);
  PackedTridiagonal<4> four(4);
  any_size.reduce({lanes.data(), Size<0>(4)});
  four.reduce({same.data(), Size<4>(4)});
  for (Index t = 0; t < lane_width; ++t) {
    CHECK(testing::element(any_size.diagonal(), t, 4) == testing::element(four.diagonal(), t, 4));
    CHECK(testing::element(any_size.off_diagonal(), t, 3) ==
          testing::element(four.off_diagonal(), t, 3));
    CHECK(any_size.largest_eigenvalue()[t] == four.largest_eigenvalue()[t]);
  }
}

TEST_CASE("NaN and infinity end, and leave the others' bits alone") {
  for (const double bad :
       {std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity()}) {
    for (const Index d : {1, 2, 5, 20}) {
      const testing::Matrix S = testing::make_symmetric("random", d);
      Array<Lane> lanes(d * d), others(d * d);
      put(S, 0, lanes);
      put(S, 0, others);
      for (Index k = 0; k < d; ++k) {  // a whole row and column, as a bad x_ij gives
        lanes[(d - 1) * d + k].set(0, bad);
        lanes[k * d + d - 1].set(0, bad);
      }
      PackedTridiagonal<0> basis(d), other(d);
      basis.reduce({lanes.data(), Size<0>(d)});
      other.reduce({others.data(), Size<0>(d)});
      CHECK_FALSE(std::isfinite(basis.largest_eigenvalue()[0]));
      for (Index t = 1; t < lane_width; ++t) {
        CHECK(basis.largest_eigenvalue()[t] == other.largest_eigenvalue()[t]);
        CHECK(testing::element(basis.diagonal(), t, d) == testing::element(other.diagonal(), t, d));
      }
    }
  }
}
