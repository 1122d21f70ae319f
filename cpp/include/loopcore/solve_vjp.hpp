// The Vjp of a problem: beside make_engine() in solve.hpp.
#pragma once

#include <memory>

#include "loopcore/batch.hpp"
#include "loopcore/checkpoints.hpp"
#include "loopcore/gram_vjp.hpp"
#include "loopcore/packed_vjp.hpp"
#include "loopcore/plan.hpp"
#include "loopcore/solve.hpp"
#include "loopcore/vjp.hpp"

namespace loopcore {

/// Its parts a team may share, where the tasks are not packed. Both must outlive it.
inline std::unique_ptr<Vjp> make_vjp(const Problem& p, const Team& team) {
  const Index segment = choose_segment(p.T, p.d);
  if (is_packed(p.n, p.d)) {
    if (p.d == 4) return std::make_unique<PackedVjp<4>>(p, segment);
    return std::make_unique<PackedVjp<0>>(p, segment);
  }
  return std::make_unique<GramVjp>(p, segment, team);
}

/// Multiply-adds to take one task backwards, at the speed of its Gram matrix.
inline double estimate_vjp_cost(const Problem& p) {
  const double d = static_cast<double>(p.d);
  return d * d * (2 * static_cast<double>(p.n) + 4 * static_cast<double>(p.T));
}

}  // namespace loopcore
