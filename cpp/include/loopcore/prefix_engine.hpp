// PrefixEngine: what runs the loops of consecutive prefixes of one task: prefix k is its first k rows.
//
// Prefixes come in panels of 64: those from number p·64 on, whose last rows are p·64 − 1 and following (the
// first panel begins with the empty prefix). The sums S and b of a prefix are
//     base, over all rows before the panel, added up panel by panel with a carry,
//   + the rows of the panel up to the prefix, one chain,
// so that 10⁶ rows do not drift, and panels can be computed in any order.
#pragma once

#include <algorithm>

#include "loopcore/buffer.hpp"
#include "loopcore/lane.hpp"
#include "loopcore/range.hpp"
#include "loopcore/rows.hpp"
#include "loopcore/steps.hpp"
#include "loopcore/stop.hpp"
#include "loopcore/types.hpp"

namespace loopcore {

class PrefixEngine : public Aligned {
 public:
  PrefixEngine() = default;
  PrefixEngine(const PrefixEngine&) = delete;
  PrefixEngine& operator=(const PrefixEngine&) = delete;
  virtual ~PrefixEngine() = default;

  /// How many prefixes run together, in the first elements of a lane.
  virtual Index width() const = 0;

  /// How many numbers the sums over some rows are, a whole number of lanes.
  virtual Index size_of_sums() const = 0;

  /// Prefixes of this task from now on, as scaled.
  virtual void open(const Task& task, const Scaling& scaling) = 0;

  /// S and b of the prefixes from `first` on, as many as run together, those past the last row like the last:
  /// from the base, (size_of_sums,), and the sums over the rows of the panel that came before, (size_of_sums,),
  /// which their rows are added to.
  virtual void form(Index first, const double* base, double* sums) = 0;

  /// tr S and Σ y² of the prefixes, as scaled.
  virtual Lane trace() const = 0;
  virtual Lane yy() const = 0;

  /// Sets q(0) and makes the basis of the loops, if there is to be one.
  virtual void start(Stop& stop) = 0;

  /// λ_max(S) of the prefixes as scaled. Call it after start().
  virtual Lane lambda_max(Stop& stop) = 0;

  /// T loops  q ← q − η_t (S q + b);  q (d,)
  virtual const Lane* run(const Steps& steps, Index T, Stop& stop) = 0;
};

/// The rows of a task as scaled, of which row −1, and those past the last one, are zero.
class PrefixRows {
 public:
  /// For rows of d entries, `count` at a time.
  PrefixRows(Index d, Index count)
      : d_(d), zero_(padded(d)), copy_(count * padded(d)), y_(count), count_(count) {}

  void open(const Task& task, const Scaling& scaling) {
    task_ = task;
    factor_x_ = std::ldexp(1.0, scaling.x);
    factor_y_ = std::ldexp(1.0, scaling.y);
    in_place_ = scaling.x == 0 && task.X.has_native_rows();
  }

  const Task& task() const { return task_; }

  /// x[r] ← row first + r, (d,), and padded with zeros to whole lanes where `copied`; y()[r] likewise.
  void read(Index first, const double** x, bool copied = false) {
    for (Index r = 0; r < count_; ++r) {
      const Index i = first + r;
      const bool exists = i >= 0 && i < task_.n;
      y_[r] = 0;
      if (exists) task_.y.read(i, 1, &y_[r]);
      y_[r] *= factor_y_;
      x[r] = exists ? row(i, r, copied) : zero_.data();
    }
  }
  const double* y() const { return y_.data(); }

 private:
  const double* row(Index i, Index r, bool copied) {
    if (in_place_ && !copied) {
      return reinterpret_cast<const double*>(task_.X.data + i * task_.X.row_stride);
    }
    double* copy = copy_.data() + r * padded(d_);
    task_.X.read_row(i, d_, copy);
    if (factor_x_ != 1) {
      for (Index k = 0; k < d_; ++k) copy[k] *= factor_x_;
    }
    return copy;
  }

  Index d_;
  Task task_;
  double factor_x_ = 1;
  double factor_y_ = 1;
  bool in_place_ = false;
  Buffer zero_;  // (d,)
  Buffer copy_;  // (count, d)
  Buffer y_;     // (count,)
  Index count_;
};

}  // namespace loopcore
