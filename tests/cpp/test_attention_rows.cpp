#include <doctest/doctest.h>

#include <loopcore/attention_rows.hpp>

#include "looped.hpp"

using namespace loopcore;
using testing::Variant;

namespace {

constexpr testing::Layouts layouts = testing::layouts<AttentionRows>();
constexpr testing::TeamLayouts team_layouts = testing::team_layouts<AttentionRows>();

/// Every attention, update and mask; softmax over the keys that a row sees, or over all.
std::vector<Variant> all_variants() {
  std::vector<Variant> variants;
  for (const Update update : {Update::query, Update::all}) {
    for (const Mask mask : {Mask::context, Mask::all, Mask::causal}) {
      Variant variant{.update = update, .mask = mask, .targets = false};
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

TEST_CASE("attention of rows equals the literal loop, in both layouts") {
  testing::check_against_literal(layouts, variants);
}

TEST_CASE("attention of rows: a prompt has the same bits alone, beside others and at any place") {
  testing::check_company(layouts, variants);
}

TEST_CASE("attention of rows: storage and strides change no bit") {
  testing::check_storage(layouts, variants);
}

TEST_CASE(
    "attention of rows: what is not finite stays in its own prompt, and in a row that nobody "
    "sees") {
  testing::check_containment(layouts, variants);
}

TEST_CASE("attention of rows: a raised stop ends the loops") {
  testing::check_stop(layouts, variants);
}

TEST_CASE(
    "attention of rows: a large prompt, whose rows a team shares, or where one moves, its keys") {
  const std::span<const Variant> queries(variants.data(), variants.size() / 2);
  const std::span<const Variant> all(variants.data() + variants.size() / 2, variants.size() / 2);
  testing::check_large(layouts, queries, {.D = 33, .n = 40000, .layers = 1, .T = 2});
  testing::check_team(team_layouts, queries, {.D = 33, .n = 40000, .layers = 1, .T = 2});
  testing::check_large(layouts, all, {.D = 9, .n = 400, .layers = 1, .T = 2});
  testing::check_team(team_layouts, all, {.D = 9, .n = 400, .layers = 1, .T = 2});
}

TEST_CASE("attention of rows allocates nothing but its workspaces") {
  testing::check_allocations(layouts, variants);
}
