#include <doctest/doctest.h>

#include <loopcore/keys.hpp>
#include <loopcore/task_matrix.hpp>

using namespace loopcore;

namespace {

/// (rows, D) a task
template <class L>
TaskMatrix<L> make_rows(Index rows, Index D) {
  TaskMatrix<L> Z(rows, D);
  for (Index i = 0; i < rows; ++i) {
    for (Index k = 0; k < D; ++k) {
      for (Index t = 0; t < L::tasks; ++t) {
        L::entry(Z.row(i), k, t) = static_cast<double>(1 + i + 100 * k + 10000 * t);
      }
    }
  }
  return Z;
}

constexpr Index counts[] = {0, 1, 3, 8, 9, 17};

}  // namespace

TEST_CASE("keys of tasks in lanes are the rows, where they lie") {
  for (const Index count : counts) {
    TaskMatrix<TasksInLanes> Z = make_rows<TasksInLanes>(count, 5);
    Keys<TasksInLanes> keys(count, 5);
    keys.assign(Z.row(0), count, Z.stride());
    for (Index i = 0; i < count; ++i) {
      TasksInLanes::entry(Z.row(i), 2, 0) = -1;  // seen without a word
      keys.replace(i, Z.row(i));
      for (Index k = 0; k < 5; ++k) {
        for (Index t = 0; t < lane_width; ++t) {
          const double expected = TasksInLanes::entry(Z.row(i), k, t);
          for (Index first = 0; first <= i; ++first) {
            CHECK(keys.columns(first)(k, i - first)[t] == expected);
            CHECK(keys.columns(first).transposed()(i - first, k)[t] == expected);
          }
        }
      }
    }
  }
}

TEST_CASE("keys of one task lie side by side, with zeros after the last") {
  for (const Index count : counts) {
    TaskMatrix<ColumnsInLanes> Z = make_rows<ColumnsInLanes>(count, 5);
    Keys<ColumnsInLanes> keys(count, 5);
    keys.assign(Z.row(0), count, Z.stride());
    for (const bool replaced : {false, true}) {
      for (Index i = 0; replaced && i < count; i += 2) {
        ColumnsInLanes::entry(Z.row(i), 4, 0) = -1;
        keys.replace(i, Z.row(i));
      }
      for (Index i = 0; i < padded(count); ++i) {
        for (Index k = 0; k < 5; ++k) {
          const double expected = i < count ? Z.row(i)[k] : 0;
          for (Index first = 0; first <= i / lane_width; ++first) {
            const Index lane = i / lane_width - first;
            CHECK(keys.columns(first)(k, lane)[i % lane_width] == expected);
            CHECK(keys.columns(first).transposed()(lane, k)[i % lane_width] == expected);
          }
        }
      }
    }
  }
}
