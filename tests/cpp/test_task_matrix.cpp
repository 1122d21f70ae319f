#include <doctest/doctest.h>

#include <loopcore/task_matrix.hpp>

using namespace loopcore;

namespace {

constexpr Index sizes[] = {1, 2, 5, 8, 9, 17, 33};

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

TEST_CASE_TEMPLATE("products of matrices of tasks, and with shared ones", L, TasksInLanes,
                   ColumnsInLanes) {
  for (const Index size : sizes) {
    const Index first = 1, rows = size + 2;
    const TaskMatrix<L> A = make_matrix<L>(rows + first, size, 1),
                        B = make_matrix<L>(size, size, 2);
    const Shared W(size, 3);
    TaskMatrix<L> out(rows, size);
    const auto put = [&](Index r, Index c, Lane value) { out.put(r, c, value); };
    multiply(A, first, rows, B, size, put);
    check_entries(out, rows, size, [&](Index j, Index k, Index t) {
      return sum(
          size, [&](Index i) { return integer(j + first, i, t, 1); },
          [&](Index i) { return integer(i, k, t, 2); });
    });
    multiply(A, first, rows, W.matrix, size, put);
    check_entries(out, rows, size, [&](Index j, Index k, Index t) {
      return sum(
          size, [&](Index i) { return integer(j + first, i, t, 1); },
          [&](Index i) { return integer(i, k, 0, 3); });
    });
    multiply(W.matrix, B, size, put);
    check_entries(out, size, size, [&](Index j, Index k, Index t) {
      return sum(
          size, [&](Index i) { return integer(j, i, 0, 3); },
          [&](Index i) { return integer(i, k, t, 2); });
    });
  }
}

TEST_CASE_TEMPLATE("a symmetric product is computed once and mirrored", L, TasksInLanes,
                   ColumnsInLanes) {
  for (const Index size : sizes) {
    for (const Index inner : {1, 7, 64}) {
      const TaskMatrix<L> Z = make_matrix<L>(inner, size, 4);
      TaskMatrix<L> S(size, size);
      multiply_symmetric(
          size, inner, [&](Index r, Index i) { return Z.element(i, r); },
          [&](Index i, Index c) { return Z.lane(i, c); }, S);
      check_entries(S, size, size, [&](Index j, Index k, Index t) {
        return sum(
            inner, [&](Index i) { return integer(i, j, t, 4); },
            [&](Index i) { return integer(i, k, t, 4); });
      });
    }
  }
}

TEST_CASE_TEMPLATE("a matrix is filled and assigned", L, TasksInLanes, ColumnsInLanes) {
  const TaskMatrix<L> A = make_matrix<L>(3, 9, 5);
  TaskMatrix<L> B(3, 9);
  B.fill(2);
  CHECK(B.element(2, 8)[0] == 2);
  CHECK(B.lane(2, 0)[lane_width - 1] == 2);
  B.assign(A);
  check_entries(B, 3, 9, [](Index j, Index k, Index t) { return integer(j, k, t, 5); });
}
