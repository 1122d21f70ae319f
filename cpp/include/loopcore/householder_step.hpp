// HouseholderStep: the step 1/λ_max of one larger S, and the eigenvector through which it depends on S.
#pragma once

#include <algorithm>

#include "loopcore/buffer.hpp"
#include "loopcore/eigenvector.hpp"
#include "loopcore/householder.hpp"
#include "loopcore/lane_blocks.hpp"
#include "loopcore/stop.hpp"
#include "loopcore/types.hpp"

namespace loopcore {

class HouseholderStep {
 public:
  /// For S of (d, d).
  explicit HouseholderStep(Index d)
      : d_(d),
        copy_(LaneBlocks::size(padded(d), d)),
        basis_(d),
        eigenvector_(d),
        a_(d),
        o_(d),
        z_(d),
        u_(padded(d)) {}

  /// 1/λ_max, or 0 where S = 0; nothing usable if stopped.
  double find(const LaneBlocks& S, Stop& stop) {
    if (d_ == 0) return 0;
    std::copy_n(S.data, copy_.size(), copy_.data());
    basis_.reduce({copy_.data(), S.rows}, stop);
    if (stop.raised()) return 0;
    const double largest = basis_.largest_eigenvalue();
    for (Index k = 0; k < d_; ++k) a_[k] = Lane::broadcast(basis_.diagonal()[k]);
    for (Index k = 0; k + 1 < d_; ++k) o_[k] = Lane::broadcast(basis_.off_diagonal()[k]);
    eigenvector_.find(a_.data(), o_.data(), Lane::broadcast(largest), z_.data());
    u_.fill(0);
    for (Index k = 0; k < d_; ++k) u_[k] = z_[k][0];
    basis_.from_basis(u_.data());
    return largest <= 0 ? 0 : 1 / largest;
  }

  const double* u() const { return u_.data(); }  // (d,), of norm 1

 private:
  Index d_;
  Buffer copy_;  // (d, d)
  Householder basis_;
  Eigenvector eigenvector_;
  Array<Lane> a_;  // (d,)
  Array<Lane> o_;  // (d − 1,)
  Array<Lane> z_;  // (d,)
  Buffer u_;       // (d,)
};

}  // namespace loopcore
