#include <doctest/doctest.h>

#include <algorithm>
#include <cstring>
#include <limits>
#include <loopcore/buffer.hpp>
#include <loopcore/lane_layout.hpp>
#include <vector>

using namespace loopcore;

namespace {

constexpr Index sizes[] = {1, 2, 5, 8, 9, 17, 33};

/// Number k of the task t.
double number(Index k, Index t) { return static_cast<double>(100 * t + k + 1); }

/// One vector a task, packed as L has it.
template <class L>
std::vector<double> packed_vectors(Index size) {
  std::vector<std::vector<double>> vectors;
  const double* sources[L::tasks];
  for (Index t = 0; t < L::tasks; ++t) {
    std::vector<double> vector;
    for (Index k = 0; k < size; ++k) vector.push_back(number(k, t));
    vectors.push_back(std::move(vector));
  }
  for (Index t = 0; t < L::tasks; ++t) sources[t] = vectors[static_cast<std::size_t>(t)].data();
  std::vector<double> v(static_cast<std::size_t>(L::doubles(size)), -1);
  if constexpr (L::tasks > 1) {
    Array<Lane> aligned(size);
    L::pack(sources, size, reinterpret_cast<double*>(aligned.data()));
    std::memcpy(v.data(), aligned.data(), v.size() * sizeof(double));
  } else {
    L::pack(sources, size, v.data());
  }
  return v;
}

}  // namespace

TEST_CASE_TEMPLATE("vectors go into lanes and back", L, TasksInLanes, ColumnsInLanes) {
  for (const Index size : sizes) {
    std::vector<double> v = packed_vectors<L>(size);
    CHECK(L::doubles(size) == L::lanes(size) * lane_width);
    CHECK(L::doubles(size) >= size * L::tasks);
    for (Index t = 0; t < L::tasks; ++t) {
      std::vector<double> back(static_cast<std::size_t>(size));
      L::unpack(v.data(), size, t, back.data());
      for (Index k = 0; k < size; ++k) {
        CHECK(back[static_cast<std::size_t>(k)] == number(k, t));
        CHECK(L::entry(v.data(), k, t) == number(k, t));
        CHECK(typename L::Left{v.data(), 0, L::left_stride}(0, k)[t] == number(k, t));
      }
    }
  }
}

TEST_CASE("columns are padded with zeros, and a number on the left stands for the whole lane") {
  for (const Index size : sizes) {
    std::vector<double> v = packed_vectors<ColumnsInLanes>(size);
    for (std::size_t k = static_cast<std::size_t>(size); k < v.size(); ++k) CHECK(v[k] == 0);
    for (Index t = 0; t < lane_width; ++t) {
      const ColumnsInLanes::Left left{v.data(), 0, ColumnsInLanes::left_stride};
      CHECK(left(0, size - 1)[t] == number(size - 1, 0));
    }
  }
}

TEST_CASE("a row that all tasks share meets each of their numbers") {
  std::vector<double> row(static_cast<std::size_t>(padded(17)));
  for (std::size_t k = 0; k < row.size(); ++k) row[k] = static_cast<double>(k);
  const TasksInLanes::SharedRight numbers{row.data(), 0, TasksInLanes::shared_stride};
  const ColumnsInLanes::SharedRight lanes{row.data(), 0, ColumnsInLanes::shared_stride};
  for (Index t = 0; t < lane_width; ++t) {
    CHECK(TasksInLanes::shared(row.data(), 3)[t] == 3);
    CHECK(numbers(0, 3)[t] == 3);
    CHECK(ColumnsInLanes::shared(row.data(), 1)[t] == static_cast<double>(lane_width + t));
    CHECK(lanes(0, 1)[t] == static_cast<double>(lane_width + t));
  }
}

TEST_CASE("sum and largest are over the numbers of one task") {
  Lane x = Lane::zero();
  for (Index t = 0; t < lane_width; ++t) x.set(t, -2.0 - static_cast<double>(t));
  for (Index t = 0; t < lane_width; ++t) {
    CHECK(TasksInLanes::sum(x)[t] == x[t]);
    CHECK(TasksInLanes::largest(x)[t] == x[t]);
    CHECK(ColumnsInLanes::sum(x)[t] == x.sum());
    CHECK(ColumnsInLanes::largest(x)[t] == -2);
  }
  x.set(lane_width - 1, std::numeric_limits<double>::infinity());
  CHECK(ColumnsInLanes::largest(x)[0] == std::numeric_limits<double>::infinity());
}

TEST_CASE_TEMPLATE("first keeps the numbers up to a count, full_lanes is where it need not look", L,
                   TasksInLanes, ColumnsInLanes) {
  constexpr Index size = 33;
  const Lane no = Lane::broadcast(-7);
  for (Index count = 0; count <= size; ++count) {
    CHECK(L::full_lanes(count) == count * L::tasks / lane_width);
    std::vector<double> v = packed_vectors<L>(size);
    for (Index c = 0; c < L::lanes(size); ++c) {
      double* const lane = v.data() + c * lane_width;
      const Lane kept = L::first(Lane::load(lane), c, count, no);
      if (c < L::full_lanes(count)) {
        for (Index k = 0; k < lane_width; ++k) CHECK(kept[k] == lane[k]);
      }
      kept.store(lane);
    }
    for (Index k = 0; k < size; ++k) {
      for (Index t = 0; t < L::tasks; ++t) {
        CHECK(L::entry(v.data(), k, t) == (k < count ? number(k, t) : -7));
      }
    }
  }
}

TEST_CASE_TEMPLATE("mirror completes a lower triangle, and writes to nothing beside the matrix", L,
                   TasksInLanes, ColumnsInLanes) {
  const auto lower = [](Index j, Index k, Index t) { return number(100 * j + k, 1000 * t); };
  for (Index size = 0; size <= 3 * lane_width + 1; ++size) {
    for (const Index gap : {0, 3}) {
      const Index stride = L::doubles(size) + gap;
      std::vector<double> data(static_cast<std::size_t>(size * stride + 1), -7);
      const auto row = [&](Index j) { return data.data() + j * stride; };
      for (Index j = 0; j < size; ++j) {  // NaN where it has nothing to look at
        std::fill_n(row(j), L::doubles(size), std::numeric_limits<double>::quiet_NaN());
        for (Index k = 0; k < padded(size); ++k) {
          for (Index t = 0; t < L::tasks; ++t) {
            if (k < size && k <= j) L::entry(row(j), k, t) = lower(j, k, t);
            if (k >= size && L::tasks == 1) L::entry(row(j), k, t) = 0;
          }
        }
      }
      L::mirror(data.data(), stride, size);
      bool mirrored = true, kept = data.back() == -7;
      for (Index j = 0; j < size; ++j) {
        for (Index k = 0; k < size; ++k) {
          for (Index t = 0; t < L::tasks; ++t) {
            const double expected = lower(std::max(j, k), std::min(j, k), t);
            mirrored = mirrored && L::entry(row(j), k, t) == expected;
          }
        }
        for (Index k = size * L::tasks; k < stride; ++k) {
          kept = kept && row(j)[k] == (k < L::doubles(size) ? 0 : -7);
        }
      }
      CAPTURE(size);
      CHECK(mirrored);
      CHECK(kept);
    }
  }
}

TEST_CASE_TEMPLATE("a square is transposed, and nothing is written beside it", L, TasksInLanes,
                   ColumnsInLanes) {
  for (Index size = 0; size <= 2 * lane_width + 1; ++size) {
    const Index stride = L::doubles(size);
    std::vector<double> from(static_cast<std::size_t>(size * stride)), to(from.size() + 1, -7);
    for (Index j = 0; j < size; ++j) {
      for (Index k = 0; k < size; ++k) {
        for (Index t = 0; t < L::tasks; ++t) {
          L::entry(from.data() + j * stride, k, t) = number(100 * j + k, t);
        }
      }
    }
    L::transpose_square(from.data(), stride, size, to.data());
    bool transposed = to.back() == -7;
    for (Index j = 0; j < size; ++j) {
      for (Index k = 0; k < size; ++k) {
        for (Index t = 0; t < L::tasks; ++t) {
          transposed =
              transposed && L::entry(to.data() + j * stride, k, t) == number(100 * k + j, t);
        }
      }
      for (Index k = size * L::tasks; k < stride; ++k) {  // the padding of columns
        transposed = transposed && to[static_cast<std::size_t>(j * stride + k)] == 0;
      }
    }
    CAPTURE(size);
    CHECK(transposed);
  }
}

TEST_CASE_TEMPLATE("collapse adds up what stands in a lane for one task", L, TasksInLanes,
                   ColumnsInLanes) {
  for (const Index size : sizes) {
    std::vector<double> lanes(static_cast<std::size_t>(padded(size) * lane_width));
    for (std::size_t k = 0; k < lanes.size(); ++k) lanes[k] = static_cast<double>(k * k % 17);
    std::vector<double> v(static_cast<std::size_t>(L::doubles(size)), -1);
    L::collapse(lanes.data(), size, v.data());
    for (Index k = 0; k < size; ++k) {
      const Lane lane = Lane::load(lanes.data() + k * lane_width);
      for (Index t = 0; t < L::tasks; ++t) CHECK(L::entry(v.data(), k, t) == L::sum(lane)[t]);
    }
  }
}
