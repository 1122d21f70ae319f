#include <doctest/doctest.h>

#include <loopcore/linear_keys.hpp>

#include "looped.hpp"

using namespace loopcore;
using testing::Variant;

namespace {

constexpr testing::Layouts layouts = testing::layouts<LinearKeys>();

constexpr Variant variants[] = {{.update = Update::query, .mask = Mask::context},
                                {.update = Update::query, .mask = Mask::all},
                                {.update = Update::query, .mask = Mask::causal}};

}  // namespace

TEST_CASE("linear/query by rows equals the literal loop, in both layouts") {
  testing::check_against_literal(layouts, variants);
}

TEST_CASE(
    "linear/query by rows: a prompt has the same bits alone, beside others and at any place") {
  testing::check_company(layouts, variants);
}

TEST_CASE("linear/query by rows: storage and strides change no bit") {
  testing::check_storage(layouts, variants);
}

TEST_CASE(
    "linear/query by rows: what is not finite stays in its own prompt, and in a row that nobody "
    "sees") {
  testing::check_containment(layouts, variants);
}

TEST_CASE("linear/query by rows: a raised stop ends the loops") {
  testing::check_stop(layouts, variants);
}

TEST_CASE("linear/query by rows allocates nothing but its workspaces") {
  testing::check_allocations(layouts, variants);
}
