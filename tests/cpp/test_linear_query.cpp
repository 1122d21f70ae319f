#include <doctest/doctest.h>

#include <loopcore/linear_query.hpp>

#include "looped.hpp"

using namespace loopcore;
using testing::Variant;

namespace {

constexpr testing::Layouts layouts = testing::layouts<LinearQuery>();
constexpr testing::TeamLayouts team_layouts = testing::team_layouts<LinearQuery>();

constexpr Variant variants[] = {{.update = Update::query, .mask = Mask::context},
                                {.update = Update::query, .mask = Mask::all},
                                {.update = Update::query, .mask = Mask::causal}};

}  // namespace

TEST_CASE("linear/query equals the literal loop, in both layouts") {
  testing::check_against_literal(layouts, variants);
}

TEST_CASE("linear/query: a prompt has the same bits alone, beside others and at any place") {
  testing::check_company(layouts, variants);
}

TEST_CASE("linear/query: storage and strides change no bit") {
  testing::check_storage(layouts, variants);
}

TEST_CASE(
    "linear/query: what is not finite stays in its own prompt, and in a row that nobody sees") {
  testing::check_containment(layouts, variants);
}

TEST_CASE("linear/query: a raised stop ends the loops") { testing::check_stop(layouts, variants); }

TEST_CASE("linear/query: a large prompt, whose work a team shares") {
  testing::check_large(layouts, variants, {.D = 17, .n = 9000, .layers = 1, .T = 2});
  testing::check_team(team_layouts, variants, {.D = 33, .n = 9000, .T = 2});
}

TEST_CASE("linear/query allocates nothing but its workspaces") {
  testing::check_allocations(layouts, variants);
}
