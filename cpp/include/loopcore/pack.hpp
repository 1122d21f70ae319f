// Pack: tasks into lanes and back, the only transposes. A lane holds the same number of as many tasks
// as it has elements.
#pragma once

#include <algorithm>

#include "loopcore/lane.hpp"
#include "loopcore/types.hpp"

namespace loopcore {

#if defined(__GNUC__) && (defined(__AVX512F__) || (defined(__AVX__) && defined(__FMA__)))
namespace detail {

using Four = double __attribute__((vector_size(32)));
using FourUnaligned = double __attribute__((vector_size(32), aligned(alignof(double)), may_alias));

inline Four load_four(const double* from) { return *reinterpret_cast<const FourUnaligned*>(from); }

}  // namespace detail
#endif

/// out[k] = (sources[0][k], sources[1][k], …) for k = offset … offset + width − 1
inline void transpose(const double* const* sources, Index offset, Lane* out) {
#if defined(__GNUC__) && defined(__AVX512F__)
  // By halves of four: the tasks t and t + 4 side by side, then two rounds of shuffles.
  for (Index half = 0; half < lane_width; half += 4) {
    const auto row = [&](Index t) {
      return __builtin_shufflevector(detail::load_four(sources[t] + offset + half),
                                     detail::load_four(sources[t + 4] + offset + half), 0, 1, 2, 3,
                                     4, 5, 6, 7);
    };
    const Lane::Register r0 = row(0), r1 = row(1), r2 = row(2), r3 = row(3);
    const auto even01 = __builtin_shufflevector(r0, r1, 0, 8, 2, 10, 4, 12, 6, 14);
    const auto odd01 = __builtin_shufflevector(r0, r1, 1, 9, 3, 11, 5, 13, 7, 15);
    const auto even23 = __builtin_shufflevector(r2, r3, 0, 8, 2, 10, 4, 12, 6, 14);
    const auto odd23 = __builtin_shufflevector(r2, r3, 1, 9, 3, 11, 5, 13, 7, 15);
    out[half] = {__builtin_shufflevector(even01, even23, 0, 1, 8, 9, 4, 5, 12, 13)};
    out[half + 1] = {__builtin_shufflevector(odd01, odd23, 0, 1, 8, 9, 4, 5, 12, 13)};
    out[half + 2] = {__builtin_shufflevector(even01, even23, 2, 3, 10, 11, 6, 7, 14, 15)};
    out[half + 3] = {__builtin_shufflevector(odd01, odd23, 2, 3, 10, 11, 6, 7, 14, 15)};
  }
#elif defined(__GNUC__) && defined(__AVX__) && defined(__FMA__)
  const auto row = [&](Index t) { return detail::load_four(sources[t] + offset); };
  const detail::Four r0 = row(0), r1 = row(1), r2 = row(2), r3 = row(3);
  const detail::Four even01 = __builtin_shufflevector(r0, r1, 0, 4, 2, 6);
  const detail::Four odd01 = __builtin_shufflevector(r0, r1, 1, 5, 3, 7);
  const detail::Four even23 = __builtin_shufflevector(r2, r3, 0, 4, 2, 6);
  const detail::Four odd23 = __builtin_shufflevector(r2, r3, 1, 5, 3, 7);
  out[0] = {__builtin_shufflevector(even01, even23, 0, 1, 4, 5)};
  out[1] = {__builtin_shufflevector(odd01, odd23, 0, 1, 4, 5)};
  out[2] = {__builtin_shufflevector(even01, even23, 2, 3, 6, 7)};
  out[3] = {__builtin_shufflevector(odd01, odd23, 2, 3, 6, 7)};
#else
  for (Index k = 0; k < lane_width; ++k) {
    double elements[lane_width];
    for (Index t = 0; t < lane_width; ++t) elements[t] = sources[t][offset + k];
    out[k] = Lane::load(elements);
  }
#endif
}

/// out[k] = (sources[0][k], sources[1][k], …), k < count; one source an element of the lane.
inline void pack(const double* const* sources, Index count, Lane* out) {
  Index k = 0;
  for (; k + lane_width <= count; k += lane_width) transpose(sources, k, out + k);
  if (k == count) return;
  double rest[lane_width][lane_width] = {};
  const double* rows[lane_width];
  for (Index t = 0; t < lane_width; ++t) {
    std::copy_n(sources[t] + k, count - k, rest[t]);
    rows[t] = rest[t];
  }
  Lane lanes[lane_width];
  transpose(rows, 0, lanes);
  std::copy_n(lanes, count - k, out + k);
}

/// The vector of the element t alone: to[k] = lanes[k][t], k < count.
inline void unpack(const Lane* lanes, Index t, Index count, double* to) {
  for (Index k = 0; k < count; ++k) to[k] = lanes[k][t];
}

}  // namespace loopcore
