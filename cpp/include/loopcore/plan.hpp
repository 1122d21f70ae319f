// Plan: which path computes a task. The only cost model, and a function of (n, d, T, step kind) alone,
// never of the batch, the threads, the strides or a clock: the same task always takes the same path.
#pragma once

#include <algorithm>

#include "loopcore/steps.hpp"
#include "loopcore/types.hpp"

namespace loopcore {

enum class Path { automatic, stream, gram };

/// Whether Gram sums up X Xᵀ rather than XᵀX. Only for a constant step: under steps that vary as
/// Chebyshev's do, the rounding of w in q = q(0) + Xᵀ w reached R = 72 at κ = 10¹², where XᵀX stays
/// below 1.
inline bool uses_dual(Index n, Index d, StepKind kind) {
  return n < d && kind != StepKind::schedule && kind != StepKind::chebyshev;
}

/// Multiply-adds of a task on each path, with what each is worth in time.
struct Cost {
  double stream;
  double gram;
};

inline Cost estimate_cost(Index n, Index d, Index T, StepKind kind) {
  const double rows = static_cast<double>(n);
  const double columns = static_cast<double>(d);
  const double loops = static_cast<double>(T);
  const bool dual = uses_dual(n, d, kind);
  const double size = (dual ? rows : columns) + 1;
  // Lanczos takes 4, 14 and 38 products for d = 4, 20 and 128 to reach 1e-14.
  const double lanczos = kind == StepKind::lambda_max ? std::min(size, 40.0) : 0.0;
  // A pass over X runs at the speed of memory where X does not fit the second-level cache (2 MiB).
  const double pass_weight = rows * columns > 0x1p18 ? 4 : 1.5;
  const double pass = pass_weight * 2 * rows * columns;
  const double read_out = dual ? 4 * rows * columns : 0;
  return {
      .stream = (loops + lanczos) * pass,
      .gram = rows * columns * size / 2 + read_out + (loops + lanczos) * size * size,
  };
}

inline Path choose_path(Path wanted, Index n, Index d, Index T, StepKind kind) {
  if (wanted != Path::automatic) return wanted;
  const Cost cost = estimate_cost(n, d, T, kind);
  return cost.stream < cost.gram ? Path::stream : Path::gram;
}

}  // namespace loopcore
