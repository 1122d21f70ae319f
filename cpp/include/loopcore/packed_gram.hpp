// PackedGram: S = Σ_i x_i x_iᵀ and b = Σ_i y_i x_i of several small tasks at once, one a lane element.
//
// Every operation acts on all tasks alike and element by element, so a task has the same bits whatever
// its lane-mates are. Sums run as in token_gram.hpp: chains of at most 64 rows, then a carry.
#pragma once

#include <algorithm>
#include <cmath>
#include <type_traits>

#include "loopcore/ahead.hpp"
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

/// (size, size) of lanes, row by row. A symmetric one holds its lower triangle, and is read from there:
/// both triangles of a few matrices at d = 20 do not fit the first-level cache.
template <Index D>
struct LaneMatrix {
  Lane* data = nullptr;
  Size<D> size;

  Lane* operator[](Index row) const { return data + row * size; }
};

namespace detail {

// A register tile: so many rows by so many columns of sums, which with their factors fill the
// registers. Tiles on the diagonal are held whole.
inline constexpr Index packed_tile = lane_width == 8 ? 4 : 3;

/// sum_rc ← sum_rc + Σ_i left(i, r) right(i, c),  begin ≤ i < end
template <Index R, Index C, class Left, class Right>
[[gnu::always_inline]] inline void add_outer_products(Index begin, Index end, Left&& left,
                                                      Right&& right, Lane (&sum)[R][C]) {
  for (Index i = begin; i < end; ++i) {
    Lane x_k[C];
    for (Index c = 0; c < C; ++c) x_k[c] = right(i, c);
    for (Index r = 0; r < R; ++r) {
      const Lane x_j = left(i, r);
      for (Index c = 0; c < C; ++c) sum[r][c] = madd(x_j, x_k[c], sum[r][c]);
    }
  }
}

/// make_tile(j, k, R, C) for the tiles of R rows from j on and C columns from k on, R and C constants, in
/// the lower triangle and on the diagonal.
template <class MakeTile>
void for_each_tile(Index size, MakeTile&& make_tile) {
  const auto tiles_of_rows = [&](Index j, auto R) {
    std::integral_constant<Index, packed_tile> C;
    Index k = 0;
    for (; k + C <= j + R; k += C) make_tile(j, k, R, C);
    if (k < j + R) make_tile(j, k, R, R);  // the last rows, fewer than a tile, at the diagonal
  };
  Index j = 0;
  for (; j + packed_tile <= size; j += packed_tile) {
    tiles_of_rows(j, std::integral_constant<Index, packed_tile>());
  }
  switch (size - j) {
    case 3: tiles_of_rows(j, std::integral_constant<Index, 3>()); break;
    case 2: tiles_of_rows(j, std::integral_constant<Index, 2>()); break;
    case 1: tiles_of_rows(j, std::integral_constant<Index, 1>()); break;
    default: break;
  }
}

/// S ← S + Σ_i x_i x_iᵀ, from zero where it is the first; x is (rows, size) of lanes.
template <Index D>
void add_packed_gram(const Lane* x, Index rows, bool first, LaneMatrix<D> S, Ahead& ahead) {
  for_each_tile(S.size, [&](Index j, Index k, auto R, auto C) {
    ahead.ask();
    Lane sum[R][C];
    for (Index r = 0; r < R; ++r) {
      for (Index c = 0; c < C; ++c) sum[r][c] = first ? Lane::zero() : S[j + r][k + c];
    }
    add_outer_products<R, C>(
        0, rows, [&](Index i, Index r) { return x[i * S.size + j + r]; },
        [&](Index i, Index c) { return x[i * S.size + k + c]; }, sum);
    for (Index r = 0; r < R; ++r) {
      for (Index c = 0; c < C; ++c) S[j + r][k + c] = sum[r][c];
    }
  });
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
  /// For tasks of (n, d). While they are summed up, and whenever `ahead` is told to, the tasks that follow
  /// are asked for. It must outlive this.
  PackedGram(Index n, Index d, Ahead& ahead)
      : ahead_(ahead),
        n_(n),
        d_(d),
        piece_(choose_piece(n, d)),
        x_(piece_ * d),
        y_(piece_),
        S_(d * d),
        b_(d),
        total_(n > panel_rows ? d * (d + 3) / 2 : 0),
        carry_(n > panel_rows ? d * (d + 3) / 2 : 0) {}

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
    ahead_.aim_behind(tasks, count);
    for (Index begin = 0; begin < n_; begin += panel_rows) {
      const Index end = std::min(begin + panel_rows, n_);
      for (Index i = begin; i < end; i += piece_) {
        const Index rows = std::min(piece_, end - i);
        read(tasks, scalings, count, i, rows);
        detail::add_packed_gram(x_.data(), rows, i == begin, S(), ahead_);
        ahead_.ask();
        detail::add_packed_product(x_.data(), d_, y_.data(), rows, i == begin, b_.data());
        for (Index k = 0; k < rows; ++k) largest_y_ = max(largest_y_, abs(y_[k]));
      }
      if (has_panels) close_panel();
      if (stop.after((end - begin) * d_ * (d_ + 1) / 2 * lane_width)) return false;
    }
    if (has_panels) add_carries();
    return true;
  }

  /// f(begin, rows, x, y) for all rows once more, a few at a time: x (rows, d) and y (rows,) of lanes. After
  /// form(), with its arguments.
  template <class F>
  void for_each_piece(const Task* tasks, const Scaling* scalings, Index count, F&& f) {
    for (Index begin = 0; begin < n_; begin += piece_) {
      const Index rows = std::min(piece_, n_ - begin);
      if (n_ > piece_) read(tasks, scalings, count, begin, rows);  // otherwise they are still there
      f(begin, rows, static_cast<const Lane*>(x_.data()), static_cast<const Lane*>(y_.data()));
    }
  }

  LaneMatrix<D> S() { return {S_.data(), d_}; }  // (d, d), its lower triangle
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
      for (Index k = 0; k <= j; ++k, ++at) {
        S()[j][k] = total_[at] + carry_[at];
        if (k / detail::packed_tile == j / detail::packed_tile) S()[k][j] = S()[j][k];
      }
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

  Ahead& ahead_;
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
