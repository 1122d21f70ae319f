// Power: T loops in log T products. With a constant step the loop is one affine map,
//     z ← A z + c,   A = I − η S,  c = −η b,
// and two loops are another, A² z + (A c + c): squaring k times leaves T / 2ᵏ loops.
#pragma once

#include <algorithm>
#include <utility>

#include "loopcore/batch.hpp"
#include "loopcore/buffer.hpp"
#include "loopcore/lane.hpp"
#include "loopcore/packed_gram.hpp"
#include "loopcore/packed_loop.hpp"
#include "loopcore/plan.hpp"
#include "loopcore/rows.hpp"
#include "loopcore/stop.hpp"
#include "loopcore/token_gram.hpp"
#include "loopcore/types.hpp"

namespace loopcore {

/// The affine map of several small tasks, one a lane element.
template <Index D>
class PackedMap {
 public:
  PackedMap(Index d, Ahead& ahead)
      : ahead_(ahead), d_(d), A_(d * d), squared_(d * d), c_(d), out_(d) {}

  Index size() const { return d_; }

  /// z ← z − η (S z + b);  S (d, d), b (d,)
  void open(LaneMatrix<D> S, const Lane* b, Lane eta) {
    const LaneMatrix<D> A = this->A();
    detail::for_each_tile(d_, [&](Index j, Index k, auto R, auto C) {
      for (Index r = 0; r < R; ++r) {
        for (Index c = 0; c < C; ++c) A[j + r][k + c] = -(eta * S[j + r][k + c]);
      }
    });
    for (Index j = 0; j < d_; ++j) {
      A[j][j] = madd(-eta, S[j][j], Lane::broadcast(1));
      c_[j] = -(eta * b[j]);
    }
  }

  /// z ← A z + c
  void apply(Lane* z) {
    ahead_.ask();
    if constexpr (D >
                  0) {  // in registers: this is a chain of loops, and each waits for the last one
      Lane out[D];
      affine(A(), z, c_.data(), out);
      for (Index k = 0; k < D; ++k) z[k] = out[k];
    } else {
      affine(A(), z, c_.data(), out_.data());
      for (Index k = 0; k < d_; ++k) z[k] = out_[k];
    }
  }

  /// c ← A c + c,  A ← A²
  void square(Stop& stop) {
    affine(A(), c_.data(), c_.data(), out_.data());
    std::swap(c_, out_);
    square_matrix();
    stop.after(d_ * d_ * (d_ + 1) / 2 * lane_width);
  }

  /// Of a square it is no smaller than any entry; and it keeps a NaN.
  Lane trace() {
    Lane trace = Lane::zero();
    for (Index k = 0; k < d_; ++k) trace = trace + A()[k][k];
    return trace;
  }

  /// A = 0 and c = z for some of the tasks: whatever is run from now on, z comes out.
  void settle(Lane::Comparison which, const Lane* z) {
    for (Index j = 0; j < d_; ++j) {
      c_[j] = select(which, z[j], c_[j]);
      for (Index k = 0; k < d_; ++k) A()[j][k] = select(which, Lane::zero(), A()[j][k]);
    }
  }

 private:
  LaneMatrix<D> A() { return {A_.data(), d_}; }

  /// (A²)_jk = Σ_i A_ij A_ik, each entry from the lower triangle or a tile on the diagonal
  void square_matrix() {
    const LaneMatrix<D> A = this->A();
    const LaneMatrix<D> squared{squared_.data(), d_};
    detail::for_each_tile(d_, [&](Index j, Index k, auto R, auto C) {
      ahead_.ask();
      Lane sum[R][C];
      for (auto& row : sum) {
        for (Lane& entry : row) entry = Lane::zero();
      }
      const auto row_j = [&](Index i, Index r) { return A[j + r][i]; };
      const auto row_k = [&](Index i, Index c) { return A[k + c][i]; };
      const auto column_j = [&](Index i, Index r) { return A[i][j + r]; };
      const auto column_k = [&](Index i, Index c) { return A[i][k + c]; };
      detail::add_outer_products<R, C>(0, k, row_j, row_k, sum);
      detail::add_outer_products<R, C>(k, j, row_j, column_k, sum);
      detail::add_outer_products<R, C>(j, d_, column_j, column_k, sum);
      for (Index r = 0; r < R; ++r) {
        for (Index c = 0; c < C; ++c) squared[j + r][k + c] = sum[r][c];
      }
    });
    std::swap(A_, squared_);
  }

  Ahead& ahead_;
  Size<D> d_;
  Array<Lane> A_;        // (d, d)
  Array<Lane> squared_;  // (d, d)
  Array<Lane> c_;        // (d,)
  Array<Lane> out_;      // (d,)
};

/// The affine map of one larger task: the matrix has doubles, the vectors are lanes of which one element
/// counts.
class SharedMap {
 public:
  SharedMap(Index size, const Team& team)
      : size_(size),
        team_(team),
        rows_(size * padded(size)),
        gram_(size, size, team.threads()),
        c_(size),
        out_(size) {}

  Index size() const { return size_; }

  void open(const LaneBlocks& S, const Lane* b, Lane eta) {
    for (Index j = 0; j < size_; ++j) {
      for (Index k = 0; k < size_; ++k) row(j)[k] = -(eta[0] * S(j, k));
      row(j)[j] = madd(-eta[0], S(j, j), 1.0);
      c_[j] = -(eta * b[j]);
    }
  }

  /// z ← A z + c
  void apply(Lane* z) {
    multiply_add(z, out_.data());
    std::copy_n(out_.data(), size_, z);
  }

  /// c ← A c + c,  A ← A²
  void square(Stop& stop) {
    multiply_add(c_.data(), out_.data());
    std::swap(c_, out_);
    const MatrixView A{reinterpret_cast<const std::byte*>(rows_.data()),
                       padded(size_) * static_cast<Index>(sizeof(double)), sizeof(double),
                       &load<double>};
    if (!gram_.form(A, 0, nullptr, nullptr, 0, false, team_, stop)) return;
    const LaneBlocks squared = gram_.S();
    for (Index j = 0; j < size_; ++j) {
      for (Index k = 0; k < size_; ++k) row(j)[k] = squared(j, k);
    }
  }

  Lane trace() {
    double trace = 0;
    for (Index k = 0; k < size_; ++k) trace += row(k)[k];
    return Lane::broadcast(trace);
  }

  void settle(Lane::Comparison, const Lane* z) {
    rows_.fill(0);
    std::copy_n(z, size_, c_.data());
  }

 private:
  double* row(Index j) { return rows_.data() + j * padded(size_); }

  /// out = A z + c
  void multiply_add(const Lane* z, Lane* out) {
    for (Index k = 0; k < size_; ++k) z_[k] = z[k][0];
    for (Index j = 0; j < size_; ++j) {
      const double* a = row(j);
      double product;
      dot_rows<1>(&a, size_, z_.data(), &product);
      out[j] = c_[j] + Lane::broadcast(product);
    }
  }

  Index size_;
  const Team& team_;
  Buffer rows_;  // (size, size) A, by rows, padded
  TokenGram gram_;
  Array<Lane> c_;            // (size,)
  Array<Lane> out_;          // (size,)
  Buffer z_{padded(size_)};  // (size,)
};

/// T loops by squaring a map: PackedMap or SharedMap.
template <class Map>
class Power {
 public:
  template <class... Arguments>
  explicit Power(Arguments&&... arguments)
      : map_(std::forward<Arguments>(arguments)...),
        start_(map_.size()),
        trial_(map_.size()),
        last_(map_.size()) {}

  /// z ← T loops from z, each z ← z − η (S z + b)
  template <class Matrix>
  void run(const Matrix& S, const Lane* b, Lane eta, Index T, Lane* z, Stop& stop) {
    std::copy_n(z, map_.size(), start_.data());
    map_.open(S, b, eta);
    const Index squarings = count_squarings(map_.size(), T);
    bool settled = false;
    for (Index k = 0; k < squarings && !settled && !stop.raised(); ++k) {
      if ((T >> k & 1) != 0) map_.apply(z);
      map_.square(stop);
      settled = settle(z, T >> (k + 1));
    }
    for (Index t = 0; t < T >> squarings && !settled; ++t) {
      map_.apply(z);
      if (stop.after(map_.size() * map_.size() * lane_width)) return;
    }
    run_again_where_not_finite(S, b, eta, T, z, stop);
  }

 private:
  /// Once A is below 2⁻¹¹⁰ in some task, only a few more of its loops change anything: they are run at once,
  /// and what came out stays. True where nothing is left to run. (Squared on and on a contraction would
  /// leave the range of double at its lower end, where arithmetic is a hundred times slower.)
  bool settle(Lane* z, Index loops) {
    const auto settled = map_.trace() < Lane::broadcast(0x1p-110);
    if (!any(settled)) return false;
    std::copy_n(z, map_.size(), trial_.data());
    bool moves = true;  // 20 times 2⁻¹¹⁰ spans all numbers
    for (Index t = 0; t < std::min<Index>(loops, 20) && moves; ++t) {
      std::copy_n(trial_.data(), map_.size(), last_.data());
      map_.apply(trial_.data());
      moves = differ(trial_.data(), last_.data(), settled);
    }
    for (Index k = 0; k < map_.size(); ++k) z[k] = select(settled, trial_[k], z[k]);
    map_.settle(settled, z);
    return !any(~settled);
  }

  bool differ(const Lane* a, const Lane* b, Lane::Comparison where) const {
    Lane difference = Lane::zero();
    for (Index k = 0; k < map_.size(); ++k) difference = max(difference, abs(a[k] - b[k]));
    return any((Lane::zero() < difference) & where);
  }

  /// A² may overflow where the loops themselves do not, or not yet: such a task is run loop by loop.
  template <class Matrix>
  void run_again_where_not_finite(const Matrix& S, const Lane* b, Lane eta, Index T, Lane* z,
                                  Stop& stop) {
    const auto lost = not_finite(z);
    if (!any(lost)) return;
    map_.open(S, b, eta);
    for (Index t = 0; t < T; ++t) {
      map_.apply(start_.data());
      // It stays so, and after one more loop no entry is finite.
      if (t % 64 == 0 && !any(lost & ~not_finite(start_.data()))) T = std::min(T, t + 2);
      if (stop.after(map_.size() * map_.size() * lane_width)) return;
    }
    for (Index k = 0; k < map_.size(); ++k) z[k] = select(lost, start_[k], z[k]);
  }

  Lane::Comparison not_finite(const Lane* z) const {
    Lane sum = Lane::zero();
    for (Index k = 0; k < map_.size(); ++k) sum = sum + (z[k] - z[k]);  // 0, or NaN
    return ~(sum <= Lane::zero());
  }

  Map map_;
  Array<Lane> start_;  // (size,) z before the first loop
  Array<Lane> trial_;  // (size,)
  Array<Lane> last_;   // (size,)
};

}  // namespace loopcore
