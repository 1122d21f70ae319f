#include <doctest/doctest.h>

#include <algorithm>
#include <limits>
#include <loopcore/task_matrix.hpp>

using namespace loopcore;

namespace {

constexpr Index sizes[] = {1, 2, 5, 8, 9, 17, 33};
constexpr double not_a_number = std::numeric_limits<double>::quiet_NaN();

/// Small integers, whose products are exact whatever the order.
double integer(Index j, Index k, Index t, Index kind) {
  return static_cast<double>((3 * j + j * k + 5 * k + 2 * t + kind) % 9 - 4);
}

template <class L>
TaskMatrix<L> make_matrix(Index rows, Index columns, Index kind) {
  TaskMatrix<L> A(rows, columns);
  for (Index j = 0; j < rows; ++j) {
    for (Index k = 0; k < columns; ++k) {
      for (Index t = 0; t < L::tasks; ++t) L::entry(A.row(j), k, t) = integer(j, k, t, kind);
    }
  }
  return A;
}

/// A matrix that all tasks share, and its memory.
struct Shared {
  Shared(Index size, Index kind) : memory(size * padded(size)) {
    for (Index j = 0; j < size; ++j) {
      for (Index k = 0; k < size; ++k) memory[j * padded(size) + k] = integer(j, k, 0, kind);
    }
    matrix = {memory.data(), padded(size)};
  }

  Buffer memory;
  SharedMatrix matrix;
};

/// A_jk = entry(j, k, t) for every task, and nothing but zeros beside them.
template <class L, class Entry>
void check_entries(TaskMatrix<L>& A, Index rows, Index columns, Entry&& entry) {
  bool equal = true;
  for (Index j = 0; j < rows; ++j) {
    for (Index k = 0; k < columns; ++k) {
      for (Index t = 0; t < L::tasks; ++t) {
        equal = equal && L::entry(A.row(j), k, t) == entry(j, k, t);
      }
    }
    for (Index k = columns * L::tasks; k < A.stride(); ++k) equal = equal && A.row(j)[k] == 0;
  }
  CHECK(equal);
}

/// Σ_k a(k) b(k), k < size
template <class A, class B>
double sum(Index size, A&& a, B&& b) {
  double sum = 0;
  for (Index k = 0; k < size; ++k) sum += a(k) * b(k);
  return sum;
}

}  // namespace

TEST_CASE_TEMPLATE("a matrix is a factor on either side, from any row on", L, TasksInLanes,
                   ColumnsInLanes) {
  const TaskMatrix<L> A = make_matrix<L>(4, 17, 1);
  for (Index j = 0; j < 4; ++j) {
    for (Index k = 0; k < 17; ++k) {
      const Index lane = L::tasks > 1 ? k : k / lane_width;
      for (Index t = 0; t < L::tasks; ++t) {
        const double expected = integer(j, k, t, 1);
        for (Index first = 0; first <= j; ++first)
          CHECK(A.left(first)(j - first, k)[t] == expected);
        CHECK(A.right()(j, lane)[L::tasks > 1 ? t : k % lane_width] == expected);
        CHECK(A.lane(j, lane)[L::tasks > 1 ? t : k % lane_width] == expected);
      }
    }
  }
}

TEST_CASE_TEMPLATE("what all tasks share is a factor on either side", L, TasksInLanes,
                   ColumnsInLanes) {
  const Shared W(9, 3);
  for (Index j = 0; j < 9; ++j) {
    for (Index k = 0; k < 9; ++k) {
      CHECK(W.matrix(j, k) == integer(j, k, 0, 3));
      for (Index t = 0; t < lane_width; ++t) CHECK(W.matrix.left()(j, k)[t] == W.matrix(j, k));
    }
    for (Index c = 0; c < L::lanes(9); ++c) {
      for (Index t = 0; t < lane_width; ++t) {
        CHECK(W.matrix.template right<L>()(j, c)[t] == L::shared(W.matrix.row(j), c)[t]);
      }
    }
  }
}

TEST_CASE_TEMPLATE("products of matrices of tasks, and with shared ones, put or added", L,
                   TasksInLanes, ColumnsInLanes) {
  for (const Index size : sizes) {
    const Index first = 1, rows = size + 2;
    const TaskMatrix<L> A = make_matrix<L>(rows + first, size, 1),
                        B = make_matrix<L>(size, size, 2);
    const Shared W(size, 3);
    const auto A_B = [&](Index j, Index k, Index t) {
      return sum(
          size, [&](Index i) { return integer(j + first, i, t, 1); },
          [&](Index i) { return integer(i, k, t, 2); });
    };
    const auto A_W = [&](Index j, Index k, Index t) {
      return sum(
          size, [&](Index i) { return integer(j + first, i, t, 1); },
          [&](Index i) { return integer(i, k, 0, 3); });
    };
    const auto W_B = [&](Index j, Index k, Index t) {
      return sum(
          size, [&](Index i) { return integer(j, i, 0, 3); },
          [&](Index i) { return integer(i, k, t, 2); });
    };
    TaskMatrix<L> out(rows, size);
    out.fill(not_a_number);
    multiply_rows(A, first, rows, B.right(), size, out);
    check_entries(out, rows, size, A_B);
    multiply_rows(A, first, rows, W.matrix.template right<L>(), size, out, true);
    check_entries(out, rows, size,
                  [&](Index j, Index k, Index t) { return A_B(j, k, t) + A_W(j, k, t); });
    multiply_rows(A, first, rows, W.matrix.template right<L>(), size, out);
    check_entries(out, rows, size, A_W);
    multiply(W.matrix.left(), B.right(), size, size, L::lanes(size), out.row(0), out.stride());
    check_entries(out, size, size, W_B);
    for (const bool adds : {false, true}) {  // one row alone, and the others as they were
      multiply_rows(A, first + 1, 1, B.right(), size, out, adds);
      check_entries(out, size, size, [&](Index j, Index k, Index t) {
        return j > 0 ? W_B(j, k, t) : (adds ? 2 : 1) * A_B(1, k, t);
      });
    }
  }
}

TEST_CASE_TEMPLATE("a symmetric product is computed once and mirrored", L, TasksInLanes,
                   ColumnsInLanes) {
  for (const Index size : sizes) {
    TaskMatrix<L> S(size, size);
    for (const Index inner : {0, 1, 7, 64}) {
      const TaskMatrix<L> Z = make_matrix<L>(inner, size, 4);
      S.fill(not_a_number);
      multiply_symmetric(Z.left().transposed(), Z.right(), size, inner, S);
      check_entries(S, size, size, [&](Index j, Index k, Index t) {
        return sum(
            inner, [&](Index i) { return integer(i, j, t, 4); },
            [&](Index i) { return integer(i, k, t, 4); });
      });
    }
  }
}

TEST_CASE_TEMPLATE("of a product that is not symmetric, the lower triangle is mirrored", L,
                   TasksInLanes, ColumnsInLanes) {
  for (const Index size : sizes) {
    const TaskMatrix<L> A = make_matrix<L>(7, size, 1), B = make_matrix<L>(7, size, 2);
    TaskMatrix<L> S(size, size);
    multiply_symmetric(A.left().transposed(), B.right(), size, 7, S);
    check_entries(S, size, size, [&](Index j, Index k, Index t) {
      return sum(
          7, [&](Index i) { return integer(i, std::max(j, k), t, 1); },
          [&](Index i) { return integer(i, std::min(j, k), t, 2); });
    });
  }
}

TEST_CASE_TEMPLATE("a matrix is filled and assigned", L, TasksInLanes, ColumnsInLanes) {
  const TaskMatrix<L> A = make_matrix<L>(3, 9, 5);
  TaskMatrix<L> B(3, 9);
  B.fill(2);
  CHECK(L::entry(B.row(2), 8, L::tasks - 1) == 2);
  CHECK(B.lane(2, 0)[lane_width - 1] == 2);
  B.assign(A);
  check_entries(B, 3, 9, [](Index j, Index k, Index t) { return integer(j, k, t, 5); });
  B.put(1, 0, Lane::broadcast(6));
  for (Index t = 0; t < L::tasks; ++t) CHECK(L::entry(B.row(1), 0, t) == 6);
}
