// Dual: a prompt with n < d seen from its n rows. Every update of q is Xᵀ times something, so
//     q = q(0) + Xᵀ w,   w ← w − η (X Xᵀ w + c),   c = X q(0) + α y
#pragma once

#include <algorithm>
#include <cmath>
#include <span>

#include "loopcore/buffer.hpp"
#include "loopcore/lane.hpp"
#include "loopcore/pack.hpp"
#include "loopcore/range.hpp"
#include "loopcore/rows.hpp"
#include "loopcore/types.hpp"

namespace loopcore {

class Dual {
 public:
  Dual(Index n, Index d) : n_(n), d_(d), row_(padded(d)), product_(n), sum_(d), reader_(d) {}

  /// c of tasks on one X as scaled, (n,), from q(0), (d,)
  void start(std::span<const Task> tasks, const Scaling* scalings, Lane alpha, const Lane* q0,
             Lane* c) {
    reader_.open(tasks[0].X, d_, scalings[0].x);
    std::fill_n(c, n_, Lane::zero());
    for (std::size_t t = 0; t < tasks.size(); ++t) {
      const auto element = static_cast<Index>(t);
      read_row(q0, element);
      const double factor_y = std::ldexp(1.0, scalings[t].y);
      reader_.for_each(0, n_, [&](auto R, Index i, const double* const* x) {
        double r[R];
        double y[R];
        dot_rows<R>(x, d_, row_.data(), r);
        tasks[t].y.read(i, R, y);
        for (Index k = 0; k < R; ++k) {
          c[i + k].set(element, madd(alpha[element], factor_y * y[k], r[k]));
        }
      });
    }
  }

  /// q ← q + Xᵀ w for the first `count` tasks;  w (n,), q (d,)
  void read_out(const Lane* w, Index count, Lane* q) {
    for (Index t = 0; t < count; ++t) {
      read_row(q, t);
      unpack(w, t, n_, product_.data());
      sum_.open(row_.data());
      for (Index begin = 0; begin < n_; begin += panel_rows) {
        double* panel = sum_.panel();
        reader_.for_each(begin, std::min(begin + panel_rows, n_),
                         [&](auto R, Index i, const double* const* x) {
                           add_rows<R>(x, d_, &product_[i], panel, reader_.from_row(i));
                         });
        sum_.close_panel();
      }
      sum_.finish(row_.data());
      for (Index k = 0; k < d_; ++k) q[k].set(t, row_[k]);
    }
  }

 private:
  /// The vector of one task, with zeros up to whole lanes: an earlier task may have left a NaN there.
  void read_row(const Lane* q, Index t) {
    unpack(q, t, d_, row_.data());
    std::fill(row_.data() + d_, row_.data() + row_.size(), 0.0);
  }

  Index n_;
  Index d_;
  Buffer row_;      // (d,)
  Buffer product_;  // (n,)
  PanelSum sum_;    // (d,)
  RowReader reader_;
};

}  // namespace loopcore
