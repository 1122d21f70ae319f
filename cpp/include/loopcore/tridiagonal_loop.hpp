// TridiagonalLoop: the loop z ← z − η (T z + c) with a tridiagonal T, on vectors of lanes.
#pragma once

#include "loopcore/buffer.hpp"
#include "loopcore/lane.hpp"
#include "loopcore/steps.hpp"
#include "loopcore/stop.hpp"
#include "loopcore/types.hpp"

namespace loopcore {

/// T has one diagonal a lane element (Value = Lane) or the same for all (Value = double).
template <class Value>
class TridiagonalLoop {
 public:
  explicit TridiagonalLoop(Index d) : d_(d), rows_(d + 2 * depth) {}

  /// T with the diagonal a, (d,), and the off-diagonal o, (d − 1,);  c (d,).
  void open(const Value* a, const Value* o, const Lane* c) {
    for (Index k = 0; k < d_; ++k) {
      row(k) = {k > 0 ? o[k - 1] : Value{}, a[k], k + 1 < d_ ? o[k] : Value{}, c[k]};
    }
  }

  /// The loops begin … end − 1, calling meanwhile() every few of them.
  template <class Meanwhile>
  void run(Index begin, Index end, const Steps& steps, Lane* z, Stop& stop,
           Meanwhile&& meanwhile) const {
    for (Index t = begin; t < end; t += depth) {
      meanwhile();
      if (t + depth <= end) {
        run_together(t, steps, z);
      } else {
        for (Index rest = t; rest < end; ++rest) run_one(steps(rest), z);
      }
      if (stop.after(4 * d_ * depth * lane_width)) return;
    }
  }

 private:
  static constexpr Index depth = 4;  // loops that are run together

  /// Row k of T, and c_k. Rows outside of T are zero.
  struct Row {
    Value before, diagonal, after;
    Lane c;
  };

  Row& row(Index k) { return rows_[k + depth]; }
  const Row& row(Index k) const { return rows_[k + depth]; }

  /// One loop on its way through z.
  struct Sweep {
    Lane eta;
    // The entry it has left behind, and the one it is at, both as it found them.
    Lane before = Lane::zero();
    Lane here = Lane::zero();

    /// z_k − η (o_{k−1} z_{k−1} + a_k z_k + o_k z_{k+1} + c_k), given z_{k+1}
    Lane move(const Row& row, Lane after) {
      Lane g = madd(row.diagonal, here, row.c);
      g = madd(row.before, before, g);
      g = madd(row.after, after, g);
      const Lane moved = madd(-eta, g, here);
      before = here;
      here = after;
      return moved;
    }
  };

  void run_one(Lane eta, Lane* z) const {
    if (d_ == 0) return;
    Sweep sweep{eta};
    sweep.here = z[0];
    for (Index k = 0; k < d_; ++k) z[k] = sweep.move(row(k), k + 1 < d_ ? z[k + 1] : Lane::zero());
  }

  /// While the first loop is at z_k the second is at z_{k−1}, and so on: z is read and written once for
  /// all of them, and none waits for the end of the one before it.
  void run_together(Index begin, const Steps& steps, Lane* z) const {
    static_assert(depth == 4);
    if (d_ == 0) return;
    Sweep first{steps(begin)}, second{steps(begin + 1)};
    Sweep third{steps(begin + 2)}, fourth{steps(begin + 3)};
    first.here = z[0];
    for (Index k = 0; k < d_ + depth - 1; ++k) {
      Lane entry = k + 1 < d_ ? z[k + 1] : Lane::zero();
      entry = first.move(row(k), entry);
      entry = second.move(row(k - 1), entry);
      entry = third.move(row(k - 2), entry);
      entry = fourth.move(row(k - 3), entry);
      if (k >= depth - 1) z[k - (depth - 1)] = entry;
    }
  }

  Index d_;
  Array<Row> rows_;
};

}  // namespace loopcore
