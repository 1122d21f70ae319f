#include <doctest/doctest.h>

#include <loopcore/looped_plan.hpp>

#include "looped.hpp"

using namespace loopcore;
using testing::LoopedCase;
using testing::Sizes;
using testing::Variant;

namespace {

LoopedPath choose(const Variant& variant, const Sizes& sizes) {
  return choose_looped_path(LoopedCase(variant, sizes).problem);
}

bool holds(LoopedPath path, const Sizes& sizes) {
  return holds_prompts(LoopedCase({}, sizes).problem, path);
}

double work(Index n, Index D, Index T) {
  return estimate_work(LoopedCase({}, {.D = D, .n = n, .T = T}).problem);
}

}  // namespace

TEST_CASE("linear attention of queries keeps the rows of a short context, and S of a long one") {
  for (const Mask mask : {Mask::context, Mask::all, Mask::causal}) {
    const Variant variant{.update = Update::query, .mask = mask};
    for (const Index heads : {1, 2}) {
      CHECK(choose(variant, {.D = 21, .n = 0, .heads = heads}) == LoopedPath::linear_keys);
      CHECK(choose(variant, {.D = 21, .n = 37, .heads = heads}) == LoopedPath::linear_keys);
      CHECK(choose(variant, {.D = 21, .n = 38, .heads = heads}) == LoopedPath::linear_query);
      CHECK(choose(variant, {.D = 2, .n = 9, .heads = heads}) == LoopedPath::linear_keys);
      CHECK(choose(variant, {.D = 2, .n = 10, .heads = heads}) == LoopedPath::linear_query);
    }
  }
}

TEST_CASE("linear attention of all rows works in the space of S where the context is long") {
  const Sizes few{.D = 10, .n = 15, .m = 10, .heads = 1};
  const Sizes many{.D = 10, .n = 15, .m = 11, .heads = 1};
  CHECK(choose({}, few) == LoopedPath::attention_rows);
  CHECK(choose({}, many) == LoopedPath::linear_all);
  for (const Mask mask : {Mask::context, Mask::all}) {
    CHECK(choose({.mask = mask}, {.D = 21, .n = 40}) == LoopedPath::linear_all);
    CHECK(choose({.mask = mask}, {.D = 10, .n = 22, .heads = 1}) == LoopedPath::linear_all);
    CHECK(choose({.mask = mask}, {.D = 10, .n = 21, .heads = 1}) == LoopedPath::attention_rows);
    CHECK(choose({.mask = mask}, {.D = 10, .n = 20, .heads = 2}) == LoopedPath::linear_all);
    CHECK(choose({.mask = mask}, {.D = 10, .n = 19, .heads = 2}) == LoopedPath::attention_rows);
    CHECK(choose({.mask = mask}, {.D = 33, .n = 1}) == LoopedPath::attention_rows);
  }
}

TEST_CASE("linear attention of targets keeps the scores of few examples, and S of many") {
  for (const Mask mask : {Mask::context, Mask::all}) {
    const Variant variant{.mask = mask, .targets = true};
    CHECK(choose(variant, {.D = 33, .n = 1}) == LoopedPath::attention_targets);
    CHECK(choose(variant, {.D = 8, .n = 16}) == LoopedPath::attention_targets);
    CHECK(choose(variant, {.D = 8, .n = 17}) == LoopedPath::linear_targets);
  }
  const Variant variant{.targets = true};
  CHECK(choose(variant, {.D = 8, .n = 2, .m = 20}) == LoopedPath::attention_targets);
  CHECK(choose(variant, {.D = 8, .n = 2, .m = 21}) == LoopedPath::linear_targets);
}

TEST_CASE("causal sums run where there are more rows than twice the width") {
  for (const bool targets : {false, true}) {
    const Variant variant{.mask = Mask::causal, .targets = targets};
    CHECK(choose(variant, {.D = 5, .n = 10}) == LoopedPath::linear_causal);
    CHECK(choose(variant, {.D = 5, .n = 9}) == LoopedPath::attention_rows);
  }
}

TEST_CASE("scores are kept where they never change and fit the memory") {
  for (const Attention attention : {Attention::relu, Attention::exp, Attention::softmax}) {
    for (const Mask mask : {Mask::context, Mask::all, Mask::causal}) {
      Variant variant{.attention = attention, .mask = mask, .targets = true};
      CHECK(choose(variant, {.n = 2047, .layers = 1}) == LoopedPath::attention_targets);
      CHECK(choose(variant, {.n = 2048, .layers = 1}) == LoopedPath::attention_rows);
      CHECK(choose(variant, {.n = 1023, .layers = 4}) == LoopedPath::attention_targets);
      CHECK(choose(variant, {.n = 1024, .layers = 4}) == LoopedPath::attention_rows);
      variant.targets = false;
      CHECK(choose(variant, {.n = 9}) == LoopedPath::attention_rows);
    }
  }
}

TEST_CASE("prompts share a lane where what a lane of them passes through fits the cache") {
  for (const LoopedPath path :
       {LoopedPath::linear_query, LoopedPath::linear_targets, LoopedPath::linear_causal,
        LoopedPath::attention_targets, LoopedPath::attention_rows}) {
    CHECK(holds(path, {.D = 40, .n = 9}));
    CHECK_FALSE(holds(path, {.D = 41, .n = 9}));
  }
  for (const LoopedPath path : {LoopedPath::linear_causal, LoopedPath::attention_rows}) {
    CHECK(holds(path, {.D = 32, .n = 255}));
    CHECK_FALSE(holds(path, {.D = 32, .n = 256}));
    CHECK(holds(path, {.D = 33, .n = 128}));
    CHECK(holds(path, {.D = 40, .n = 203}));
    CHECK_FALSE(holds(path, {.D = 40, .n = 204}));
  }
  for (const Index n : {0, 9, 10000}) {  // which n has no part in
    CHECK(holds(LoopedPath::linear_targets, {.D = 40, .n = n}));
    CHECK(holds(LoopedPath::linear_all, {.D = 12, .n = n}));
    CHECK_FALSE(holds(LoopedPath::linear_all, {.D = 13, .n = n}));
  }
  CHECK(holds(LoopedPath::linear_query, {.D = 32, .n = 10000, .m = 256}));
  CHECK_FALSE(holds(LoopedPath::linear_query, {.D = 32, .n = 10000, .m = 257}));
  const Index heads = 2;
  CHECK(holds(LoopedPath::linear_keys, {.D = 32, .n = 63, .m = 4, .layers = 1, .heads = heads}));
  CHECK_FALSE(
      holds(LoopedPath::linear_keys, {.D = 32, .n = 63, .m = 5, .layers = 1, .heads = heads}));
  CHECK_FALSE(
      holds(LoopedPath::linear_keys, {.D = 32, .n = 64, .m = 4, .layers = 1, .heads = heads}));
  CHECK(holds(LoopedPath::attention_targets, {.n = 89, .layers = 1}));
  CHECK_FALSE(holds(LoopedPath::attention_targets, {.n = 90, .layers = 1}));
  CHECK(holds(LoopedPath::attention_targets, {.n = 63, .layers = 2}));
  CHECK_FALSE(holds(LoopedPath::attention_targets, {.n = 64, .layers = 2}));
}

TEST_CASE("every path is the right one, in the layout that is chosen") {
  for (const Index D : {5, 41}) {
    for (const Index n : {1, 12, 70}) {
      for (const Attention attention : {Attention::linear, Attention::softmax}) {
        for (const Update update : {Update::query, Update::all}) {
          for (const Mask mask : {Mask::context, Mask::all, Mask::causal}) {
            for (const bool targets : {false, true}) {
              const Variant variant{
                  .attention = attention, .update = update, .mask = mask, .targets = targets};
              const LoopedCase looped(variant, {.D = D, .n = n, .layers = 1, .heads = 1, .T = 2});
              const auto engine = make_looped_engine(looped.problem);
              const LoopedPath path = choose_looped_path(looped.problem);
              CHECK(engine->most() == (holds_prompts(looped.problem, path) ? lane_width : 1));
              CHECK(testing::error(*engine, looped) < 30);
            }
          }
        }
      }
    }
  }
}

TEST_CASE("on a path, more rows, numbers or loops are more work") {
  for (const Index n : {9, 40}) {
    CHECK(work(n, 5, 3) > 0);
    CHECK(work(n + 1, 6, 3) > work(n, 6, 3));
    CHECK(work(n, 6, 3) > work(n, 5, 3));
    CHECK(work(n, 5, 4) > work(n, 5, 3));
  }
}

TEST_CASE("a team does less of what passes over many rows, and as much of the loops after it") {
  const auto share = [](const Variant& variant, const Sizes& sizes, int threads) {
    const LoopedCase looped(variant, sizes);
    return estimate_work(looped.problem, threads) / estimate_work(looped.problem);
  };
  constexpr Variant query{.update = Update::query};
  constexpr Variant softmax{.attention = Attention::softmax};
  for (const int threads : {2, 3}) {
    CHECK(share(query, {.D = 33, .n = 20000, .layers = 1, .T = 1}, threads) * threads < 1.01);
    CHECK(share({}, {.D = 33, .n = 20000, .layers = 1, .T = 1}, threads) * threads < 1.05);
    CHECK(share(softmax, {.D = 5, .n = 2000, .T = 1}, threads) * threads < 1.01);
    CHECK(share(query, {.D = 33, .n = 20, .T = 100}, threads) == 1);
    CHECK(share({}, {.D = 33, .n = 100, .T = 100}, threads) > 0.95);
    CHECK(share(softmax, {.D = 5, .n = 20}, threads) == 1);
  }
}
