// Lane: one native SIMD register of doubles, and madd, the only multiply-add in this library.
//
// Kernels are compiled with -ffp-contract=off: left to the compiler, contraction differs between a
// vector loop and its scalar remainder, and with it the last bit of a result. madd() is fused exactly
// where the instruction set has a fused multiply-add, in scalars and lanes alike.
#pragma once

#include <algorithm>
#include <cmath>
#include <utility>

#include "loopcore/types.hpp"

#if defined(__AVX512VL__) || (defined(__AVX__) && defined(__FMA__))
#include <immintrin.h>
#elif defined(__SSE2__)
#include <emmintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

namespace loopcore {

#if defined(__AVX512VL__)
inline constexpr Index lane_width = 8;
#elif defined(__AVX__) && defined(__FMA__)
inline constexpr Index lane_width = 4;
#elif defined(__GNUC__)
inline constexpr Index lane_width = 2;
#else
inline constexpr Index lane_width = 1;
#endif

/// a·b + c, rounded once where the instruction set can.
inline double madd(double a, double b, double c) {
#if defined(__FMA__) || defined(__aarch64__)
  return __builtin_fma(a, b, c);
#else
  return a * b + c;
#endif
}

struct Lane {
  static constexpr Index width = lane_width;

#if defined(__GNUC__)
  using Register = double __attribute__((vector_size(width * sizeof(double))));
  // The same register at a double's alignment, for loads and stores at any element.
  using Unaligned = double
      __attribute__((vector_size(width * sizeof(double)), aligned(alignof(double)), may_alias));
  using Comparison = decltype(Register{} < Register{});  // all bits of an element, or none
#else
  using Register = double;
  using Unaligned = double;
  using Comparison = Index;  // likewise: −1 or 0
#endif
  Register value;

  static Lane zero() { return {Register{}}; }
  static Lane broadcast(double x) { return {x - Register{}}; }  // x − 0 keeps the sign of −0
  static Lane load(const double* from) { return {*reinterpret_cast<const Unaligned*>(from)}; }
  void store(double* to) const { *reinterpret_cast<Unaligned*>(to) = value; }

  /// The first `count` elements, zeros after them where there are fewer than a lane; reads nothing
  /// beyond them.
  static Lane load_first(const double* from, Index count) {
    if (count >= width) return load(from);
#if defined(__AVX512VL__)
    return {_mm512_maskz_loadu_pd(static_cast<__mmask8>((1U << count) - 1), from)};
#elif defined(__AVX__) && defined(__FMA__)
    alignas(32) static constexpr std::int64_t ones_then_zeros[2 * width] = {-1, -1, -1, -1};
    const auto* mask = reinterpret_cast<const __m256i*>(ones_then_zeros + width - count);
    return {_mm256_maskload_pd(from, _mm256_loadu_si256(mask))};
#else
    alignas(sizeof(Register)) double elements[width] = {};
    for (Index k = 0; k < count; ++k) elements[k] = from[k];
    return load(elements);
#endif
  }

#if defined(__GNUC__)
  double operator[](Index k) const { return value[k]; }
  void set(Index k, double x) { value[k] = x; }
#else
  double operator[](Index) const { return value; }
  void set(Index, double x) { value = x; }
#endif

  /// The sum of all elements, pair by pair.
  double sum() const {
    double elements[width];
    store(elements);
    for (Index half = width / 2; half > 0; half /= 2) {
      for (Index k = 0; k < half; ++k) elements[k] += elements[k + half];
    }
    return elements[0];
  }

  friend Lane operator+(Lane a, Lane b) { return {a.value + b.value}; }
  friend Lane operator-(Lane a, Lane b) { return {a.value - b.value}; }
  friend Lane operator*(Lane a, Lane b) { return {a.value * b.value}; }
  friend Lane operator*(double a, Lane b) { return broadcast(a) * b; }
  friend Lane operator/(Lane a, Lane b) { return {a.value / b.value}; }
  friend Lane operator-(Lane a) { return {-a.value}; }
};

/// Element by element: a < b, a ≤ b.
#if defined(__GNUC__)
inline Lane::Comparison operator<(Lane a, Lane b) { return a.value < b.value; }
inline Lane::Comparison operator<=(Lane a, Lane b) { return a.value <= b.value; }
#else
inline Lane::Comparison operator<(Lane a, Lane b) { return -Index{a.value < b.value}; }
inline Lane::Comparison operator<=(Lane a, Lane b) { return -Index{a.value <= b.value}; }
#endif

/// Element by element: `yes` where the comparison holds, `no` where it does not.
inline Lane select(Lane::Comparison holds, Lane yes, Lane no) {
  return {holds ? yes.value : no.value};
}
inline Lane abs(Lane a) { return select(a < Lane::zero(), -a, a); }

/// The larger, or the smaller, of each element; a where either is a NaN.
inline Lane max(Lane a, Lane b) {
#if defined(__AVX512VL__)
  return {_mm512_maskz_max_pd(0xFF, b.value, a.value)};
#else
  return select(a < b, b, a);
#endif
}
inline Lane min(Lane a, Lane b) {
#if defined(__AVX512VL__)
  return {_mm512_maskz_min_pd(0xFF, b.value, a.value)};
#else
  return select(b < a, b, a);
#endif
}

/// Whether the comparison holds for any element.
inline bool any(Lane::Comparison holds) {
#if defined(__AVX512VL__)
  const auto bits = reinterpret_cast<__m512i>(holds);
  return _mm512_test_epi64_mask(bits, bits) != 0;
#else
  const Lane ones = select(holds, Lane::broadcast(1), Lane::zero());
  return ones.sum() != 0;
#endif
}

inline Lane sqrt(Lane a) {
#if defined(__AVX512VL__)
  return {_mm512_maskz_sqrt_pd(0xFF, a.value)};
#elif defined(__AVX__) && defined(__FMA__)
  return {_mm256_sqrt_pd(a.value)};
#elif defined(__SSE2__) && defined(__GNUC__)
  return {_mm_sqrt_pd(a.value)};
#else
  double elements[Lane::width];
  a.store(elements);
  for (double& element : elements) element = std::sqrt(element);
  return Lane::load(elements);
#endif
}

inline Lane madd(Lane a, Lane b, Lane c) {
#if defined(__AVX512VL__)
  return {_mm512_fmadd_pd(a.value, b.value, c.value)};
#elif defined(__AVX__) && defined(__FMA__)
  return {_mm256_fmadd_pd(a.value, b.value, c.value)};
#elif defined(__aarch64__)
  return {vfmaq_f64(c.value, a.value, b.value)};
#else
  return {a.value * b.value + c.value};
#endif
}

inline Lane madd(double a, Lane b, Lane c) { return madd(Lane::broadcast(a), b, c); }

namespace detail {

/// (0, …, 0, a_0, a_1, …), with `by` zeros
template <Index by, std::size_t... k>
Lane shift_up(Lane a, std::index_sequence<k...>) {
#if defined(__GNUC__)
  constexpr int first = static_cast<int>(Lane::width - by);
  return {__builtin_shufflevector(Lane::Register{}, a.value, (first + static_cast<int>(k))...)};
#else
  return a;  // never: a lane of one element
#endif
}

}  // namespace detail

/// (a_0, a_0 + a_1, a_0 + a_1 + a_2, …). A NaN reaches no element before its own.
inline Lane prefix_sums(Lane a) {
  constexpr auto elements = std::make_index_sequence<static_cast<std::size_t>(Lane::width)>();
  if constexpr (Lane::width > 1) a = a + detail::shift_up<1>(a, elements);
  if constexpr (Lane::width > 2) a = a + detail::shift_up<2>(a, elements);
  if constexpr (Lane::width > 4) a = a + detail::shift_up<4>(a, elements);
  return a;
}

/// Σ_k a(k) b(k) over begin ≤ k < end, in four chains; b gives lanes, a lanes or doubles.
template <class A, class B>
Lane sum_of_products(Index begin, Index end, A&& a, B&& b) {
  Lane sum0 = Lane::zero(), sum1 = Lane::zero(), sum2 = Lane::zero(), sum3 = Lane::zero();
  Index k = begin;
  for (; k + 4 <= end; k += 4) {
    sum0 = madd(a(k), b(k), sum0);
    sum1 = madd(a(k + 1), b(k + 1), sum1);
    sum2 = madd(a(k + 2), b(k + 2), sum2);
    sum3 = madd(a(k + 3), b(k + 3), sum3);
  }
  for (; k < end; ++k) sum0 = madd(a(k), b(k), sum0);
  return (sum0 + sum2) + (sum1 + sum3);
}

/// total ← total + term, and into `carry` what rounding lost (Knuth's two-sum). A long sum of equal
/// terms drifts by their number, for each is rounded the same way; with the carry it does not.
template <class Value>
void add_with_carry(Value term, Value& total, Value& carry) {
  const Value sum = total + term;
  const Value added = sum - total;
  carry = carry + ((total - (sum - added)) + (term - added));
  total = sum;
}

/// The next multiple of the lane width.
inline constexpr Index padded(Index count) {
  return (count + lane_width - 1) / lane_width * lane_width;
}

}  // namespace loopcore
