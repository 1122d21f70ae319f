// Range: products of very large or very small inputs leave the range of double although the result
// would not. A task is computed as it is; if what came out shows that it may have left the range, it
// is computed again with X and y scaled by powers of two, which is exact.
#pragma once

#include <algorithm>
#include <cmath>

#include "loopcore/lane.hpp"
#include "loopcore/types.hpp"

namespace loopcore {

/// X̃ = 2^x X and ỹ = 2^y y. The loop keeps q:
///   q ← q − η (Xᵀ X q + α Xᵀ y)  =  q − η̃ (X̃ᵀ X̃ q + α̃ X̃ᵀ ỹ),   η̃ = 4^−x η,  α̃ = 2^(x−y) α
struct Scaling {
  int x = 0;
  int y = 0;

  bool is_identity() const { return x == 0 && y == 0; }
  double alpha(double alpha) const { return x == y ? alpha : std::ldexp(alpha, x - y); }
  double eta(double eta) const { return x == 0 ? eta : std::ldexp(eta, -2 * x); }
};

/// Sums of products are accepted unscaled inside this range: whatever underflowed on the way is then
/// smaller than the largest by a factor far below u, and there is room for α, η and q on both sides.
inline bool in_safe_range(double largest) { return largest > 0x1p-400 && largest < 0x1p400; }

/// Sums of squares below it stand for nothing, beside an XᵀX in the safe range; and down to it they have
/// all their digits, which subnormal ones have not.
inline constexpr double negligible_square = 0x1p-960;

/// Element by element.
inline Lane::Comparison in_safe_range(Lane largest) {
  return (Lane::broadcast(0x1p-400) < largest) & (largest < Lane::broadcast(0x1p400));
}

/// The largest |value|, NaN if there is one.
inline double largest_magnitude(const double* values, Index count, double largest = 0) {
  for (Index k = 0; k < count && !std::isnan(largest); ++k) {
    const double magnitude = std::abs(values[k]);
    if (!(magnitude <= largest)) largest = magnitude;
  }
  return largest;
}

/// The power of two that brings `largest` into 2^±150, where products of two are far from both ends of
/// the range; 0 where it is there already, or not a number to scale. No more than that: η̃ and α̃ take
/// the factor the other way, and must not leave the range either.
inline int exponent_to_middle(double largest) {
  if (largest == 0 || !std::isfinite(largest)) return 0;
  int exponent = 0;
  std::frexp(largest, &exponent);
  return std::clamp(exponent, -150, 150) - exponent;
}

/// Reads X and y once to find the scaling of a task. `row` holds max(1, d) doubles.
inline Scaling find_scaling(const Task& task, double* row) {
  double largest_x = 0;
  double largest_y = 0;
  for (Index i = 0; i < task.n; ++i) {
    task.X.read_row(i, task.d, row);
    largest_x = largest_magnitude(row, task.d, largest_x);
    task.y.read(i, 1, row);
    largest_y = largest_magnitude(row, 1, largest_y);
  }
  return {exponent_to_middle(largest_x), exponent_to_middle(largest_y)};
}

}  // namespace loopcore
