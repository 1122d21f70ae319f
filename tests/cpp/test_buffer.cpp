#include <doctest/doctest.h>

#include <cstdint>
#include <limits>
#include <loopcore/buffer.hpp>

using namespace loopcore;

TEST_CASE("a buffer is aligned and starts at zero, an empty one too") {
  for (const Index size : {0, 1, 7, 1000}) {
    const Buffer buffer(size);
    CHECK(reinterpret_cast<std::uintptr_t>(buffer.data()) % alignment == 0);
    for (Index k = 0; k < size; ++k) CHECK(buffer[k] == 0.0);
  }
}

TEST_CASE("more memory than an index can count is refused") {
  CHECK_THROWS_AS(Buffer(std::numeric_limits<Index>::max() / 4), std::bad_alloc);
}
