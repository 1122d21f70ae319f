// RandomNumbers: the uniform and normal numbers of one task, a function of key, task and stream alone.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>

#include "loopcore/lane_normal.hpp"
#include "loopcore/philox.hpp"
#include "loopcore/types.hpp"

namespace loopcore {

class RandomNumbers {
 public:
  /// Streams of one task are independent, as tasks are.
  RandomNumbers(PhiloxKey key, std::uint64_t task, std::uint64_t stream)
      : key_(key), task_(task), stream_(stream) {}

  /// to ← the next `count` numbers, 0 ≤ u < 1, as numpy.random.Generator(Philox).random() has them
  void uniform(double* to, Index count) {
    for (; count >= 4; to += 4, count -= 4) next(to);
    if (count > 0) {
      double rest[4];
      next(rest);
      std::copy_n(rest, count, to);
    }
  }

  /// to ← the next `count` numbers of N(0, 1)
  void normal(double* to, Index count) {
    double panel[8 * chunk];
    while (count > 0) {
      const Index taken = std::min(count, 8 * chunk);
      const Index made = (taken + chunk - 1) / chunk * chunk;
      uniform(panel, made);
      for (Index k = 0; k < made; k += chunk) make_normal(panel + k);
      std::copy_n(panel, taken, to);
      to += taken;
      count -= taken;
    }
  }

 private:
  static constexpr Index chunk = 16;  // numbers, of any instruction set

  /// Four uniform numbers of the next block; a word's upper 53 bits make one.
  void next(double* to) {
    const Words words = philox({++block_, task_, stream_, 0}, key_);
    for (std::size_t k = 0; k < 4; ++k) {
      to[k] = static_cast<double>(static_cast<std::int64_t>(words[k] >> 11)) * 0x1p-53;
    }
  }

  /// `chunk` uniform numbers, the first half of which makes the radii, into normal ones.
  static void make_normal(double* numbers) {
    constexpr Index half = chunk / 2;
    for (Index k = 0; k < half; k += lane_width) {
      double* const other = numbers + half + k;
      const auto [first, second] = normal_pair(Lane::load(numbers + k), Lane::load(other));
      first.store(numbers + k);
      second.store(other);
    }
  }

  PhiloxKey key_;
  std::uint64_t task_;
  std::uint64_t stream_;
  std::uint64_t block_ = 0;
};

}  // namespace loopcore
