// exp of a lane: eight exponentials for the price of some twenty multiply-adds.
#pragma once

#include <cmath>
#include <iterator>

#include "loopcore/lane.hpp"

namespace loopcore {

namespace detail {

#if defined(__GNUC__)

#if !defined(__AVX512VL__)
/// 2ⁿ for integers |n| ≤ 1022: n moves into the low bits of n + 1.5·2⁵², and from there into the exponent.
inline Lane power_of_two(Lane n) {
  const auto bits = reinterpret_cast<Lane::Comparison>((n + Lane::broadcast(0x1.8p52)).value);
  return {reinterpret_cast<Lane::Register>((bits + 1023) << 52)};
}
#endif

/// 2ⁿ a for integers |n| ≤ 2000
inline Lane scale(Lane a, Lane n) {
#if defined(__AVX512VL__)
  return {_mm512_maskz_scalef_pd(0xFF, a.value, n.value)};
#else
  // In two factors: n may lie beyond the exponents of one.
  const Lane most = Lane::broadcast(1000);
  const Lane first = max(min(n, most), -most);
  return a * power_of_two(first) * power_of_two(n - first);
#endif
}

/// eʳ for |r| ≤ ½ ln 2, as 1 + r + r² p(r): p interpolates (eʳ − 1 − r) / r² at the ten Chebyshev points
/// of that interval. The sum is off by 0.15 u of eʳ at most, before rounding.
inline Lane exp_near_zero(Lane r) {
  constexpr double coefficients[] = {0x1.af389ed28db09p-26,
                                     0x1.28917c8be7ad6p-22,
                                     0x1.71de0db2f585ep-19,
                                     0x1.a019b914985a9p-16,
                                     0x1.a01a01a7c2f03p-13,
                                     0x1.6c16c17889ef9p-10,
                                     0x1.11111111109b5p-7,
                                     0x1.5555555553d68p-5,
                                     0x1.5555555555556p-3,
                                     0x1.0000000000001p-1,
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
[[gnu::always_inline]] inline Lane exp(Lane x) {
#if defined(__GNUC__)
  // x = n ln 2 + r. Beyond the bounds the result is Inf or 0 as at them.
  x = min(max(x, Lane::broadcast(-746)), Lane::broadcast(710));
  const Lane magic = Lane::broadcast(0x1.8p52);
  const Lane n = madd(Lane::broadcast(0x1.71547652b82fep0), x, magic) - magic;
  // ln 2 in two parts, of which the first has room for an exact product with n.
  Lane r = madd(n, Lane::broadcast(-0x1.62e42feep-1), x);
  r = madd(n, Lane::broadcast(-0x1.a39ef35793c76p-33), r);
  return detail::scale(detail::exp_near_zero(r), n);
#else
  return {std::exp(x.value)};
#endif
}

}  // namespace loopcore
