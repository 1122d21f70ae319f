#include <doctest/doctest.h>

#include <loopcore/buffer.hpp>
#include <loopcore/pack.hpp>

#include "problem.hpp"

using namespace loopcore;

namespace {

/// Vectors of `count` different numbers, one an element of the lane.
struct Rows {
  explicit Rows(Index count) {
    for (Index t = 0; t < lane_width; ++t) {
      for (Index k = 0; k < count; ++k) values[t].push_back(static_cast<double>(1000 * t + k));
      sources[t] = values[t].data();
    }
  }

  std::vector<double> values[lane_width];
  const double* sources[lane_width];
};

}  // namespace

TEST_CASE("transpose takes up to a square of numbers from any offset") {
  const Rows rows(3 * lane_width);
  for (Index offset = 0; offset <= 2 * lane_width; ++offset) {
    for (Index count = 1; count <= lane_width; ++count) {
      Lane out[lane_width + 1];
      for (Lane& lane : out) lane = Lane::broadcast(-1);
      transpose(rows.sources, offset, count, out);
      for (Index k = 0; k < count; ++k) {
        for (Index t = 0; t < lane_width; ++t) CHECK(out[k][t] == rows.sources[t][offset + k]);
      }
      CHECK(out[count][0] == -1);
    }
  }
}

TEST_CASE("pack and unpack are each other's inverse for every count, and touch no more") {
  for (Index count = 1; count <= 3 * lane_width; ++count) {
    const Rows rows(count);
    Array<Lane> lanes(count + 1);
    lanes[count] = Lane::broadcast(-1);
    pack(rows.sources, count, lanes.data());
    for (Index t = 0; t < lane_width; ++t) {
      CHECK(testing::element(lanes.data(), t, count) == rows.values[t]);
      std::vector<double> row(static_cast<std::size_t>(count) + 1, -2);
      unpack(lanes.data(), t, count, row.data());
      CHECK(row.back() == -2);
      row.pop_back();
      CHECK(row == rows.values[t]);
    }
    CHECK(lanes[count][0] == -1);
  }
}

TEST_CASE("unpack undoes pack for the first tasks, and touches no more") {
  for (Index count = 1; count <= 3 * lane_width; ++count) {
    const Rows rows(count);
    Array<Lane> lanes(count);
    pack(rows.sources, count, lanes.data());
    for (Index tasks = 0; tasks <= lane_width; ++tasks) {
      std::vector<std::vector<double>> out;
      double* to[lane_width] = {};
      for (Index t = 0; t < tasks; ++t) {
        out.emplace_back(static_cast<std::size_t>(count) + 1, -2);
      }
      for (Index t = 0; t < tasks; ++t) to[t] = out[static_cast<std::size_t>(t)].data();
      unpack(lanes.data(), count, tasks, to);
      for (Index t = 0; t < tasks; ++t) {
        auto& row = out[static_cast<std::size_t>(t)];
        CHECK(row.back() == -2);
        row.pop_back();
        CHECK(row == rows.values[t]);
      }
    }
  }
}
