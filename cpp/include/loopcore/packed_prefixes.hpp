// PackedPrefixes: consecutive prefixes of one small task side by side, one a lane element: full lanes from a
// single task.
#pragma once

#include <algorithm>

#include "loopcore/ahead.hpp"
#include "loopcore/buffer.hpp"
#include "loopcore/pack.hpp"
#include "loopcore/packed_gram.hpp"
#include "loopcore/packed_loops.hpp"
#include "loopcore/prefix_engine.hpp"

namespace loopcore {

/// D is the size of the tasks, or 0 for any.
template <Index D>
class PackedPrefixes final : public PrefixEngine {
 public:
  /// For tasks of size d on the path gram, power or tridiagonal; `finds_step` where lambda_max() will be
  /// asked.
  PackedPrefixes(Index d, Path path, bool finds_step)
      : d_(d),
        rows_(d, lane_width),
        loops_(d, path, finds_step, ahead_),
        x_(d),
        S_(d * d),
        b_(d),
        q0_(d) {}

  Index width() const override { return lane_width; }
  Index size_of_sums() const override { return padded(d_ * (d_ + 3) / 2 + 1); }

  void open(const Task& task, const Scaling& scaling) override {
    rows_.open(task, scaling);
    alpha_ = Lane::broadcast(scaling.alpha(task.alpha));
    if (task.q0.data != nullptr) task.q0.read(0, d_, q0_.data());
  }

  /// The lane of S_jk = Σ_i x_ij x_ik over the rows of each prefix: in the element r it ends with the row
  /// first − 1 + r. Its sums are kept row by row of the lower triangle, each with its entry of b.
  void form(Index first, const double* base, double* sums) override {
    const double* sources[lane_width];
    rows_.read(first - 1, sources);
    pack(sources, d_, x_.data());
    const Lane y = Lane::load(rows_.y());
    const LaneMatrix<D> S{S_.data(), d_};
    Index at = 0;
    const auto add = [&](Lane term) {
      const Lane sum = Lane::broadcast(sums[at]) + prefix_sums(term);
      sums[at] = sum[lane_width - 1];
      return Lane::broadcast(base[at++]) + sum;
    };
    for (Index j = 0; j < d_; ++j) {
      for (Index k = 0; k <= j; ++k) S[j][k] = add(x_[j] * x_[k]);
      for (Index k = j / detail::packed_tile * detail::packed_tile; k < j; ++k) S[k][j] = S[j][k];
      b_[j] = alpha_ * add(y * x_[j]);
    }
    yy_ = add(y * y);
    trace_ = Lane::zero();
    for (Index k = 0; k < d_; ++k) trace_ = trace_ + S[k][k];
  }

  Lane trace() const override { return trace_; }
  Lane yy() const override { return yy_; }

  void start(Stop&) override {
    const bool has_start = rows_.task().q0.data != nullptr;
    for (Index k = 0; k < d_; ++k) {
      loops_.start()[k] = has_start ? Lane::broadcast(q0_[k]) : Lane::zero();
    }
    loops_.open({S_.data(), d_}, b_.data(), has_start);
  }

  Lane lambda_max(Stop&) override { return loops_.lambda_max(); }

  const Lane* run(const Steps& steps, Index T, Stop& stop) override {
    loops_.advance(0, T, steps, stop);
    return loops_.q();
  }

 private:
  Size<D> d_;
  Ahead ahead_;  // aims at nothing: the next rows are few, and follow each other
  PrefixRows rows_;
  PackedLoops<D> loops_;
  Lane alpha_ = Lane::zero();
  Lane trace_ = Lane::zero();
  Lane yy_ = Lane::zero();
  Array<Lane> x_;  // (d,) a row an element
  Array<Lane> S_;  // (d, d)
  Array<Lane> b_;  // (d,)
  Buffer q0_;      // (d,)
};

}  // namespace loopcore
