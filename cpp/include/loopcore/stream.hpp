// Stream: attention and state update fused, one pass over X per loop. It needs no memory but q and g,
// and never squares the condition number: the path for few loops, and for the last digits.
#pragma once

#include <algorithm>

#include "loopcore/affine_loop.hpp"
#include "loopcore/lambda_max.hpp"
#include "loopcore/range.hpp"
#include "loopcore/rows.hpp"
#include "loopcore/steps.hpp"
#include "loopcore/stop.hpp"

namespace loopcore {

class Stream {
 public:
  /// For tasks of d columns.
  explicit Stream(Index d)
      : d_(d), reader_(d), q_(padded(d)), g_(padded(d)), sum_(d), lambda_max_(d) {}

  void open(const Task& task, const Scaling& scaling) {
    task_ = task;
    alpha_ = scaling.alpha(task.alpha);
    factor_y_ = std::ldexp(1.0, scaling.y);
    reader_.open(task.X, d_, scaling.x);
    q_.fill(0);
    if (task.q0.data != nullptr) task.q0.read(0, d_, q_.data());
  }

  const double* q() const { return q_.data(); }  // (d,)

  /// q ← q − η (Xᵀ X q + α Xᵀ y)
  void loop(double eta, Stop& stop) {
    pass(q_.data(), &task_.y, g_.data(), stop);
    descend(eta, g_.data(), d_, q_.data());
  }

  /// max_k |g_k| of the last loop
  double largest_gradient() const { return largest_magnitude(g_.data(), d_); }

  /// λ_max(XᵀX)
  double lambda_max(Stop& stop) {
    return lambda_max_([&](const double* v, double* w) { pass(v, nullptr, w, stop); }, stop);
  }

 private:
  /// r_i = ⟨x_i, q⟩ + α y_i,  g = Σ_i r_i x_i: each row is used twice while it is at hand. Without
  /// y, g = XᵀX q.
  void pass(const double* q, const VectorView* y, double* g, Stop& stop) {
    sum_.open();
    for (Index begin = 0; begin < task_.n; begin += panel_rows) {
      const Index end = std::min(begin + panel_rows, task_.n);
      double* panel = sum_.panel();
      reader_.for_each(begin, end, [&](auto R, Index i, const double* const* x) {
        double r[R];
        dot_rows<R>(x, d_, q, r);
        if (y != nullptr) {
          double targets[R];
          y->read(i, R, targets);
          for (Index k = 0; k < R; ++k) r[k] = madd(alpha_, factor_y_ * targets[k], r[k]);
        }
        add_rows<R>(x, d_, r, panel);
      });
      sum_.close_panel();
      if (stop.after(2 * (end - begin) * d_)) return;
    }
    sum_.finish(g);
  }

  Index d_;
  RowReader reader_;
  Buffer q_;      // (d,)
  Buffer g_;      // (d,)
  PanelSum sum_;  // (d,)
  LambdaMax lambda_max_;
  Task task_;
  double alpha_ = 0;
  double factor_y_ = 1;
};

}  // namespace loopcore
