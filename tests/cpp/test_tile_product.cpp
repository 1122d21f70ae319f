#include <doctest/doctest.h>

#include <algorithm>
#include <cstring>
#include <limits>
#include <loopcore/buffer.hpp>
#include <loopcore/tile_product.hpp>
#include <vector>

using namespace loopcore;

namespace {

constexpr double not_a_number = std::numeric_limits<double>::quiet_NaN();

/// Small integers, whose products are exact whatever the order.
double integer(Index j, Index k, Index t) {
  return static_cast<double>((5 * j + k * k + 3 * t + j * k) % 9 - 4);
}

/// Numbers whose products are rounded.
double fraction(Index j, Index k, Index t) {
  return 1 / static_cast<double>(3 + j + 2 * k + 5 * t) - 0.03125;
}

/// A factor (rows, columns) in memory of its own, with NaN between its entries and around them.
template <bool has_lanes>
class Operand {
 public:
  Operand(Index rows, Index columns, bool by_columns, double (*entry)(Index, Index, Index))
      : memory_((rows + 1) * (columns + 1) * size + gap) {
    const Index outer = size * (by_columns ? rows : columns) + gap;
    factor = {memory_.data() + gap, by_columns ? size : outer, by_columns ? outer : size};
    memory_.fill(not_a_number);
    for (Index j = 0; j < rows; ++j) {
      for (Index k = 0; k < columns; ++k) {
        double* const at = memory_.data() + gap + j * factor.row + k * factor.column;
        for (Index t = 0; t < elements; ++t) at[t] = entry(j, k, t);
      }
    }
  }

  Factor<has_lanes> factor;

 private:
  static constexpr Index gap = 1;
  static constexpr Index elements = has_lanes ? lane_width : 1;
  static constexpr Index size = elements + gap;
  Buffer memory_;
};

/// out (rows, lanes), with a number between its rows and after the last that nothing may write to.
class Out {
 public:
  Out(Index rows, Index lanes)
      : rows_(rows), lanes_(lanes), memory_(static_cast<std::size_t>(rows * stride() + 1)) {}

  double* data() { return memory_.data(); }
  Index stride() const { return lanes_ * lane_width + 1; }
  double operator()(Index r, Index c, Index t) const {
    return memory_[static_cast<std::size_t>(r * stride() + c * lane_width + t)];
  }

  template <class Entry>
  void fill(Entry&& entry) {
    memory_.assign(memory_.size(), -77);
    for_each([&](Index r, Index c, Index t, double& value) { value = entry(r, c, t); });
  }

  /// Whether it has these entries, bit by bit, and nothing was written beside them.
  template <class Entry>
  bool has(Entry&& entry) const {
    Out expected(rows_, lanes_);
    expected.fill(entry);
    return std::memcmp(expected.memory_.data(), memory_.data(), memory_.size() * sizeof(double)) ==
           0;
  }

 private:
  template <class Visit>
  void for_each(Visit&& visit) {
    for (Index r = 0; r < rows_; ++r) {
      for (Index k = 0; k < lanes_ * lane_width; ++k) {
        visit(r, k / lane_width, k % lane_width,
              memory_[static_cast<std::size_t>(r * stride() + k)]);
      }
    }
  }

  Index rows_, lanes_;
  std::vector<double> memory_;
};

/// The factors of a product.
template <bool left_, bool right_>
struct Kind {
  static constexpr bool left = left_, right = right_;
};

/// Σ_k left_rk right_kc of one element, in the order of k.
template <class Kind>
double sum_up(double (*entry)(Index, Index, Index), Index r, Index c, Index t, Index inner) {
  double sum = 0;
  for (Index k = 0; k < inner; ++k) {
    sum = madd(entry(r, k, Kind::left ? t : 0), entry(k, c, Kind::right ? t : 0), sum);
  }
  return sum;
}

/// Products of one size of integers, at any strides, put and added.
template <class Kind>
void check_products(Index rows, Index inner, Index lanes) {
  const auto old = [](Index r, Index c, Index t) { return integer(c, r, t + 1); };
  Out products(rows, lanes);
  products.fill([&](Index r, Index c, Index t) { return sum_up<Kind>(integer, r, c, t, inner); });
  bool is_put = true, is_added = true;
  for (const bool left_by_columns : {false, true}) {
    for (const bool right_by_columns : {false, true}) {
      const Operand<Kind::left> left(rows, inner, left_by_columns, integer);
      const Operand<Kind::right> right(inner, lanes, right_by_columns, integer);
      Out out(rows, lanes);
      out.fill([](Index, Index, Index) { return not_a_number; });
      multiply(left.factor, right.factor, rows, inner, lanes, out.data(), out.stride());
      is_put = is_put && out.has([&](Index r, Index c, Index t) { return products(r, c, t); });
      out.fill(old);
      multiply(left.factor, right.factor, rows, inner, lanes, out.data(), out.stride(), true);
      is_added = is_added && out.has([&](Index r, Index c, Index t) {
        return products(r, c, t) + old(r, c, t);
      });
    }
  }
  CAPTURE(rows);
  CAPTURE(inner);
  CAPTURE(lanes);
  CHECK(is_put);
  CHECK(is_added);
}

/// (j, k) read through a factor, and through its transposed one.
template <bool has_lanes>
void check_factor(bool by_columns) {
  const Operand<has_lanes> operand(4, 3, by_columns, integer);
  for (Index j = 0; j < 4; ++j) {
    for (Index k = 0; k < 3; ++k) {
      for (Index t = 0; t < lane_width; ++t) {
        const double expected = integer(j, k, has_lanes ? t : 0);
        CHECK(operand.factor(j, k)[t] == expected);
        CHECK(operand.factor.transposed()(k, j)[t] == expected);
      }
    }
  }
}

/// Sizes that take every tile: of all rows up to 8 and more, and of all lanes up to 8 for one row.
template <class Check>
void for_each_size(Check&& check) {
  for (Index lanes = 0; lanes <= 19; ++lanes) check(Index{1}, lanes);
  for (Index rows = 0; rows <= 17; ++rows) {
    for (Index lanes = 0; lanes <= 9; ++lanes) check(rows, lanes);
  }
}

}  // namespace

TEST_CASE("parts cover a size once, as few as can be, and all about as large") {
  for (Index size = 0; size <= 40; ++size) {
    Index next = 0, parts = 0, smallest = 8, largest = 0;
    detail::for_each_part<8>(size, [&](Index begin, auto N) {
      CHECK(begin == next);
      next = begin + N;
      ++parts;
      smallest = std::min<Index>(smallest, N);
      largest = std::max<Index>(largest, N);
    });
    CHECK(next == size);
    CHECK(parts == (size + 7) / 8);
    if (size > 0) CHECK(largest - smallest <= 1);
  }
}

TEST_CASE("a factor is read at any strides, its numbers as lanes of the same one") {
  for (const bool by_columns : {false, true}) {
    check_factor<true>(by_columns);
    check_factor<false>(by_columns);
  }
}

// As layouts have them: prompts side by side, these with what all share, and the columns of one.
TEST_CASE_TEMPLATE("multiply is exact for every size of tile, at any strides, put or added", K,
                   Kind<true, true>, Kind<true, false>, Kind<false, true>) {
  for_each_size([](Index rows, Index lanes) {
    for (const Index inner : {0, 1, 7}) check_products<K>(rows, inner, lanes);
  });
  check_products<K>(9, 100, 5);
}

TEST_CASE_TEMPLATE("sums run in the order of k: the same bits alone and in company", K,
                   Kind<true, true>, Kind<true, false>, Kind<false, true>) {
  constexpr Index inner = 40;
  const Operand<K::left> left(17, inner, false, fraction);
  const Operand<K::right> right(inner, 19, true, fraction);
  Out sums(17, 19), more(17, 19);
  sums.fill([](Index r, Index c, Index t) { return sum_up<K>(fraction, r, c, t, inner); });
  more.fill([&](Index r, Index c, Index t) { return 0.1 + sums(r, c, t); });
  for_each_size([&](Index rows, Index lanes) {
    Out out(rows, lanes);
    out.fill([](Index, Index, Index) { return 0.0; });
    multiply(left.factor, right.factor, rows, inner, lanes, out.data(), out.stride());
    CHECK(out.has([&](Index r, Index c, Index t) { return sums(r, c, t); }));
    out.fill([](Index, Index, Index) { return 0.1; });
    multiply(left.factor, right.factor, rows, inner, lanes, out.data(), out.stride(), true);
    CHECK(out.has([&](Index r, Index c, Index t) { return more(r, c, t); }));
  });
}

TEST_CASE_TEMPLATE(
    "large factors are multiplied in parts, the same bits, and none where a stop is raised", K,
    Kind<true, false>, Kind<false, true>) {
  constexpr Index rows = 500, inner = 500, lanes = 37;
  const Operand<K::left> left(rows, inner, false, fraction);
  const Operand<K::right> right(inner, lanes, true, fraction);
  const auto old = [](Index, Index, Index) { return 0.1; };
  Out whole(rows, lanes), parts(rows, lanes);
  whole.fill(old);
  parts.fill(old);
  StopFlag flag;
  Stop stop(flag, true);
  multiply(left.factor, right.factor, rows, inner, lanes, whole.data(), whole.stride(), true);
  multiply(left.factor, right.factor, rows, inner, lanes, parts.data(), parts.stride(), true,
           &stop);
  CHECK(parts.has([&](Index r, Index c, Index t) { return whole(r, c, t); }));
  stop.raise();
  parts.fill(old);
  multiply(left.factor, right.factor, rows, inner, lanes, parts.data(), parts.stride(), true,
           &stop);
  CHECK(parts.has(old));
}
