// Philox: random words as a function of a key and a counter, so that any task's numbers can be made again alone.
//
// Philox4x64-10 of J. K. Salmon et al., "Parallel Random Numbers: As Easy as 1, 2, 3", 2011; the words are those
// of numpy.random.Philox.
#pragma once

#include <array>
#include <cstdint>

namespace loopcore {

using Words = std::array<std::uint64_t, 4>;
using PhiloxKey = std::array<std::uint64_t, 2>;

namespace detail {

struct Product {
  std::uint64_t high, low;
};

inline Product multiply_wide(std::uint64_t a, std::uint64_t b) {
#if defined(__SIZEOF_INT128__)
  __extension__ using Wide = unsigned __int128;
  const Wide product = Wide{a} * b;
  return {static_cast<std::uint64_t>(product >> 64), static_cast<std::uint64_t>(product)};
#else
  const std::uint64_t a0 = a & 0xFFFFFFFF, a1 = a >> 32, b0 = b & 0xFFFFFFFF, b1 = b >> 32;
  const std::uint64_t middle = a1 * b0 + (a0 * b0 >> 32);  // < 2⁶⁴
  const std::uint64_t other = a0 * b1 + (middle & 0xFFFFFFFF);
  return {a1 * b1 + (middle >> 32) + (other >> 32), a * b};
#endif
}

}  // namespace detail

/// Four words of one counter: ten rounds.
inline Words philox(Words counter, PhiloxKey key) {
  for (int round = 0; round < 10; ++round) {
    const auto [high0, low0] = detail::multiply_wide(0xD2E7470EE14C6C93, counter[0]);
    const auto [high1, low1] = detail::multiply_wide(0xCA5A826395121157, counter[2]);
    counter = {high1 ^ counter[1] ^ key[0], low1, high0 ^ counter[3] ^ key[1], low0};
    key[0] += 0x9E3779B97F4A7C15;
    key[1] += 0xBB67AE8584CAA73B;
  }
  return counter;
}

}  // namespace loopcore
