#include <doctest/doctest.h>

#include <loopcore/buffer.hpp>
#include <loopcore/lane_blocks.hpp>
#include <vector>

using namespace loopcore;

TEST_CASE("every entry has a place of its own, and a row of a block is a lane") {
  const Index rows = 5, columns = 2 * lane_width + 1;
  Buffer memory(LaneBlocks::size(rows, columns));
  const LaneBlocks A{memory.data(), rows};
  for (Index i = 0; i < rows; ++i) {
    for (Index k = 0; k < columns; ++k) A(i, k) += static_cast<double>(1 + 100 * i + k);
  }
  for (Index i = 0; i < rows; ++i) {
    for (Index k = 0; k < columns; ++k) CHECK(A(i, k) == static_cast<double>(1 + 100 * i + k));
    CHECK(A.block(lane_width) + i * lane_width == &A(i, lane_width));
  }
}

TEST_CASE("a lane-wide tile is transposed") {
  std::vector<double> from(static_cast<std::size_t>(lane_width * (lane_width + 3)));
  std::vector<double> to(static_cast<std::size_t>(lane_width * (lane_width + 1)));
  for (std::size_t k = 0; k < from.size(); ++k) from[k] = static_cast<double>(k);
  transpose(from.data(), lane_width + 3, to.data(), lane_width + 1);
  for (Index i = 0; i < lane_width; ++i) {
    for (Index k = 0; k < lane_width; ++k) {
      CHECK(to[static_cast<std::size_t>(k * (lane_width + 1) + i)] ==
            from[static_cast<std::size_t>(i * (lane_width + 3) + k)]);
    }
  }
}
