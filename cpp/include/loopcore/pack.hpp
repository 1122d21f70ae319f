// Pack: tasks into lanes and back, the only transposes. A lane holds the same number of as many tasks
// as it has elements.
#pragma once

#include "loopcore/lane.hpp"
#include "loopcore/types.hpp"

namespace loopcore {

/// out[k] = (sources[0][offset + k], sources[1][offset + k], …), k < count, with 0 < count ≤ the
/// width; nothing is read beyond them.
inline void transpose(const double* const* sources, Index offset, Index count, Lane* out) {
#if defined(__AVX512VL__)
  // By halves of four: the tasks t and t + 4 side by side, then two rounds of shuffles.
  for (Index half = 0; half < count; half += 4) {
    const auto mask = static_cast<__mmask8>(count - half < 4 ? (1U << (count - half)) - 1 : 0xF);
    const auto load = [&](Index t) {
      return _mm256_maskz_loadu_pd(mask, sources[t] + offset + half);
    };
    const auto row = [&](Index t) {
      return _mm512_insertf64x4(_mm512_castpd256_pd512(load(t)), load(t + 4), 1);
    };
    const Lane::Register r0 = row(0), r1 = row(1), r2 = row(2), r3 = row(3);
    const auto even01 = __builtin_shufflevector(r0, r1, 0, 8, 2, 10, 4, 12, 6, 14);
    const auto odd01 = __builtin_shufflevector(r0, r1, 1, 9, 3, 11, 5, 13, 7, 15);
    const auto even23 = __builtin_shufflevector(r2, r3, 0, 8, 2, 10, 4, 12, 6, 14);
    const auto odd23 = __builtin_shufflevector(r2, r3, 1, 9, 3, 11, 5, 13, 7, 15);
    const auto low = [](auto even, auto odd) {
      return Lane{__builtin_shufflevector(even, odd, 0, 1, 8, 9, 4, 5, 12, 13)};
    };
    const auto high = [](auto even, auto odd) {
      return Lane{__builtin_shufflevector(even, odd, 2, 3, 10, 11, 6, 7, 14, 15)};
    };
    out[half] = low(even01, even23);
    if (count - half > 1) out[half + 1] = low(odd01, odd23);
    if (count - half > 2) out[half + 2] = high(even01, even23);
    if (count - half > 3) out[half + 3] = high(odd01, odd23);
  }
#elif defined(__AVX__) && defined(__FMA__)
  const auto row = [&](Index t) { return Lane::load_first(sources[t] + offset, count).value; };
  const __m256d r0 = row(0), r1 = row(1), r2 = row(2), r3 = row(3);
  const __m256d even01 = _mm256_unpacklo_pd(r0, r1), odd01 = _mm256_unpackhi_pd(r0, r1);
  const __m256d even23 = _mm256_unpacklo_pd(r2, r3), odd23 = _mm256_unpackhi_pd(r2, r3);
  out[0] = {_mm256_permute2f128_pd(even01, even23, 0x20)};
  if (count > 1) out[1] = {_mm256_permute2f128_pd(odd01, odd23, 0x20)};
  if (count > 2) out[2] = {_mm256_permute2f128_pd(even01, even23, 0x31)};
  if (count > 3) out[3] = {_mm256_permute2f128_pd(odd01, odd23, 0x31)};
#else
  for (Index k = 0; k < count; ++k) {
    double elements[lane_width];
    for (Index t = 0; t < lane_width; ++t) elements[t] = sources[t][offset + k];
    out[k] = Lane::load(elements);
  }
#endif
}

/// out[k] = (sources[0][k], sources[1][k], …), k < count; one source an element of the lane.
inline void pack(const double* const* sources, Index count, Lane* out) {
  Index k = 0;
  for (; k + lane_width <= count; k += lane_width) transpose(sources, k, lane_width, out + k);
  if (k < count) transpose(sources, k, count - k, out + k);
}

/// to[t][k] = lanes[k][t], k < count, for the first `tasks` elements t: undoes pack().
inline void unpack(const Lane* lanes, Index count, Index tasks, double* const* to) {
  Index k = 0;
  for (; k + lane_width <= count; k += lane_width) {
    const double* sources[lane_width];
    for (Index c = 0; c < lane_width; ++c) {
      sources[c] = reinterpret_cast<const double*>(lanes + k + c);
    }
    Lane rows[lane_width];
    transpose(sources, 0, lane_width, rows);
    for (Index t = 0; t < tasks; ++t) rows[t].store(to[t] + k);
  }
  for (; k < count; ++k) {
    for (Index t = 0; t < tasks; ++t) to[t][k] = lanes[k][t];
  }
}

/// The vector of the element t alone: to[k] = lanes[k][t], k < count.
inline void unpack(const Lane* lanes, Index t, Index count, double* to) {
  for (Index k = 0; k < count; ++k) to[k] = lanes[k][t];
}

}  // namespace loopcore
