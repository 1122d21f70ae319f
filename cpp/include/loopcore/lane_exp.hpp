// exp of a lane: eight exponentials for the price of some twenty multiply-adds.
#pragma once

#include <cmath>
#include <iterator>

#include "loopcore/lane.hpp"

namespace loopcore {

namespace detail {

#if defined(__GNUC__)

/// 2ⁿ for integers |n| ≤ 1022: n moves into the low bits of n + 1.5·2⁵², and from there into the exponent.
inline Lane power_of_two(Lane n) {
  const auto bits = reinterpret_cast<Lane::Comparison>((n + Lane::broadcast(0x1.8p52)).value);
  return {reinterpret_cast<Lane::Register>((bits + 1023) << 52)};
}

/// eʳ for |r| ≤ ½ ln 2, by its Taylor series: the first term left out is below u / 25.
inline Lane exp_near_zero(Lane r) {
  constexpr double coefficients[] = {1.0 / 6227020800,
                                     1.0 / 479001600,
                                     1.0 / 39916800,
                                     1.0 / 3628800,
                                     1.0 / 362880,
                                     1.0 / 40320,
                                     1.0 / 5040,
                                     1.0 / 720,
                                     1.0 / 120,
                                     1.0 / 24,
                                     1.0 / 6,
                                     1.0 / 2,
                                     1.0,
                                     1.0};
  Lane sum = Lane::broadcast(coefficients[0]);
  for (std::size_t k = 1; k < std::size(coefficients); ++k) {
    sum = madd(sum, r, Lane::broadcast(coefficients[k]));
  }
  return sum;
}

#endif

}  // namespace detail

/// eˣ within 2 u of each element's value, subnormal ones apart; Inf, 0 and NaN where std::exp has them.
inline Lane exp(Lane x) {
#if defined(__GNUC__)
  // x = n ln 2 + r. Beyond the bounds the result is Inf or 0 as at them.
  const Lane low = Lane::broadcast(-746), high = Lane::broadcast(710);
  x = select(x < low, low, select(high < x, high, x));
  const Lane magic = Lane::broadcast(0x1.8p52);
  const Lane n = madd(Lane::broadcast(0x1.71547652b82fep0), x, magic) - magic;
  // ln 2 in two parts, of which the first has room for an exact product with n.
  Lane r = madd(n, Lane::broadcast(-0x1.62e42feep-1), x);
  r = madd(n, Lane::broadcast(-0x1.a39ef35793c76p-33), r);
  // 2ⁿ in two factors: n may lie beyond the exponents of one.
  const Lane most = Lane::broadcast(1000);
  const Lane first = select(n < -most, -most, select(most < n, most, n));
  return detail::exp_near_zero(r) * detail::power_of_two(first) * detail::power_of_two(n - first);
#else
  return {std::exp(x.value)};
#endif
}

}  // namespace loopcore
