// Rows: products with X a few rows at a time, where the rows lie: r = X q and g = Xᵀ r, together or
// alone. Rows that are doubles in place are used in place; all others are converted four at a time.
#pragma once

#include <algorithm>
#include <cmath>
#include <type_traits>

#include "loopcore/ahead.hpp"
#include "loopcore/buffer.hpp"
#include "loopcore/lane.hpp"
#include "loopcore/types.hpp"

namespace loopcore {

inline constexpr Index rows_at_once = 4;  // enough to use each loaded q and g four times

/// Terms that are summed in one chain before the sum joins a total with its carry. A chain of 64 equal
/// terms is off by at most 21 u, which R counts half.
inline constexpr Index panel_rows = 64;
inline constexpr Index panel_columns = panel_rows * lane_width;

/// r_i = Σ_k x_ik q_k for R rows over one panel of columns. q is padded with zeros to whole lanes, the
/// rows need not be.
template <Index R>
void dot_panel(const double* const* x, Index begin, Index end, const double* q, double* r) {
  Lane sum[R][2];
  for (auto& pair : sum) pair[0] = pair[1] = Lane::zero();
  Index k = begin;
  for (; k + 2 * lane_width <= end; k += 2 * lane_width) {
    for (Index half = 0; half < 2; ++half) {
      const Index j = k + half * lane_width;
      const Lane q_j = Lane::load(q + j);
      for (Index i = 0; i < R; ++i) sum[i][half] = madd(Lane::load(x[i] + j), q_j, sum[i][half]);
    }
  }
  for (Index half = 0; k < end; k += lane_width, ++half) {
    const Lane q_k = Lane::load(q + k);
    for (Index i = 0; i < R; ++i) {
      sum[i][half] = madd(Lane::load_first(x[i] + k, end - k), q_k, sum[i][half]);
    }
  }
  for (Index i = 0; i < R; ++i) r[i] = (sum[i][0] + sum[i][1]).sum();
}

/// r_i = ⟨x_i, q⟩ for R rows
template <Index R>
void dot_rows(const double* const* x, Index d, const double* q, double* r) {
  dot_panel<R>(x, 0, std::min(d, panel_columns), q, r);
  if (d <= panel_columns) return;
  double carry[R] = {};
  for (Index begin = panel_columns; begin < d; begin += panel_columns) {
    double sum[R];
    dot_panel<R>(x, begin, std::min(begin + panel_columns, d), q, sum);
    for (Index i = 0; i < R; ++i) add_with_carry(sum[i], r[i], carry[i]);
  }
  for (Index i = 0; i < R; ++i) r[i] += carry[i];
}

/// g += Σ_i r_i x_i for R rows, one after the other. g is padded to whole lanes. The rows are at hand now,
/// and memory has time for those that follow `source`, where they came from (1,000 times (20000, 256) on
/// two threads: 20 to 29 GB/s).
template <Index R>
void add_rows(const double* const* x, Index d, const double* r, double* g,
              const MatrixView& source) {
  constexpr Index bytes_ahead = 12 << 10;
  const Index stride = source.column_stride;
  const bool in_order = stride > 0 && stride <= 8;
  const Index entries_a_line = in_order ? 64 / stride : 1;
  Lane weight[R];
  for (Index i = 0; i < R; ++i) weight[i] = Lane::broadcast(r[i]);
  const std::byte* following = source.data + bytes_ahead;
  Index k = 0;
  for (; k + lane_width <= d; k += lane_width, following += lane_width * stride) {
    if (in_order && k % entries_a_line == 0) {
      for (Index i = 0; i < R; ++i) prefetch(following + i * source.row_stride);
    }
    Lane sum = Lane::load(g + k);
    for (Index i = 0; i < R; ++i) sum = madd(weight[i], Lane::load(x[i] + k), sum);
    sum.store(g + k);
  }
  if (k < d) {
    Lane sum = Lane::load(g + k);
    for (Index i = 0; i < R; ++i) sum = madd(weight[i], Lane::load_first(x[i] + k, d - k), sum);
    sum.store(g + k);
  }
}

/// A sum over panels of rows, (d,): add to panel(), then close it, as often as needed.
class PanelSum {
 public:
  explicit PanelSum(Index d) : panel_(padded(d)), total_(padded(d)), carry_(padded(d)) {}

  /// Starts at `start`, (d,), or at zero.
  void open(const double* start = nullptr) {
    carry_.fill(0);
    if (start == nullptr) {
      total_.fill(0);
    } else {
      std::copy_n(start, total_.size(), total_.data());
    }
  }

  double* panel() {
    panel_.fill(0);
    return panel_.data();
  }

  void close_panel() {
    for (Index k = 0; k + lane_width <= total_.size(); k += lane_width) {
      Lane total = Lane::load(&total_[k]);
      Lane carry = Lane::load(&carry_[k]);
      add_with_carry(Lane::load(&panel_[k]), total, carry);
      total.store(&total_[k]);
      carry.store(&carry_[k]);
    }
  }

  /// The sum into `result`, padded with zeros to whole lanes.
  void finish(double* result) {
    for (Index k = 0; k + lane_width <= total_.size(); k += lane_width) {
      (Lane::load(&total_[k]) + Lane::load(&carry_[k])).store(result + k);
    }
  }

 private:
  Buffer panel_;
  Buffer total_;
  Buffer carry_;
};

/// Reads the rows of a matrix of any storage, times a power of two.
class RowReader {
 public:
  /// For rows of at most `width` entries.
  explicit RowReader(Index width) : copy_(rows_at_once * padded(width)) {}

  /// Reads 2^scale X from now on, whose rows have d entries.
  void open(const MatrixView& X, Index d, int scale) {
    X_ = X;
    d_ = d;
    factor_ = std::ldexp(1.0, scale);
    in_place_ = scale == 0 && X.has_native_rows();
  }

  /// The matrix from row i on, as it is stored.
  MatrixView from_row(Index i) const {
    MatrixView rest = X_;
    rest.data += i * X_.row_stride;
    return rest;
  }

  /// f(R, i, x) for the rows from `begin` to `end`, R at a time: x[k] points at row i + k of 2^scale X.
  /// R is a compile-time constant, rows_at_once and in the end 1; no sum may depend on it.
  template <class F>
  void for_each(Index begin, Index end, F&& f) {
    const double* x[rows_at_once];
    Index i = begin;
    for (; i + rows_at_once <= end; i += rows_at_once) {
      rows(i, rows_at_once, x);
      f(std::integral_constant<Index, rows_at_once>{}, i, x);
    }
    for (; i < end; ++i) {
      rows(i, 1, x);
      f(std::integral_constant<Index, 1>{}, i, x);
    }
  }

 private:
  void rows(Index begin, Index count, const double** x) {
    for (Index i = 0; i < count; ++i) {
      if (in_place_) {
        x[i] = reinterpret_cast<const double*>(X_.data + (begin + i) * X_.row_stride);
        continue;
      }
      double* row = copy_.data() + i * padded(d_);
      X_.read_row(begin + i, d_, row);
      if (factor_ != 1) {
        for (Index k = 0; k < d_; ++k) row[k] *= factor_;
      }
      x[i] = row;
    }
  }

  Buffer copy_;  // (rows_at_once, width)
  MatrixView X_;
  Index d_ = 0;
  double factor_ = 1;
  bool in_place_ = false;
};

}  // namespace loopcore
