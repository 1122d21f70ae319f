#include <doctest/doctest.h>

#include <loopcore/linear_causal.hpp>

#include "looped.hpp"

using namespace loopcore;
using testing::Variant;

namespace {

constexpr testing::Layouts layouts = testing::layouts<LinearCausal>();

constexpr Variant variants[] = {{.mask = Mask::causal}};

}  // namespace

TEST_CASE("linear/causal equals the literal loop, in both layouts") {
  testing::check_against_literal(layouts, variants);
}

TEST_CASE("linear/causal: a prompt has the same bits alone, beside others and at any place") {
  testing::check_company(layouts, variants);
}

TEST_CASE("linear/causal: storage and strides change no bit") {
  testing::check_storage(layouts, variants);
}

TEST_CASE(
    "linear/causal: what is not finite stays in its own prompt, and in a row that nobody sees") {
  testing::check_containment(layouts, variants);
}

TEST_CASE("linear/causal: a raised stop ends the loops") { testing::check_stop(layouts, variants); }

TEST_CASE("linear/causal allocates nothing but its workspaces") {
  testing::check_allocations(layouts, variants);
}
