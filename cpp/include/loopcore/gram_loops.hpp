// GramLoops: the loops of up to a lane of vectors on one larger S, from S and the vectors b on.
#pragma once

#include <algorithm>
#include <optional>

#include "loopcore/block_product.hpp"
#include "loopcore/buffer.hpp"
#include "loopcore/householder.hpp"
#include "loopcore/lambda_max.hpp"
#include "loopcore/lane.hpp"
#include "loopcore/lane_blocks.hpp"
#include "loopcore/pack.hpp"
#include "loopcore/plan.hpp"
#include "loopcore/power.hpp"
#include "loopcore/steps.hpp"
#include "loopcore/stop.hpp"
#include "loopcore/tridiagonal_loop.hpp"

namespace loopcore {

/// z ← z − η (S z + b), in place or in the basis where S is tridiagonal.
class GramLoops {
 public:
  /// For an S of (size, size), on the path gram, power or tridiagonal; `finds_step` where lambda_max() will
  /// be asked. With power one vector at a time, for A belongs to one η.
  GramLoops(Index size, Path path, bool finds_step, const Team& team)
      : size_(size), b_(size), z_(size), g_(size), one_z_(padded(size)), one_g_(padded(size)) {
    if (path == Path::power) power_.emplace(size_, team);
    if (path == Path::tridiagonal) {
      basis_.emplace(size_);
      loop_.emplace(size_);
    }
    if (finds_step && !finds_step_in_basis()) lambda_max_.emplace(size_);
  }

  Lane* b() { return b_.data(); }  // (size,), to be set before open()
  Lane* z() { return z_.data(); }  // (size,), likewise, and the state from then on

  /// Loops on S from now on, which has changed. The basis overwrites it.
  void take(const LaneBlocks& S) {
    S_ = S;
    lambda_.reset();
    is_reduced_ = false;
  }

  /// The loops of `count` vectors, before their first; `has_start` where z may not be zero.
  void open(Index count, bool has_start) {
    count_ = count;
    has_start_ = has_start;
    moved_ = false;
  }

  /// λ_max(S); call it before the first loop.
  double lambda_max(Stop& stop) {
    if (!lambda_ && finds_step_in_basis()) {
      prepare(stop);
      if (stop.raised()) return 0;
      lambda_ = basis_->largest_eigenvalue();
    }
    if (!lambda_) {
      const auto multiply_S = [&](const double* v, double* w) {
        multiply(S_, size_, v, w);
        stop.after(size_ * size_);
      };
      const double found = (*lambda_max_)(multiply_S, stop);
      if (stop.raised()) return 0;
      lambda_ = found;
    }
    return *lambda_;
  }

  /// Makes the basis, if there is to be one. Stopped half-way it leaves S neither itself nor reduced.
  void prepare(Stop& stop) {
    if (!basis_ || is_reduced_) return;
    basis_->reduce(S_, stop);
    is_reduced_ = true;
  }

  /// The loops begin … end − 1.
  void advance(Index begin, Index end, const Steps& steps, Stop& stop) {
    if (begin == end) return;
    prepare(stop);
    if (basis_ && !moved_) {
      if (has_start_) to_basis(z_.data());
      to_basis(b_.data());
      loop_->open(basis_->diagonal(), basis_->off_diagonal(), b_.data());
    }
    moved_ = true;
    if (power_) {
      power_->run(S_, b_.data(), steps(begin), end - begin, z_.data(), stop);
      return;
    }
    if (basis_) {
      loop_->run(begin, end, steps, z_.data(), stop, [] {});
    } else {
      for (Index t = begin; t < end && !stop.raised(); ++t) loop_in_place(steps(t), stop);
    }
  }

  bool has_moved() const { return moved_; }
  bool has_basis() const { return basis_.has_value(); }

  /// z in the basis of S itself, (size,)
  const Lane* read() {
    if (!basis_ || !moved_) return z_.data();
    std::copy_n(z_.data(), size_, g_.data());
    turn(g_.data(), [this](auto* v) { basis_->from_basis(v); });
    return g_.data();
  }

  /// z in the basis of the loops, (size,)
  const Lane* state() {
    if (!basis_ || moved_) return z_.data();
    std::copy_n(z_.data(), size_, g_.data());
    to_basis(g_.data());
    return g_.data();
  }

  /// v ← Qᵀ v, (size,)
  void to_basis(Lane* v) {
    turn(v, [this](auto* vectors) { basis_->to_basis(vectors); });
  }

 private:
  /// Applies `map` to all vectors at once; to one alone, an eighth of the work.
  template <class Map>
  void turn(Lane* v, Map&& map) {
    if (count_ > 1) return map(v);
    unpack(v, 0, size_, one_z_.data());
    std::fill(one_z_.data() + size_, one_z_.data() + one_z_.size(), 0.0);
    map(one_z_.data());
    for (Index k = 0; k < size_; ++k) v[k] = Lane::broadcast(one_z_[k]);
  }

  /// The rounding of the basis grows with its size, to 9 u in λ_max at 150, and what Lanczos costs beside it
  /// falls, to a twentieth at 256.
  bool finds_step_in_basis() const { return basis_ && size_ <= 256; }

  void loop_in_place(Lane eta, Stop& stop) {
    if (count_ == 1) {
      unpack(z_.data(), 0, size_, one_z_.data());
      multiply(S_, size_, one_z_.data(), one_g_.data());
      for (Index k = 0; k < size_; ++k) g_[k] = Lane::broadcast(one_g_[k]);
    } else {
      multiply(S_, size_, z_.data(), g_.data());
    }
    for (Index k = 0; k < size_; ++k) z_[k] = madd(-eta, g_[k] + b_[k], z_[k]);
    stop.after(size_ * size_ * (count_ == 1 ? 1 : lane_width));
  }

  Index size_;
  LaneBlocks S_;
  std::optional<Power<SharedMap>> power_;
  std::optional<Householder> basis_;
  std::optional<TridiagonalLoop<double>> loop_;
  std::optional<LambdaMax> lambda_max_;
  std::optional<double> lambda_;
  Index count_ = 0;          // of the vectors
  bool is_reduced_ = false;  // S to tridiagonal form
  bool has_start_ = false;   // whether z does not start at zero
  bool moved_ = false;       // whether a loop has run
  Array<Lane> b_;            // (size,)
  Array<Lane> z_;            // (size,) the state
  Array<Lane> g_;            // (size,)
  Buffer one_z_;             // (size,) z and g of a vector alone
  Buffer one_g_;
};

}  // namespace loopcore
