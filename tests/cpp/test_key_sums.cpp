#include <doctest/doctest.h>

#include <loopcore/key_sums.hpp>

#include "looped.hpp"

using namespace loopcore;
using testing::LoopedCase;
using Real = long double;

namespace {

/// Tokens of one prompt in long double, (n + m, D), and S of the first `keys`.
Real exact_sum(LoopedCase& looped, Index p, Index keys, Index j, Index k, Real& magnitude) {
  Real sum = 0;
  magnitude = 0;
  for (Index i = 0; i < keys; ++i) {
    const Real term = static_cast<Real>(looped.z(p, i, j)) * looped.z(p, i, k);
    sum += term;
    magnitude += std::abs(term);
  }
  return sum;
}

/// The largest error of S in units of u Σ_i |z_ij z_ik|.
template <class L>
double largest_error(LoopedCase& looped, Index keys, TaskMatrix<L>& S) {
  Real largest = 0;
  for (Index p = 0; p < looped.sizes.prompts; ++p) {
    for (Index j = 0; j < looped.sizes.D; ++j) {
      for (Index k = 0; k < looped.sizes.D; ++k) {
        Real magnitude;
        const Real exact = exact_sum(looped, p, keys, j, k, magnitude);
        const double found = L::entry(S.row(j), k, p);
        CHECK(found == L::entry(S.row(k), j, p));
        if (found != exact) largest = std::max(largest, std::abs(found - exact) / magnitude);
      }
    }
  }
  return static_cast<double>(largest * 0x1p53L);
}

}  // namespace

TEST_CASE_TEMPLATE("S is the sum over the keys, exactly symmetric, each time anew", L, TasksInLanes,
                   ColumnsInLanes) {
  for (const Index D : {1, 2, 5, 8, 9, 17, 33}) {
    for (const Index n : {0, 1, 7, 64, 65, 200}) {
      LoopedCase looped({}, {.D = D, .n = n, .prompts = std::min<Index>(L::tasks, 3)});
      const std::vector<loopcore::Prompt> prompts = looped.prompts();
      PromptRows<L> rows(looped.problem);
      rows.open(prompts);
      Stop stop = testing::never_stop();
      for (const Index keys : {n + 1, n}) {
        KeySums<L> sums(keys, D);
        for (int time = 0; time < 2; ++time) {
          REQUIRE(sums.form(rows, stop));
          CHECK(largest_error(looped, keys, sums.S()) < 12);
        }
      }
    }
  }
}

TEST_CASE_TEMPLATE("a team adds up many rows, always to the same bits", L, TasksInLanes,
                   ColumnsInLanes) {
  constexpr Index D = 25, n = 9000;
  LoopedCase looped({}, {.D = D, .n = n});
  const std::vector<loopcore::Prompt> prompts = looped.prompts();
  Stop stop = testing::never_stop();
  const auto form = [&](int threads) {
    PromptRows<L> rows(looped.problem, threads);
    rows.open(prompts);
    KeySums<L> sums(n, D, Team(threads));
    REQUIRE(sums.form(rows, stop));
    return sums;
  };
  KeySums<L> alone = form(1);
  CHECK(largest_error(looped, n, alone.S()) < 12);
  for (const int threads : {2, 3, 8}) {
    const KeySums<L> shared = form(threads);
    for (Index j = 0; j < D; ++j) {
      const double* const expected = alone.S().row(j);
      CHECK(std::equal(expected, expected + alone.S().stride(), shared.S().row(j)));
    }
  }
}

TEST_CASE_TEMPLATE("the attention of a row is z Σ_h Q_h S P_h", L, TasksInLanes, ColumnsInLanes) {
  for (const Index D : {2, 9}) {
    LoopedCase looped({}, {.D = D, .n = 9, .layers = 2, .heads = 3});
    const LoopedModel& model = looped.problem.model;
    const std::vector<loopcore::Prompt> prompts = looped.prompts();
    PromptRows<L> rows(looped.problem);
    rows.open(prompts);
    KeySums<L> sums(9, D);
    Stop stop = testing::never_stop();
    REQUIRE(sums.form(rows, stop));
    TaskMatrix<L> product(D, D), M(D, D);
    M.fill(7);
    const LoopedWeights weights(model);
    form_attention_map(model, weights, 1, sums.S(), product, M);
    for (Index j = 0; j < D; ++j) {
      for (Index k = 0; k < D; ++k) {
        Real exact = 0;
        Real magnitude = 0;
        for (Index h = 0; h < 3; ++h) {
          const Index at = (3 + h) * D * D;
          for (Index a = 0; a < D; ++a) {
            for (Index b = 0; b < D; ++b) {
              Real size;
              const Real S = exact_sum(looped, 0, 9, a, b, size);
              const Real factor =
                  static_cast<Real>(model.Q[at + j * D + a]) * model.P[at + b * D + k];
              exact += factor * S;
              magnitude += std::abs(factor) * size;
            }
          }
        }
        const Real found = L::entry(M.row(j), k, 0);
        CHECK(static_cast<double>(std::abs(found - exact) / magnitude * 0x1p53L) < 12);
      }
    }
  }
}

TEST_CASE("a raised flag ends the sum") {
  const LoopedCase looped({}, {.D = 32, .n = 4000});
  const std::vector<loopcore::Prompt> prompts = looped.prompts();
  PromptRows<ColumnsInLanes> rows(looped.problem);
  rows.open(prompts);
  KeySums<ColumnsInLanes> sums(4000, 32);
  StopFlag flag;
  flag.raised = true;
  Stop stop(flag, true);
  CHECK_FALSE(sums.form(rows, stop));
}
