// GramPrefixes: the prefixes of one larger task, one after the other by rank-one updates of S.
#pragma once

#include <algorithm>

#include "loopcore/buffer.hpp"
#include "loopcore/gram_loops.hpp"
#include "loopcore/lane_blocks.hpp"
#include "loopcore/prefix_engine.hpp"

namespace loopcore {

class GramPrefixes final : public PrefixEngine {
 public:
  /// For tasks of size d on the path gram, power or tridiagonal; `finds_step` where lambda_max() will be
  /// asked.
  GramPrefixes(Index d, Path path, bool finds_step)
      : d_(d),
        rows_(d, 1),
        loops_(d, path, finds_step, alone_),
        S_(LaneBlocks::size(d, d)),
        q0_(d) {}

  Index width() const override { return 1; }
  Index size_of_sums() const override { return (d_ + 1) * padded(d_) + lane_width; }

  void open(const Task& task, const Scaling& scaling) override {
    rows_.open(task, scaling);
    alpha_ = scaling.alpha(task.alpha);
    if (task.q0.data != nullptr) task.q0.read(0, d_, q0_.data());
  }

  /// S ← S + x xᵀ,  b ← b + y x. The sums are those of S as it is stored, then b, then Σ y².
  void form(Index first, const double* base, double* sums) override {
    const double* x;
    rows_.read(first - 1, &x, true);
    const double y = rows_.y()[0];
    for (Index l = 0, at = 0; l < padded(d_); l += lane_width) {
      const Lane x_l = Lane::load(x + l);
      for (Index j = 0; j < d_; ++j, at += lane_width) {
        add(Lane::broadcast(x[j]), x_l, base + at, sums + at).store(&S_[at]);
      }
    }
    const Index end_of_S = S_.size();
    for (Index l = 0; l < padded(d_); l += lane_width) {
      const Index at = end_of_S + l;
      const Lane b = Lane::broadcast(alpha_) *
                     add(Lane::broadcast(y), Lane::load(x + l), base + at, sums + at);
      for (Index k = l; k < std::min(l + lane_width, d_); ++k) {
        loops_.b()[k] = Lane::broadcast(b[k - l]);
      }
    }
    const Index last = end_of_S + padded(d_);
    yy_ = add(Lane::broadcast(y), Lane::broadcast(y), base + last, sums + last);
    trace_ = 0;
    for (Index k = 0; k < d_; ++k) trace_ += S()(k, k);
  }

  Lane trace() const override { return Lane::broadcast(trace_); }
  Lane yy() const override { return yy_; }

  void start(Stop& stop) override {
    const bool has_start = rows_.task().q0.data != nullptr;
    for (Index k = 0; k < d_; ++k) loops_.z()[k] = Lane::broadcast(has_start ? q0_[k] : 0.0);
    loops_.take(S());
    loops_.open(1, has_start);
    loops_.prepare(stop);
  }

  Lane lambda_max(Stop& stop) override { return Lane::broadcast(loops_.lambda_max(stop)); }

  const Lane* run(const Steps& steps, Index T, Stop& stop) override {
    loops_.advance(0, T, steps, stop);
    return loops_.read();
  }

 private:
  LaneBlocks S() { return {S_.data(), d_}; }

  /// sums ← sums + a b, and base + sums
  static Lane add(Lane a, Lane b, const double* base, double* sums) {
    const Lane sum = madd(a, b, Lane::load(sums));
    sum.store(sums);
    return Lane::load(base) + sum;
  }

  Index d_;
  Team alone_{1};  // prefixes are shared out, not the work on one of them
  PrefixRows rows_;
  GramLoops loops_;
  double alpha_ = 0;
  double trace_ = 0;
  Lane yy_ = Lane::zero();
  Buffer S_;   // (d, d), in blocks
  Buffer q0_;  // (d,)
};

}  // namespace loopcore
