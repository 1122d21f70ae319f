// Packed: small tasks in lanes, one an element, from the sums over their contexts to the last loop.
#pragma once

#include <algorithm>
#include <optional>

#include "loopcore/engine.hpp"
#include "loopcore/packed_gram.hpp"
#include "loopcore/packed_loop.hpp"
#include "loopcore/plan.hpp"
#include "loopcore/power.hpp"
#include "loopcore/tridiagonal.hpp"
#include "loopcore/tridiagonal_loop.hpp"

namespace loopcore {

/// D is the size of the tasks, or 0 for any.
template <Index D>
class Packed final : public Engine {
 public:
  /// For tasks of (n, d) on the path gram, power or tridiagonal; `finds_step` where lambda_max() will be
  /// asked.
  Packed(Index n, Index d, Path path, bool finds_step)
      : d_(d),
        gram_(n, d, ahead_),
        q0_(lane_width * d),
        z_(d),
        g_(d),
        copy_(finds_step && path != Path::tridiagonal ? d * d : 0) {
    if (path == Path::power) power_.emplace(d, ahead_);
    if (path == Path::tridiagonal || finds_step) basis_.emplace(d);
    if (path == Path::tridiagonal) loop_.emplace(d);
  }

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
    has_start_ = read_q0(tasks, d_, q0_.data(), z_.data());
    moved_ = false;
    if (!basis_) return;
    if (loop_) {
      basis_->reduce(gram_.S());
      basis_->to_basis(gram_.b());
    } else {
      const LaneMatrix<D> copy{copy_.data(), d_};
      for (Index j = 0; j < d_; ++j) std::copy_n(gram_.S()[j], j + 1, copy[j]);
      basis_->reduce(copy);
    }
  }

  Lane::Comparison in_range() const override {
    const Lane y = gram_.largest_y();
    return in_safe_range(trace_) & in_safe_range(y * y);
  }

  Lane lambda_max(Stop&) override { return basis_->largest_eigenvalue(); }

  void advance(Index begin, Index end, const Steps& steps, Stop& stop) override {
    if (begin == end) return;
    if (loop_ && !moved_) {
      if (has_start_) basis_->to_basis(z_.data());
      loop_->open(basis_->diagonal(), basis_->off_diagonal(), gram_.b());
    }
    moved_ = true;
    if (power_) {
      power_->run(gram_.S(), gram_.b(), steps(begin), end - begin, z_.data(), stop);
    } else if (loop_) {
      loop_->run(begin, end, steps, z_.data(), stop, [this] { ahead_.ask(); });
    } else {
      advance_in_place(begin, end, steps, stop);
    }
  }

  const Lane* q() override {
    if (!loop_ || !moved_) return z_.data();
    std::copy_n(z_.data(), d_, g_.data());
    basis_->from_basis(g_.data());
    return g_.data();
  }

  const Lane* state() override {
    if (!loop_ || moved_) return z_.data();
    std::copy_n(z_.data(), d_, g_.data());
    basis_->to_basis(g_.data());
    return g_.data();
  }

  void to_basis(Lane* v) override {
    if (loop_) basis_->to_basis(v);
  }

 private:
  void advance_in_place(Index begin, Index end, const Steps& steps, Stop& stop) {
    for (Index t = begin; t < end; ++t) {
      ahead_.ask();
      affine(gram_.S(), z_.data(), gram_.b(), g_.data());
      descend(steps(t), g_.data(), d_, z_.data());
      if (stop.after(d_ * d_ * lane_width)) return;
    }
  }

  Size<D> d_;
  Ahead ahead_;
  PackedGram<D> gram_;
  std::optional<Power<PackedMap<D>>> power_;
  std::optional<PackedTridiagonal<D>> basis_;
  std::optional<TridiagonalLoop<Lane>> loop_;
  bool has_start_ = false;  // whether z does not start at zero
  bool moved_ = false;      // whether a loop has run: until then z is q(0) itself
  Buffer q0_;               // (lane, d)
  Array<Lane> z_;           // (d,) the state
  Array<Lane> g_;           // (d,)
  Array<Lane> copy_;        // (d, d) S, where the basis is wanted for λ_max alone
  Lane trace_ = Lane::zero();
};

}  // namespace loopcore
