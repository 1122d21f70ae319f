// PackedGram: S = Σ_i x_i x_iᵀ and b = Σ_i y_i x_i of several small tasks at once, one a lane element.
//
// Every operation acts on all tasks alike and element by element, so a task has the same bits whatever
// its lane-mates are. Sums run as in token_gram.hpp: chains of at most 64 rows, then a carry.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>

#include "loopcore/buffer.hpp"
#include "loopcore/lane.hpp"
#include "loopcore/pack.hpp"
#include "loopcore/range.hpp"
#include "loopcore/rows.hpp"
#include "loopcore/stop.hpp"
#include "loopcore/types.hpp"

namespace loopcore {

/// A size that is known when the kernels are compiled, or D = 0, any size. With it the compiler unrolls
/// every loop over the columns: at the paper's d = 4 that halves the time of a task.
template <Index D>
class Size {
 public:
  explicit Size(Index size) : size_(size) {}
  constexpr operator Index() const { return D > 0 ? D : size_; }

 private:
  Index size_;
};

/// (size, size) of lanes, row by row.
template <Index D>
struct LaneMatrix {
  Lane* data = nullptr;
  Size<D> size;

  Lane* operator[](Index row) const { return data + row * size; }
};

namespace detail {

// A register tile: so many rows by so many columns of sums, which with their factors fill the
// registers.
inline constexpr Index packed_tile = lane_width == 8 ? 4 : 3;

/// S_jk ← S_jk + Σ_i x_ij x_ik for R rows j and C columns k, from zero where it is the first.
template <Index R, Index C, Index D>
void add_packed_tile(const Lane* x, Index rows, Index j, Index k, bool first, LaneMatrix<D> S) {
  Lane sum[R][C];
  for (Index r = 0; r < R; ++r) {
    for (Index c = 0; c < C; ++c) sum[r][c] = first ? Lane::zero() : S[j + r][k + c];
  }
  const Lane* left = x + j;
  const Lane* right = x + k;
  for (Index i = 0; i < rows; ++i, left += S.size, right += S.size) {
    Lane x_k[C];
    for (Index c = 0; c < C; ++c) x_k[c] = right[c];
    for (Index r = 0; r < R; ++r) {
      const Lane x_j = left[r];
      for (Index c = 0; c < C; ++c) sum[r][c] = madd(x_j, x_k[c], sum[r][c]);
    }
  }
  for (Index r = 0; r < R; ++r) {
    for (Index c = 0; c < C; ++c) S[j + r][k + c] = sum[r][c];
  }
}

/// The tiles of R rows from j on, up to the diagonal.
template <Index R, Index D>
void add_packed_rows(const Lane* x, Index rows, Index j, bool first, LaneMatrix<D> S) {
  constexpr Index C = packed_tile;
  Index k = 0;
  for (; k + C <= j + R; k += C) add_packed_tile<R, C>(x, rows, j, k, first, S);
  switch (j + R - k) {
    case 3: add_packed_tile<R, 3>(x, rows, j, k, first, S); break;
    case 2: add_packed_tile<R, 2>(x, rows, j, k, first, S); break;
    case 1: add_packed_tile<R, 1>(x, rows, j, k, first, S); break;
    default: break;
  }
}

/// S ← S + Σ_i x_i x_iᵀ, from zero where it is the first, in the lower triangle and the tiles on the
/// diagonal; x is (rows, size) of lanes.
template <Index D>
void add_packed_gram(const Lane* x, Index rows, bool first, LaneMatrix<D> S) {
  constexpr Index R = packed_tile;
  Index j = 0;
  for (; j + R <= S.size; j += R) add_packed_rows<R>(x, rows, j, first, S);
  switch (S.size - j) {
    case 3: add_packed_rows<3>(x, rows, j, first, S); break;
    case 2: add_packed_rows<2>(x, rows, j, first, S); break;
    case 1: add_packed_rows<1>(x, rows, j, first, S); break;
    default: break;
  }
}

/// The upper triangle from the lower.
template <Index D>
void mirror(LaneMatrix<D> S) {
  for (Index j = 0; j < S.size; ++j) {
    for (Index k = 0; k < j; ++k) S[k][j] = S[j][k];
  }
}

/// b_j ← b_j + Σ_i y_i x_ij for C columns j, from zero where it is the first
template <Index C, Index D>
void add_packed_product_tile(const Lane* x, Size<D> d, const Lane* y, Index rows, bool first,
                             Lane* b) {
  Lane sum[C];
  for (Index c = 0; c < C; ++c) sum[c] = first ? Lane::zero() : b[c];
  for (Index i = 0; i < rows; ++i, x += d) {
    for (Index c = 0; c < C; ++c) sum[c] = madd(y[i], x[c], sum[c]);
  }
  for (Index c = 0; c < C; ++c) b[c] = sum[c];
}

/// b ← b + Σ_i y_i x_i over the rows of x, (rows, d) of lanes
template <Index D>
void add_packed_product(const Lane* x, Size<D> d, const Lane* y, Index rows, bool first, Lane* b) {
  Index j = 0;
  for (; j + 8 <= d; j += 8) add_packed_product_tile<8>(x + j, d, y, rows, first, b + j);
  for (; j + 4 <= d; j += 4) add_packed_product_tile<4>(x + j, d, y, rows, first, b + j);
  for (; j < d; ++j) add_packed_product_tile<1>(x + j, d, y, rows, first, b + j);
}

}  // namespace detail

template <Index D>
class PackedGram {
 public:
  /// For tasks of (n, d).
  PackedGram(Index n, Index d)
      : n_(n),
        d_(d),
        piece_(choose_piece(n, d)),
        x_(piece_ * d),
        y_(piece_),
        S_(d * d),
        b_(d),
        total_(n > panel_rows ? d * (d + 1) : 0),
        carry_(n > panel_rows ? d * (d + 1) : 0) {}

  /// S and b of `count` tasks, at most a lane of them, as scaled. False if stopped.
  bool form(const Task* tasks, const Scaling* scalings, Index count, Stop& stop) {
    const bool has_panels = n_ > panel_rows;
    if (has_panels) {
      total_.fill(Lane::zero());
      carry_.fill(Lane::zero());
    }
    if (n_ == 0) {
      S_.fill(Lane::zero());
      b_.fill(Lane::zero());
    }
    largest_y_ = Lane::zero();
    for (Index begin = 0; begin < n_; begin += panel_rows) {
      const Index end = std::min(begin + panel_rows, n_);
      for (Index i = begin; i < end; i += piece_) {
        const Index rows = std::min(piece_, end - i);
        read(tasks, scalings, count, i, rows);
        detail::add_packed_gram(x_.data(), rows, i == begin, S());
        detail::add_packed_product(x_.data(), d_, y_.data(), rows, i == begin, b_.data());
        for (Index k = 0; k < rows; ++k) largest_y_ = max(largest_y_, abs(y_[k]));
      }
      if (has_panels) close_panel();
      if (stop.after((end - begin) * d_ * (d_ + 1) / 2 * lane_width)) return false;
    }
    if (has_panels) add_carries();
    detail::mirror(S());
    return true;
  }

  LaneMatrix<D> S() { return {S_.data(), d_}; }  // (d, d)
  Lane* b() { return b_.data(); }                // (d,)
  Lane largest_y() const { return largest_y_; }  // max_i |y_i|; what a NaN makes of it is open

 private:
  // So many lanes of X, 25 KiB with eight doubles each, stay in the first-level cache beside S.
  static constexpr Index lanes_at_once = 400;

  /// Rows that are packed at once: a panel's in equal parts, of so many lanes at most.
  static Index choose_piece(Index n, Index d) {
    const Index rows = std::min(n, panel_rows);
    const Index parts = (rows * d + lanes_at_once - 1) / lanes_at_once;
    return parts <= 1 ? rows : (rows + parts - 1) / parts;
  }

  /// total ← total + panel, with the carry
  void close_panel() {
    for (Index j = 0, at = 0; j < d_; ++j) {
      for (Index k = 0; k <= j; ++k, ++at) add_with_carry(S()[j][k], total_[at], carry_[at]);
      add_with_carry(b_[j], total_[at], carry_[at]);
      ++at;
    }
  }

  void add_carries() {
    for (Index j = 0, at = 0; j < d_; ++j) {
      for (Index k = 0; k <= j; ++k, ++at) S()[j][k] = total_[at] + carry_[at];
      b_[j] = total_[at] + carry_[at];
      ++at;
    }
  }

  /// x_ and y_ ← the rows from `begin` of all tasks. Elements without a task repeat the first one.
  void read(const Task* tasks, const Scaling* scalings, Index count, Index begin, Index rows) {
    const double* sources[lane_width];
    for (Index t = 0; t < lane_width; ++t) {
      sources[t] = t < count ? read_rows(tasks[t].X, begin, rows, t) : sources[0];
    }
    pack(sources, rows * d_, x_.data());
    double targets[lane_width][panel_rows];
    for (Index t = 0; t < lane_width; ++t) {
      sources[t] = t < count ? read_targets(tasks[t].y, begin, rows, targets[t]) : sources[0];
    }
    pack(sources, rows, y_.data());
    scale(scalings, count, rows);
  }

  /// Rows of one X as doubles in a row: in place where they lie so.
  const double* read_rows(const MatrixView& X, Index begin, Index rows, Index t) {
    if (X.has_native_rows() && X.row_stride == d_ * static_cast<Index>(sizeof(double))) {
      return reinterpret_cast<const double*>(X.data + begin * X.row_stride);
    }
    if (copy_.size() == 0) copy_ = Buffer(lane_width * piece_ * d_);
    double* copy = copy_.data() + t * piece_ * d_;
    if (X.row_stride == d_ * X.column_stride) {  // one strided run
      X.load(X.data + begin * X.row_stride, X.column_stride, rows * d_, copy);
    } else {
      for (Index i = 0; i < rows; ++i) X.read_row(begin + i, d_, copy + i * d_);
    }
    return copy;
  }

  static const double* read_targets(const VectorView& y, Index begin, Index rows, double* copy) {
    if (y.is_native()) return reinterpret_cast<const double*>(y.data) + begin;
    y.read(begin, rows, copy);
    return copy;
  }

  void scale(const Scaling* scalings, Index count, Index rows) {
    if (std::all_of(scalings, scalings + count, [](const Scaling& s) { return s.is_identity(); }))
      return;
    Lane factor_x = Lane::broadcast(1);
    Lane factor_y = Lane::broadcast(1);
    for (Index t = 0; t < count; ++t) {
      factor_x.set(t, std::ldexp(1.0, scalings[t].x));
      factor_y.set(t, std::ldexp(1.0, scalings[t].y));
    }
    for (Index k = 0; k < rows * d_; ++k) x_[k] = x_[k] * factor_x;
    for (Index i = 0; i < rows; ++i) y_[i] = y_[i] * factor_y;
  }

  Index n_;
  Size<D> d_;
  Index piece_;        // rows that are packed at once
  Buffer copy_;        // (lane, piece, d), once rows are met that are not doubles in a row
  Array<Lane> x_;      // (piece, d)
  Array<Lane> y_;      // (piece,)
  Array<Lane> S_;      // (d, d)
  Array<Lane> b_;      // (d,)
  Array<Lane> total_;  // rows of the lower triangle of S, each with its entry of b, over all panels
  Array<Lane> carry_;  // likewise
  Lane largest_y_ = Lane::zero();
};

}  // namespace loopcore
