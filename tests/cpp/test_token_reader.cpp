#include <doctest/doctest.h>

#include <loopcore/token_reader.hpp>

#include "problem.hpp"

using namespace loopcore;

TEST_CASE("tokens of any storage lie row by row in the panel, padded with zeros, as scaled") {
  const Index n = 70, begin = 3, rows = 61;
  for (const Index d : {1, 5, 8, 19}) {
    const testing::Prompt<float> prompt(n, d);
    const std::vector<double> wide(prompt.X.begin(), prompt.X.end());
    std::vector<double> columns(wide.size());
    for (Index i = 0; i < n; ++i) {
      for (Index k = 0; k < d; ++k) columns[static_cast<std::size_t>(k * n + i)] = prompt.x(i, k);
    }
    const VectorView y[] = {testing::view(prompt.y), testing::view(wide)};
    const int scale_y[] = {0, 2};
    for (const MatrixView& X :
         {prompt.task().X, testing::view(wide, d), testing::view(columns, n).transposed()}) {
      for (const int scale_x : {0, -1}) {
        TokenReader reader(d);
        Buffer memory(LaneBlocks::size(panel_rows, d + lane_width));
        memory.fill(-7);
        const LaneBlocks panel{memory.data(), panel_rows};
        reader.open({X, scale_x, y, scale_y, 2});
        reader.read(begin, rows, 0, panel);
        for (Index i = 0; i < rows; ++i) {
          for (Index k = 0; k < padded(d); ++k) {
            const double x = k < d ? std::ldexp(prompt.x(begin + i, k), scale_x) : 0;
            CHECK(panel(i, k) == x);
          }
          const double* targets = &panel(i, padded(d));
          const auto row = static_cast<std::size_t>(begin + i);
          CHECK(targets[0] == prompt.y[row]);
          CHECK(targets[1] == 4 * wide[row]);
          for (Index t = 2; t < lane_width; ++t) CHECK(targets[t] == 0);
        }
      }
    }
  }
}

TEST_CASE("rows of doubles that need no scaling are known where they lie") {
  const std::vector<double> X(20);
  TokenReader reader(4);
  reader.open({testing::view(X, 4), 0, nullptr, nullptr, 0});
  CHECK(reader.stride_in_place() == 4);
  CHECK(reader.row_in_place(2) == &X[8]);
  reader.open({testing::view(X, 4), 1, nullptr, nullptr, 0});
  CHECK(reader.stride_in_place() == 0);
}
