#include <doctest/doctest.h>

#include <loopcore/linear_all.hpp>

#include "looped.hpp"

using namespace loopcore;
using testing::Variant;

namespace {

constexpr testing::Layouts layouts = testing::layouts<LinearAll>();
constexpr testing::TeamLayouts team_layouts = testing::team_layouts<LinearAll>();

constexpr Variant variants[] = {{.mask = Mask::context}, {.mask = Mask::all}};

}  // namespace

TEST_CASE("linear/all equals the literal loop, in both layouts") {
  testing::check_against_literal(layouts, variants);
}

TEST_CASE("linear/all: a prompt has the same bits alone, beside others and at any place") {
  testing::check_company(layouts, variants);
}

TEST_CASE("linear/all: storage and strides change no bit") {
  testing::check_storage(layouts, variants);
}

TEST_CASE("linear/all: what is not finite stays in its own prompt, and in a row that nobody sees") {
  testing::check_containment(layouts, variants);
}

TEST_CASE("linear/all: a raised stop ends the loops") { testing::check_stop(layouts, variants); }

TEST_CASE("linear/all: a large prompt, whose work a team shares") {
  testing::check_large(layouts, variants, {.D = 65, .n = 600, .layers = 1, .T = 2});
  testing::check_team(team_layouts, variants, {.D = 33, .n = 3000, .T = 2});
}

TEST_CASE("linear/all allocates nothing but its workspaces") {
  testing::check_allocations(layouts, variants);
}
