// Gram: one pass over X, then d² per loop whatever n is, or n² where n < d.
#pragma once

#include <algorithm>

#include "loopcore/affine_loop.hpp"
#include "loopcore/lambda_max.hpp"
#include "loopcore/range.hpp"
#include "loopcore/rows.hpp"
#include "loopcore/steps.hpp"
#include "loopcore/stop.hpp"
#include "loopcore/token_gram.hpp"

namespace loopcore {

/// The primal form is the loop on the query token z = (q, α) with S = Σ (x_i, y_i)(x_i, y_i)ᵀ:
///     z ← z − η P S z
/// The dual form is for n < d: every update of q is Xᵀ times something, so q = q(0) + Xᵀ w, and
///     w ← w − η (X Xᵀ w + c),   c = X q(0) + α y
/// is the same loop on z = (w, 1) with S = [[X Xᵀ, c], [cᵀ, ·]].
class Gram {
 public:
  /// For tasks of (n, d), in the dual form or the primal.
  Gram(Index n, Index d, bool dual)
      : n_(n),
        d_(d),
        is_dual_(dual),
        size_(dual ? n : d),
        tokens_(size_ + 1),
        z_(padded(size_ + 1)),
        g_(padded(size_ + 1)),
        q_(is_dual() ? padded(d) : 0),
        sum_(is_dual() ? d : 0),
        reader_(is_dual() ? d : 0),
        lambda_max_(size_) {}

  bool is_dual() const { return is_dual_; }

  /// Sums up the context, and sets z(0). Stopped half-way it leaves nothing usable.
  void form(const Task& task, const Scaling& scaling, Stop& stop) {
    const bool formed = is_dual()
                            ? tokens_.form(task.X.transposed(), nullptr, d_, n_, scaling.x, 0, stop)
                            : tokens_.form(task.X, &task.y, n_, d_, scaling.x, scaling.y, stop);
    if (!formed) return;
    z_.fill(0);
    if (is_dual()) {
      start_dual(task, scaling);
    } else {
      start_primal(task, scaling);
    }
    // P: the last slot, α or 1, does not move.
    for (Index k = 0; k <= size_; ++k) tokens_.S()(k, size_) = 0;
  }

  /// Whether the products that made S stayed inside the range of double.
  bool in_range() const { return in_range_; }

  /// z ← z − η P S z
  void loop(double eta, Stop& stop) {
    multiply(tokens_.S(), size_ + 1, size_ + 1, z_.data(), g_.data());
    descend(eta, g_.data(), size_ + 1, z_.data());
    stop.after((size_ + 1) * (size_ + 1));
  }

  /// q, (d,)
  const double* q() {
    if (!is_dual()) return z_.data();
    read_q0();
    sum_.open(q_.data());
    for (Index begin = 0; begin < n_; begin += panel_rows) {
      double* panel = sum_.panel();
      reader_.for_each(
          begin, std::min(begin + panel_rows, n_),
          [&](auto R, Index i, const double* const* x) { add_rows<R>(x, d_, &z_[i], panel); });
      sum_.close_panel();
    }
    sum_.finish(q_.data());
    return q_.data();
  }

  /// λ_max of XᵀX and X Xᵀ alike
  double lambda_max(Stop& stop) {
    return lambda_max_(
        [&](const double* v, double* w) { multiply(tokens_.S(), size_, size_, v, w); }, stop);
  }

 private:
  void start_primal(const Task& task, const Scaling& scaling) {
    const LaneBlocks S = tokens_.S();
    in_range_ = in_safe_range(largest_diagonal()) && in_safe_range(S(d_, d_));
    if (task.q0.data != nullptr) task.q0.read(0, d_, z_.data());
    z_[d_] = scaling.alpha(task.alpha);
  }

  void start_dual(const Task& task, const Scaling& scaling) {
    const LaneBlocks S = tokens_.S();
    in_range_ = in_safe_range(largest_diagonal());
    task_ = task;
    reader_.open(task.X, d_, scaling.x);
    read_q0();
    const double alpha = scaling.alpha(task.alpha);
    const double factor_y = std::ldexp(1.0, scaling.y);
    reader_.for_each(0, n_, [&](auto R, Index i, const double* const* x) {
      double r[R];
      double y[R];
      dot_rows<R>(x, d_, q_.data(), r);
      task.y.read(i, R, y);
      for (Index k = 0; k < R; ++k) S(n_, i + k) = madd(alpha, factor_y * y[k], r[k]);
    });
    z_[n_] = 1;
  }

  /// Of XᵀX or X Xᵀ; no other entry is larger.
  double largest_diagonal() {
    double largest = 0;
    for (Index k = 0; k < size_; ++k) largest = largest_magnitude(&tokens_.S()(k, k), 1, largest);
    return largest;
  }

  void read_q0() {
    q_.fill(0);
    if (task_.q0.data != nullptr) task_.q0.read(0, d_, q_.data());
  }

  Index n_;
  Index d_;
  bool is_dual_;
  Index size_;        // of the square matrix in S
  TokenGram tokens_;  // S, (size + 1, size + 1)
  Buffer z_;          // (size + 1,)
  Buffer g_;          // (size + 1,)
  Buffer q_;          // (d,), dual only
  PanelSum sum_;      // (d,), dual only
  RowReader reader_;  // dual only
  LambdaMax lambda_max_;
  Task task_;  // dual only: X and q(0) are needed again to read q out
  bool in_range_ = true;
};

}  // namespace loopcore
