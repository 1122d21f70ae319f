#include <doctest/doctest.h>

#include <loopcore/rows.hpp>

#include "problem.hpp"

using namespace loopcore;

TEST_CASE("four rows at once give the bits of one row at a time") {
  for (const Index d : {1, 2, 3, 7, 8, 9, 16, 17, 100, 1000}) {
    const testing::Prompt<> prompt(4, d, static_cast<unsigned>(d));
    Buffer q(padded(d));
    std::copy(prompt.q0.begin(), prompt.q0.end(), q.data());
    const MatrixView view = testing::view(prompt.X, d);
    const double* x[4];
    for (Index i = 0; i < 4; ++i) x[i] = &prompt.X[static_cast<std::size_t>(i * d)];
    double four[4];
    dot_rows<4>(x, d, q.data(), four);
    Buffer g_four(padded(d));
    add_rows<4>(x, d, four, g_four.data(), view);
    Buffer g_one(padded(d));
    for (Index i = 0; i < 4; ++i) {
      double one;
      dot_rows<1>(x + i, d, q.data(), &one);
      CHECK(one == four[i]);
      add_rows<1>(x + i, d, &one, g_one.data(), view);
    }
    for (Index k = 0; k < padded(d); ++k) CHECK(g_one[k] == g_four[k]);
  }
}

TEST_CASE("long rows of equal entries are summed without drift") {
  const Index d = 1000000;
  const std::vector<double> x(static_cast<std::size_t>(d), 1.0 / 3);
  Buffer q(padded(d));
  q.fill(1);
  const double* row = x.data();
  double sum;
  dot_rows<1>(&row, d, q.data(), &sum);
  const long double exact = 1000000.0L * static_cast<long double>(1.0 / 3);
  CHECK(std::abs(static_cast<double>((sum - exact) / exact)) < 10 * 0x1p-53);
}

TEST_CASE("rows of any storage are read, in place or converted, to the same numbers") {
  const testing::Prompt<float> prompt(6, 5);
  std::vector<double> wide(prompt.X.begin(), prompt.X.end());
  RowReader in_place(5);
  RowReader converted(5);
  in_place.open(testing::view(wide, 5), 5, 0);
  converted.open(prompt.task().X, 5, 0);
  converted.for_each(0, 6, [&](auto R, Index i, const double* const* x) {
    for (Index r = 0; r < R; ++r) {
      for (Index k = 0; k < 5; ++k)
        CHECK(x[r][k] == wide[static_cast<std::size_t>((i + r) * 5 + k)]);
    }
  });
  in_place.for_each(4, 5, [&](auto R, Index, const double* const* x) {
    CHECK(R == 1);
    CHECK(x[0] == &wide[20]);
  });
}

TEST_CASE("a panel sum starts where it is told and loses nothing") {
  PanelSum sum(3);
  Buffer start(padded(3));
  start[1] = 0x1p60;
  sum.open(start.data());
  for (int repeat = 0; repeat < 1024; ++repeat) {
    sum.panel()[1] = 1;
    sum.close_panel();
  }
  Buffer result(padded(3));
  sum.finish(result.data());
  CHECK(result[1] == 0x1p60 + 1024);
  CHECK(result[0] == 0.0);
}
