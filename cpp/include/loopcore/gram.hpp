// Gram: one pass over X, then a loop costs d² whatever n is, or n² where n < d; and 4 d in the basis
// where S is tridiagonal. Tasks on one and the same X share the pass, S and the basis.
#pragma once

#include <algorithm>
#include <optional>

#include "loopcore/dual.hpp"
#include "loopcore/engine.hpp"
#include "loopcore/gram_loops.hpp"
#include "loopcore/plan.hpp"
#include "loopcore/token_gram.hpp"

namespace loopcore {

/// The loop on z = q with S = XᵀX and b = α Xᵀy, or in the dual form on z = w with S = X Xᵀ and b = c:
///     z ← z − η (S z + b)
class Gram final : public Engine {
 public:
  /// For tasks of (n, d) that a team works on together, on the path gram, power or tridiagonal;
  /// `finds_step` where lambda_max() will be asked.
  Gram(Index n, Index d, Path path, bool dual, bool finds_step, const Team& team)
      : d_(d),
        size_(dual ? n : d),
        team_(team),
        path_(path),
        tokens_(dual ? d : n, size_, team.threads()),
        loops_(size_, path, finds_step, team),
        q0_rows_(lane_width * d),
        q0_(d),
        out_(d) {
    if (dual) dual_.emplace(n, d);
  }

  /// Tasks that have their X in common; with power each by itself, for A belongs to one η.
  Index take(std::span<const Task> tasks) const override {
    const auto most =
        std::min(static_cast<Index>(tasks.size()), path_ == Path::power ? 1 : lane_width);
    Index count = 1;
    while (count < most && tasks[static_cast<std::size_t>(count)].X == tasks[0].X) ++count;
    return count;
  }

  void open(std::span<const Task> tasks, const Scaling* scalings, Stop& stop) override {
    count_ = static_cast<Index>(tasks.size());
    const bool knows_X = X_ && *X_ == tasks[0].X && scalings[0].x == scale_x_;
    X_.reset();
    if (!sum_up(tasks, scalings, knows_X, stop)) return;
    if (!knows_X) look_at_S();
    const Lane alpha = read_alpha(tasks, scalings);
    const bool has_q0 = read_q0(tasks, d_, q0_rows_.data(), q0_.data());
    if (dual_) {
      dual_->start(tasks, scalings, alpha, q0_.data(), loops_.b());
      std::fill_n(loops_.z(), size_, Lane::zero());
    } else {
      for (Index k = 0; k < d_; ++k) loops_.b()[k] = alpha * tokens_.b()[k];
      std::copy_n(q0_.data(), d_, loops_.z());
    }
    loops_.open(count_, has_q0 && !dual_);
    X_ = tasks[0].X;
    scale_x_ = scalings[0].x;
  }

  Lane::Comparison in_range() const override {
    const auto X_is = in_safe_range(Lane::broadcast(largest_));
    return dual_ ? X_is : X_is & in_safe_range(yy_);
  }

  Lane lambda_max(Stop& stop) override {
    const double lambda = loops_.lambda_max(stop);
    forget_X_if(stop);
    return Lane::broadcast(lambda);
  }

  void prepare(Stop& stop) override {
    loops_.prepare(stop);
    forget_X_if(stop);
  }

  void advance(Index begin, Index end, const Steps& steps, Stop& stop) override {
    loops_.advance(begin, end, steps, stop);
    forget_X_if(stop);
  }

  const Lane* q() override {
    if (!loops_.has_moved()) return q0_.data();
    const Lane* z = loops_.read();
    if (!dual_) return z;
    std::copy_n(q0_.data(), d_, out_.data());
    dual_->read_out(z, count_, out_.data());
    return out_.data();
  }

  const Lane* state() override { return dual_ || !loops_.has_basis() ? q() : loops_.state(); }

  void to_basis(Lane* v) override {
    if (loops_.has_basis() && !dual_) loops_.to_basis(v);
  }

 private:
  bool sum_up(std::span<const Task> tasks, const Scaling* scalings, bool knows_X, Stop& stop) {
    if (dual_) {
      return knows_X || tokens_.form(tasks[0].X.transposed(), scalings[0].x, nullptr, nullptr, 0,
                                     false, team_, stop);
    }
    VectorView y[lane_width];
    int scale_y[lane_width];
    for (std::size_t t = 0; t < tasks.size(); ++t) {
      y[t] = tasks[t].y;
      scale_y[t] = scalings[t].y;
    }
    if (!tokens_.form(tasks[0].X, scalings[0].x, y, scale_y, count_, knows_X, team_, stop)) {
      return false;
    }
    for (Index t = 0; t < count_; ++t) yy_.set(t, tokens_.yy(t));
    return true;
  }

  /// What depends on X alone, as far as it is cheap.
  void look_at_S() {
    largest_ = 0;  // no other entry is larger than the diagonal
    for (Index k = 0; k < size_; ++k) largest_ = largest_magnitude(&tokens_.S()(k, k), 1, largest_);
    loops_.take(tokens_.S());
  }

  /// Stopped half-way, the basis leaves S neither itself nor reduced.
  void forget_X_if(const Stop& stop) {
    if (stop.raised()) X_.reset();
  }

  Index d_;
  Index size_;  // of S
  const Team& team_;
  Path path_;
  TokenGram tokens_;
  std::optional<Dual> dual_;
  GramLoops loops_;
  Index count_ = 0;              // of the tasks that are open
  std::optional<MatrixView> X_;  // whose S is known
  int scale_x_ = 0;              // and as scaled
  double largest_ = 0;           // entry of S
  Lane yy_ = Lane::zero();       // Σ y², primal only
  Buffer q0_rows_;               // (lane, d)
  Array<Lane> q0_;               // (d,)
  Array<Lane> out_;              // (d,)
};

}  // namespace loopcore
