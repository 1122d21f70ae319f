#include <doctest/doctest.h>

#include <loopcore/attention_targets.hpp>

#include "looped.hpp"

using namespace loopcore;
using testing::Variant;

namespace {

constexpr testing::Layouts layouts = testing::layouts<AttentionTargets>();
constexpr testing::TeamLayouts team_layouts = testing::team_layouts<AttentionTargets>();

/// Every attention, update and mask; softmax over the keys that a row sees, or over all.
std::vector<Variant> all_variants() {
  std::vector<Variant> variants;
  for (const Update update : {Update::query, Update::all}) {
    for (const Mask mask : {Mask::context, Mask::all, Mask::causal}) {
      Variant variant{.update = update, .mask = mask, .targets = true};
      for (const Attention attention :
           {Attention::linear, Attention::relu, Attention::exp, Attention::softmax}) {
        variant.attention = attention;
        variants.push_back(variant);
      }
      variant.normalizes_all = true;
      variants.push_back(variant);
    }
  }
  return variants;
}

const std::vector<Variant> variants = all_variants();

}  // namespace

TEST_CASE("attention of targets equals the literal loop, in both layouts") {
  testing::check_against_literal(layouts, variants);
}

TEST_CASE(
    "attention of targets: a prompt has the same bits alone, beside others and at any place") {
  testing::check_company(layouts, variants);
}

TEST_CASE("attention of targets: storage and strides change no bit") {
  testing::check_storage(layouts, variants);
}

TEST_CASE(
    "attention of targets: what is not finite stays in its own prompt, and in a row that nobody "
    "sees") {
  testing::check_containment(layouts, variants);
}

TEST_CASE("attention of targets: a raised stop ends the loops") {
  testing::check_stop(layouts, variants);
}

TEST_CASE("attention of targets: a large prompt, whose rows a team shares") {
  const std::span<const Variant> all(variants.data() + variants.size() / 2, variants.size() / 2);
  testing::check_large(layouts, all, {.D = 3, .n = 800, .layers = 1, .heads = 1, .T = 2});
  testing::check_team(team_layouts, all, {.D = 3, .n = 800, .layers = 1, .T = 2});
}

TEST_CASE("attention of targets allocates nothing but its workspaces") {
  testing::check_allocations(layouts, variants);
}
