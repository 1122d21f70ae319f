// Attend: what a few rows receive from the keys, Σ_j h(u·z_j) z_j with u = z Q, in one pass over the keys
// and with a running maximum for softmax. The scores of a panel of keys are all that is kept of them.
#pragma once

#include <algorithm>
#include <array>
#include <limits>

#include "loopcore/buffer.hpp"
#include "loopcore/keys.hpp"
#include "loopcore/lane.hpp"
#include "loopcore/lane_exp.hpp"
#include "loopcore/lane_layout.hpp"
#include "loopcore/looped_model.hpp"
#include "loopcore/tile_product.hpp"

namespace loopcore {

/// Some rows that attend together.
struct AttendingRows {
  static constexpr Index most = 4;

  Index count = 0;
  const double* u = nullptr;        // (count, D), a row z Q each
  std::array<Index, most> visible;  // the keys that each receives from: so many, from the first on
  std::array<Index, most> counted;  // those that its softmax is over

  Index keys() const {
    Index keys = 0;
    for (std::size_t r = 0; r < static_cast<std::size_t>(count); ++r) {
      keys = std::max({keys, visible[r], counted[r]});
    }
    return keys;
  }
};

/// `count` rows of a problem, from row i on.
inline AttendingRows attending_rows(const LoopedProblem& problem, Index i, Index count,
                                    const double* u) {
  AttendingRows rows{.count = count, .u = u, .visible = {}, .counted = {}};
  for (Index r = 0; r < count; ++r) {
    rows.visible[static_cast<std::size_t>(r)] = problem.visible(i + r);
    rows.counted[static_cast<std::size_t>(r)] = problem.counted(i + r);
  }
  return rows;
}

template <class L>
class Attend : public Aligned {
 public:
  // Lanes of keys a panel, whose keys are still in the first-level cache when the weights are known.
  static constexpr Index panel_lanes = L::tasks > 1 ? 16 : 32;

  /// For tokens of D numbers. With more lanes of keys a panel, the weights of that many can be read.
  Attend(Attention attention, Index D, Index lanes = panel_lanes)
      : attention_(attention),
        D_(D),
        lanes_(lanes),
        weights_(AttendingRows::most * lanes * lane_width),
        received_(AttendingRows::most * padded(D) * lane_width) {}

  /// out_r = Σ_j w_rj z_j, (D,) a row of `out`, of which each takes L::doubles(D)
  void operator()(const Keys<L>& keys, const AttendingRows& rows, double* out) {
    pass(keys, rows, 0, L::lanes(rows.keys()));
    finish(rows, out);
  }

  /// Of that, what comes from the lanes of keys first … end − 1 alone.
  void pass(const Keys<L>& keys, const AttendingRows& rows, Index first, Index end) {
    open();
    received_.fill(0);
    for (Index begin = first; begin < end; begin += lanes_) {
      const Index lanes = std::min(lanes_, end - begin);
      weigh(keys, rows, begin, lanes);
      receive(keys, rows.count, begin, lanes);
    }
  }

  /// Adds what another pass of the same rows has from other keys. Of two softmax, that with the smaller maximum
  /// is rescaled.
  void add(const Attend& other, const AttendingRows& rows) {
    const Index size = padded(D_) * lane_width;
    for (Index r = 0; r < rows.count; ++r) {
      const auto row = static_cast<std::size_t>(r);
      Lane factor = Lane::broadcast(1);
      if (attention_ == Attention::softmax) {
        const Lane largest = max(largest_[row], other.largest_[row]);
        rescale(r, exp(largest_[row] - largest));
        factor = exp(other.largest_[row] - largest);
        largest_[row] = largest;
        sum_[row] = madd(factor, other.sum_[row], sum_[row]);
      }
      for (Index k = r * size; k < (r + 1) * size; k += lane_width) {
        const Lane theirs = Lane::load(other.received_.data() + k);
        madd(factor, theirs, Lane::load(received_.data() + k)).store(received_.data() + k);
      }
    }
  }

  /// out, once all keys are in.
  void finish(const AttendingRows& rows, double* out) {
    for (Index r = 0; r < rows.count; ++r) {
      double* const out_r = out + r * L::doubles(D_);
      L::collapse(received_.data() + r * padded(D_) * lane_width, D_, out_r);
      if (attention_ == Attention::softmax && has_keys(rows, r)) {
        scale(out_r, L::lanes(D_), Lane::broadcast(1) / total(r));
      }
    }
  }

  /// w_rj of all keys, which must fit one panel.
  void weigh_all(const Keys<L>& keys, const AttendingRows& rows) {
    open();
    weigh(keys, rows, 0, L::lanes(rows.keys()));
    for (Index r = 0; r < rows.count; ++r) {
      if (attention_ != Attention::softmax || !has_keys(rows, r)) continue;
      scale(weights_.data() + r * lanes_ * lane_width, L::lanes(rows.keys()),
            Lane::broadcast(1) / total(r));
    }
  }

  /// The weight of the keys in lane j of the panel.
  Lane weight(Index r, Index j) const {
    return Lane::load(weights_.data() + (r * lanes_ + j) * lane_width);
  }

 private:
  static bool has_keys(const AttendingRows& rows, Index r) {
    return rows.counted[static_cast<std::size_t>(r)] > 0;
  }
  Lane total(Index r) const { return L::sum(sum_[static_cast<std::size_t>(r)]); }

  static void scale(double* v, Index lanes, Lane factor) {
    for (Index k = 0; k < lanes; ++k) {
      (factor * Lane::load(v + k * lane_width)).store(v + k * lane_width);
    }
  }

  void put(Index r, Index j, Lane value) {
    value.store(weights_.data() + (r * lanes_ + j) * lane_width);
  }

  void open() {
    // Not −Inf: from it, scores of −Inf, and keys that are not counted, are no distance away but NaN.
    largest_.fill(Lane::broadcast(std::numeric_limits<double>::lowest()));
    sum_.fill(Lane::zero());
  }

  /// Scores s_rj = u_r·z_j of the lanes of keys from `begin` on, and from them the weights.
  void weigh(const Keys<L>& keys, const AttendingRows& rows, Index begin, Index lanes) {
    const typename L::Left u{rows.u, L::doubles(D_), L::left_stride};
    multiply(u, keys.columns(begin), rows.count, D_, lanes, weights_.data(), lanes_ * lane_width);
    const Lane zero = Lane::zero();
    for (Index r = 0; r < rows.count; ++r) {
      const auto map = [&](auto&& h) {
        for (Index j = 0; j < lanes; ++j) put(r, j, h(weight(r, j)));
      };
      switch (attention_) {
        case Attention::linear: break;
        case Attention::relu: map([&](Lane s) { return select(s < zero, zero, s); }); break;
        case Attention::exp: map([](Lane s) { return exp(s); }); break;
        case Attention::softmax: soften(rows, r, begin, lanes); break;
      }
      hide(r, begin, lanes, rows.visible[static_cast<std::size_t>(r)], zero);
    }
  }

  /// The weights or scores of all keys but the first `count` ← `otherwise`.
  void hide(Index r, Index begin, Index lanes, Index count, Lane otherwise) {
    for (Index j = std::max<Index>(L::full_lanes(count) - begin, 0); j < lanes; ++j) {
      put(r, j, L::first(weight(r, j), begin + j, count, otherwise));
    }
  }

  /// w = eˢ⁻ᵐ with m the largest score so far; what was received under an older m is rescaled.
  void soften(const AttendingRows& rows, Index r, Index begin, Index lanes) {
    const auto row = static_cast<std::size_t>(r);
    const Lane lowest = Lane::broadcast(-std::numeric_limits<double>::infinity());
    hide(r, begin, lanes, rows.counted[row], lowest);
    const Lane largest = L::largest(max(largest_[row], largest_of(r, lanes)));
    if (begin > 0) rescale(r, exp(largest_[row] - largest));
    largest_[row] = largest;
    Lane sum = sum_[row];
    for (Index j = 0; j < lanes; ++j) {
      const Lane w = exp(weight(r, j) - largest);
      sum = sum + w;
      put(r, j, w);
    }
    sum_[row] = sum;
  }

  /// The largest of each element, in four chains.
  Lane largest_of(Index r, Index lanes) const {
    const Lane lowest = Lane::broadcast(-std::numeric_limits<double>::infinity());
    Lane largest0 = lowest, largest1 = lowest, largest2 = lowest, largest3 = lowest;
    Index j = 0;
    for (; j + 4 <= lanes; j += 4) {
      largest0 = max(largest0, weight(r, j));
      largest1 = max(largest1, weight(r, j + 1));
      largest2 = max(largest2, weight(r, j + 2));
      largest3 = max(largest3, weight(r, j + 3));
    }
    for (; j < lanes; ++j) largest0 = max(largest0, weight(r, j));
    return max(max(largest0, largest1), max(largest2, largest3));
  }

  void rescale(Index r, Lane factor) {
    scale(received_.data() + r * padded(D_) * lane_width, D_, factor);
    sum_[static_cast<std::size_t>(r)] = factor * sum_[static_cast<std::size_t>(r)];
  }

  /// received_rk ← received_rk + Σ_j w_rj z_jk over the panel
  void receive(const Keys<L>& keys, Index rows, Index begin, Index lanes) {
    const LaneFactor weights{weights_.data(), lanes_ * lane_width, lane_width};
    multiply(weights, keys.columns(begin).transposed(), rows, lanes, D_, received_.data(),
             padded(D_) * lane_width, true);
  }

  Attention attention_;
  Index D_;
  Index lanes_;                                    // of keys, a panel
  Buffer weights_;                                 // (most, lanes_) lanes
  Buffer received_;                                // (most, padded(D)) lanes
  std::array<Lane, AttendingRows::most> largest_;  // score so far
  std::array<Lane, AttendingRows::most> sum_;      // of what the softmax divides by
};

}  // namespace loopcore
