// Plan: which path computes a task. The only cost model, and a function of (n, d, T, step kind) and of
// what is read out, never of the batch, the threads, the strides or a clock: the same task always takes the same path.
#pragma once

#include <algorithm>

#include "loopcore/steps.hpp"
#include "loopcore/types.hpp"

namespace loopcore {

enum class Path {
  automatic,
  stream,      // one pass over X a loop
  gram,        // one pass in all, then d² a loop
  power,       // one pass, then log T squarings of the affine map: constant steps only
  tridiagonal  // one pass and ⅔ d³ for a basis, then 4 d a loop
};

inline bool is_constant(StepKind kind) {
  return kind != StepKind::schedule && kind != StepKind::chebyshev;
}

/// Whether a task is so small that it runs in one element of a lane, beside others.
inline bool is_packed(Index n, Index d) { return d <= 32 && n <= 4096; }

/// Whether the sums are those of X Xᵀ rather than XᵀX. Only for a constant step: under steps that vary
/// as Chebyshev's do, the rounding of w in q = q(0) + Xᵀ w reached R = 72 at κ = 10¹², where XᵀX stays
/// below 1.
inline bool uses_dual(Index n, Index d, StepKind kind) {
  return n < d && is_constant(kind) && !is_packed(n, d);
}

/// The number of squarings for which T loops of size d cost least, at ½ d² (d + 4) multiply-adds a
/// squaring and d² a loop.
inline Index count_squarings(Index d, Index T) {
  const double squaring = (static_cast<double>(d) + 4) / 2;
  Index best = 0;
  double least = static_cast<double>(T);
  for (Index k = 1; (T >> k) > 0; ++k) {
    const double cost = static_cast<double>(k) * squaring + static_cast<double>(T >> k);
    if (cost < least) {
      least = cost;
      best = k;
    }
  }
  return best;
}

/// What a task costs on each path, in multiply-adds at the speed of its Gram matrix.
struct Cost {
  double stream = 0;
  double gram = 0;
  double power = 0;
  double tridiagonal = 0;

  double of(Path path) const {
    switch (path) {
      case Path::stream: return stream;
      case Path::power: return power;
      case Path::tridiagonal: return tridiagonal;
      default: return gram;
    }
  }
};

/// How many times slower than in the Gram matrix a multiply-add is elsewhere: measured with AVX-512;
/// benchmarks/fit_plan.py measures them, and shows what a wrong one costs.
struct Weights {
  double pass;        // stream: 2 n d a loop
  double loop;        // gram: d² a loop
  double squaring;    // power: ½ d² (d + 4) a squaring
  double reduction;   // tridiagonal: ⅔ d³ for the basis
  double column;      //   what each column costs besides: a root and two divisions
  double transform;   //   d² to go there and back
  double short_loop;  //   4 d a loop
};

inline Weights weights(bool packed, Index n, Index d, Index size) {
  if (packed) return {3, 0.9, 0.5, 0.9, 60, 4, 0.6};
  // In memory, where X or S do not fit the second-level cache, loops run at the speed of reading them.
  const bool X_is_large = n * d > Index{1} << 17;
  const bool S_is_large = size > 400;
  return {X_is_large ? 8.0 : 2.0, S_is_large ? 12.0 : 2.2, 2.0, S_is_large ? 9.0 : 2.2, 100, 8, 6};
}

/// `packed` or not, and with S of XᵀX or of X Xᵀ.
inline Cost estimate_cost(Index n, Index d, Index T, StepKind kind, bool packed, bool dual) {
  const Index size_of_S = dual ? n : d;
  const Weights w = weights(packed, n, d, size_of_S);
  const double rows = static_cast<double>(n);
  const double columns = static_cast<double>(d);
  const double loops = static_cast<double>(T);
  const double size = static_cast<double>(size_of_S);
  const double square = size * size;
  const double basis = w.reduction * 2 / 3 * square * size + w.column * size;
  // λ_max comes with the basis where there is one. On the other paths a basis is made for it in lanes, and
  // elsewhere Lanczos takes 14 and 38 products for d = 20 and 128 to reach 1e-14.
  const double products = kind == StepKind::lambda_max ? std::min(size, 40.0) : 0.0;
  const double step = packed ? (products > 0 ? basis : 0) : products * w.loop * square;
  const double sums = rows * columns * (size + 3) / 2 + (dual ? 4 * rows * columns : 0) + step;
  const Index squarings = count_squarings(size_of_S, T);
  const double loops_left =
      static_cast<double>(T >> squarings) + static_cast<double>(squarings) / 2 + 1;
  return {
      .stream = (loops + products) * w.pass * 2 * rows * columns,
      .gram = sums + loops * w.loop * square,
      .power = sums + loops_left * w.loop * square +
               static_cast<double>(squarings) * w.squaring * square * (size + 4) / 2,
      .tridiagonal = sums - step + basis + w.transform * square + loops * w.short_loop * 4 * size,
  };
}

inline Cost estimate_cost(Index n, Index d, Index T, StepKind kind) {
  return estimate_cost(n, d, T, kind, is_packed(n, d), uses_dual(n, d, kind));
}

/// The path for a task; `wanted` where it is not automatic. `only_end`: v(T) alone is read out, for which
/// powers of the map will do.
inline Path choose_path(Path wanted, Index n, Index d, Index T, StepKind kind, bool only_end) {
  if (wanted != Path::automatic) return wanted;
  if (n == 0) return Path::stream;  // nothing to sum up, and nothing moves
  const Cost cost = estimate_cost(n, d, T, kind);
  Path path = Path::tridiagonal;
  double least = cost.tridiagonal;
  const auto consider = [&](Path other, double cost_of_other) {
    if (cost_of_other < least) {
      least = cost_of_other;
      path = other;
    }
  };
  // Tasks on one X share the basis, whatever their steps are, and so gain more from it than one task
  // alone: the others must be clearly faster.
  if (!is_packed(n, d)) least *= 0.8;
  consider(Path::gram, cost.gram);
  if (is_constant(kind) && only_end) consider(Path::power, cost.power);
  consider(Path::stream, cost.stream);
  return path;
}

/// Whether the prefixes of a task run in lanes, consecutive ones side by side: whatever their number.
/// One task fills the lanes, and an S as large as the second-level cache still gains by them: at (160, 64) and
/// T = 100, 17 µs a prefix against 34 for a vector at a time. Beyond 64 the largest of many eigenvalues that agree
/// would be found too slowly.
inline bool has_packed_prefixes(Index d) { return d <= 64; }

/// What one prefix of a task costs: its sums come from those of the prefix before, so that all but the loops
/// is the same however long it is. Never by passes over X.
inline Cost estimate_prefix_cost(Index d, Index T, StepKind kind) {
  return estimate_cost(1, d, T, kind, has_packed_prefixes(d), false);
}

/// The path for all prefixes of a task.
inline Path choose_prefix_path(Index d, Index T, StepKind kind) {
  const Cost cost = estimate_prefix_cost(d, T, kind);
  Path path = Path::gram;
  if (cost.tridiagonal < cost.of(path)) path = Path::tridiagonal;
  if (is_constant(kind) && cost.power < cost.of(path)) path = Path::power;
  return path;
}

}  // namespace loopcore
