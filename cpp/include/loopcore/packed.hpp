// Packed: small tasks in lanes, one an element, from the sums over their contexts to the last loop.
#pragma once

#include <algorithm>

#include "loopcore/engine.hpp"
#include "loopcore/packed_gram.hpp"
#include "loopcore/packed_loops.hpp"
#include "loopcore/plan.hpp"

namespace loopcore {

/// D is the size of the tasks, or 0 for any.
template <Index D>
class Packed final : public Engine {
 public:
  /// For tasks of (n, d) on the path gram, power or tridiagonal; `finds_step` where lambda_max() will be
  /// asked.
  Packed(Index n, Index d, Path path, bool finds_step)
      : d_(d), gram_(n, d, ahead_), loops_(d, path, finds_step, ahead_), q0_(lane_width * d) {}

  Index take(std::span<const Task> tasks) const override {
    return std::min(static_cast<Index>(tasks.size()), lane_width);
  }

  void open(std::span<const Task> tasks, const Scaling* scalings, Stop& stop) override {
    const auto count = static_cast<Index>(tasks.size());
    if (!gram_.form(tasks.data(), scalings, count, stop)) return;
    trace_ = Lane::zero();  // of XᵀX, as large as any entry; keeps the NaN of an overflow
    for (Index k = 0; k < d_; ++k) trace_ = trace_ + gram_.S()[k][k];
    const Lane alpha = read_alpha(tasks, scalings);
    for (Index k = 0; k < d_; ++k) gram_.b()[k] = alpha * gram_.b()[k];
    const bool has_start = read_q0(tasks, d_, q0_.data(), loops_.start());
    loops_.open(gram_.S(), gram_.b(), has_start);
  }

  Lane::Comparison in_range() const override {
    const Lane y = gram_.largest_y();
    return in_safe_range(trace_) & in_safe_range(y * y);
  }

  Lane lambda_max(Stop&) override { return loops_.lambda_max(); }

  void advance(Index begin, Index end, const Steps& steps, Stop& stop) override {
    loops_.advance(begin, end, steps, stop);
  }

  const Lane* q() override { return loops_.q(); }
  const Lane* state() override { return loops_.state(); }
  void to_basis(Lane* v) override { loops_.to_basis(v); }

 private:
  Size<D> d_;
  Ahead ahead_;
  PackedGram<D> gram_;
  PackedLoops<D> loops_;
  Buffer q0_;  // (lane, d)
  Lane trace_ = Lane::zero();
};

}  // namespace loopcore
