// How often operator new has been called in this program; counted in test_allocation.cpp.
#pragma once

namespace loopcore::testing {

long allocations();

}  // namespace loopcore::testing
