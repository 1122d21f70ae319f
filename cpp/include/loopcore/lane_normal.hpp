// Normal numbers of a lane: two lanes of uniform numbers become two of normal ones (G. E. P. Box and
// M. E. Muller, "A Note on the Generation of Random Normal Deviates", 1958).
//
// Products and sums are rounded one by one, without fused multiply-adds: the numbers have the same bits on every
// instruction set.
#pragma once

#include <cmath>
#include <cstdint>
#include <numbers>
#include <utility>

#include "loopcore/lane.hpp"

namespace loopcore {

namespace detail {

/// c_0 + x (c_1 + x (c_2 + …))
template <class... Rest>
Lane polynomial(Lane x, double c, Rest... rest) {
  if constexpr (sizeof...(rest) == 0) {
    return Lane::broadcast(c);
  } else {
    return Lane::broadcast(c) + x * polynomial(x, rest...);
  }
}

/// ln u for normal numbers u > 0, within some u of the value: u = 2ᵉ m with √½ ≤ m < √2, and
/// ln m = 2 artanh s, s = (m − 1) / (m + 1).
inline Lane log(Lane u) {
#if defined(__GNUC__)
  constexpr std::int64_t root_half = 0x3FE6A09E667F3BCD;
  const auto bits = reinterpret_cast<Lane::Comparison>(u.value);
  const Lane::Comparison exponent = (bits - root_half) >> 52;
  const Lane m{reinterpret_cast<Lane::Register>(bits - (exponent << 52))};
  constexpr std::int64_t magic_bits = 0x4338000000000000;  // of 1.5·2⁵²
  const Lane e =
      Lane{reinterpret_cast<Lane::Register>(exponent + magic_bits)} - Lane::broadcast(0x1.8p52);
  const Lane one = Lane::broadcast(1);
  const Lane s = (m - one) / (m + one);
  const Lane series = polynomial(s * s, 2.0, 2.0 / 3, 2.0 / 5, 2.0 / 7, 2.0 / 9, 2.0 / 11, 2.0 / 13,
                                 2.0 / 15, 2.0 / 17, 2.0 / 19, 2.0 / 21);
  return Lane::broadcast(std::numbers::ln2) * e + s * series;
#else
  return {std::log(u.value)};
#endif
}

/// (cos 2πw, sin 2πw) for 0 ≤ w ≤ 1: w = k/4 + t with |t| ≤ 1/8, and Taylor's series at 2πt.
inline std::pair<Lane, Lane> cos_sin(Lane w) {
  const Lane magic = Lane::broadcast(0x1.8p52);
  const Lane k = (Lane::broadcast(4) * w + magic) - magic;
  const Lane x = Lane::broadcast(2 * std::numbers::pi) * (w - Lane::broadcast(0.25) * k);
  const Lane square = x * x;
  const Lane sine = x * polynomial(square, 1.0, -1.0 / 6, 1.0 / 120, -1.0 / 5040, 1.0 / 362880,
                                   -1.0 / 39916800, 1.0 / 6227020800, -1.0 / 1307674368000);
  const Lane cosine =
      polynomial(square, 1.0, -1.0 / 2, 1.0 / 24, -1.0 / 720, 1.0 / 40320, -1.0 / 3628800,
                 1.0 / 479001600, -1.0 / 87178291200, 1.0 / 20922789888000);
  // A quarter turn takes (c, s) to (−s, c), half a turn to (−c, −s).
  const Lane two = Lane::broadcast(2);
  const auto turned = (abs(k - two) - Lane::broadcast(1)) * (abs(k - two) - Lane::broadcast(1)) <
                      Lane::broadcast(0.5);  // k = 1 or 3
  const auto past = Lane::broadcast(1.5) < k;
  const auto full = Lane::broadcast(3.5) < k;
  Lane c = select(turned, -sine, cosine), s = select(turned, cosine, sine);
  const Lane sign =
      select(full, Lane::broadcast(1), select(past, Lane::broadcast(-1), Lane::broadcast(1)));
  return {sign * c, sign * s};
}

}  // namespace detail

/// Two independent lanes of N(0, 1) from two of uniform numbers, 0 ≤ u, w < 1.
inline std::pair<Lane, Lane> normal_pair(Lane u, Lane w) {
  const Lane radius = sqrt(Lane::broadcast(-2) * detail::log(Lane::broadcast(1) - u));
  const auto [c, s] = detail::cos_sin(w);
  return {radius * c, radius * s};
}

}  // namespace loopcore
