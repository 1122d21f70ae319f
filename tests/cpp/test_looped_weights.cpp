#include <doctest/doctest.h>

#include <loopcore/looped_weights.hpp>
#include <vector>

using namespace loopcore;

namespace {

constexpr Index D = 3, layers = 2, heads = 2;

/// Weights that move only the targets, to be spoilt one entry at a time.
struct Weights {
  Weights() : P(layers * heads * D * D), Q(P.size()), skip(D * D) {
    for (std::size_t h = 0; h < layers * heads; ++h) {
      P[h * D * D + D * D - 1] = static_cast<double>(h) + 1;
      for (std::size_t j = 0; j + 1 < D; ++j) {
        for (std::size_t k = 0; k + 1 < D; ++k) {
          Q[h * D * D + j * D + k] = static_cast<double>(10 * h + 3 * j + k + 1);
        }
      }
    }
    for (std::size_t k = 0; k < D; ++k) skip[k * D + k] = 1;
  }

  LoopedModel model() const {
    return {.D = D,
            .layers = layers,
            .heads = heads,
            .P = P.data(),
            .Q = Q.data(),
            .skip = skip.data()};
  }

  std::vector<double> P, Q, skip;
};

}  // namespace

TEST_CASE("only the targets move where P, Q and skip say so, and any other entry breaks it") {
  Weights weights;
  CHECK(moves_targets_only(weights.model()));
  const auto spoilt = [&](double& entry) {
    const double kept = entry;
    entry = entry == 1 ? 2 : entry + 1;
    const bool result = !moves_targets_only(weights.model());
    entry = kept;
    return result;
  };
  for (std::size_t k = 0; k < weights.P.size(); ++k) {
    const std::size_t row = k / D % D, column = k % D;
    CHECK(spoilt(weights.P[k]) == (row + 1 < D || column + 1 < D));
    CHECK(spoilt(weights.Q[k]) == (row + 1 == D || column + 1 == D));
  }
  for (std::size_t k = 0; k < weights.skip.size(); ++k) {
    CHECK(spoilt(weights.skip[k]) == (k % D + 1 < D));
  }
}

TEST_CASE("weights are copied and padded with zeros to whole lanes") {
  Weights weights;
  weights.P[1] = 7;
  const LoopedWeights padded_weights(weights.model());
  for (Index layer = 0; layer < layers; ++layer) {
    for (Index h = 0; h < heads; ++h) {
      const auto from = static_cast<std::size_t>((layer * heads + h) * D * D);
      for (Index j = 0; j < D; ++j) {
        for (Index k = 0; k < padded(D); ++k) {
          const std::size_t at = from + static_cast<std::size_t>(j * D + k);
          CHECK(padded_weights.P(layer, h).row(j)[k] == (k < D ? weights.P[at] : 0));
          CHECK(padded_weights.Q(layer, h).row(j)[k] == (k < D ? weights.Q[at] : 0));
          if (k < D) CHECK(padded_weights.P(layer, h)(j, k) == weights.P[at]);
        }
      }
    }
  }
}

TEST_CASE("skip is looked at, the identity is none") {
  Weights weights;
  CHECK_FALSE(LoopedWeights(weights.model()).has_skip());
  for (double& entry : weights.skip) {
    const double kept = entry;
    entry += 0.5;
    const LoopedWeights changed(weights.model());
    CHECK(changed.has_skip());
    const auto at = static_cast<Index>(&entry - weights.skip.data());
    CHECK(changed.skip()(at / D, at % D) == entry);
    entry = kept;
  }
}
