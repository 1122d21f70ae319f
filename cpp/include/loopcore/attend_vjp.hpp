// AttendVjp: undoes what Attend does, of which it computes the weights once more:
//
//     a_r = Σ_j w_rj z_j        ā_r given:   w̄_rj = ā_r·z_j,   z̄_j += w_rj ā_r
//     w_rj = M_rj h(s_rj)                    s̄ = w̄, w̄ [s > 0], w w̄, or p_j (M_j w̄_j − Σ_k p_k M_k w̄_k)
//     s_rj = u_r·z_j                         ū_r = Σ_j s̄_rj z_j,   z̄_j += s̄_rj u_r
//
// The weights of a few rows at a time stand in memory, never those of all.
#pragma once

#include <algorithm>
#include <limits>

#include "loopcore/attend.hpp"
#include "loopcore/key_bars.hpp"
#include "loopcore/keys.hpp"
#include "loopcore/lane_exp.hpp"
#include "loopcore/looped_model.hpp"
#include "loopcore/task_matrix.hpp"

namespace loopcore {

template <class L>
class AttendVjp {
 public:
  /// For tokens of D numbers and at most so many keys.
  AttendVjp(Attention attention, Index D, Index most_keys)
      : attention_(attention),
        D_(D),
        lanes_(L::lanes(most_keys)),
        weights_(most * lanes_ * lane_width),
        vectors_(most, D),
        received_(2 * AttendingRows::most * padded(D) * lane_width),
        sums_(2 * AttendingRows::most, D),
        bars_(most_keys, D) {}

  /// From zero.
  void open() {
    waiting_ = 0;
    waiting_lanes_ = 0;
    bars_.clear();
  }

  /// For the next `count` rows: u_r and ā_r are to be written to these.
  void begin(Index count) {
    if (waiting_ + 2 * count > most) flush();
    count_ = count;
  }
  double* a_bar(Index r) { return vectors_.row(waiting_ + r); }
  double* u(Index r) { return vectors_.row(waiting_ + count_ + r); }

  /// Then a_r and ū_r are to be read from those.
  void operator()(const Keys<L>& keys, const AttendingRows& rows) {
    const Index lanes = L::lanes(rows.keys());
    score(keys, lanes);
    for (Index r = 0; r < count_; ++r) {
      const auto row = static_cast<std::size_t>(r);
      hide(r, lanes, rows.visible[row], Lane::zero());
      if (attention_ == Attention::softmax) {
        undo_softmax(r, lanes, rows.visible[row], rows.counted[row]);
      } else {
        undo_weights(r, lanes, rows.visible[row]);
      }
    }
    receive(keys, lanes);
    for (Index r = 0; r < 2 * count_; ++r) {
      for (Index j = lanes; j < lanes_; ++j) put(r, j, Lane::zero());
    }
    waiting_ += 2 * count_;
    waiting_lanes_ = std::max(waiting_lanes_, lanes);
  }
  double* a(Index r) { return sums_.row(r); }
  double* u_bar(Index r) { return sums_.row(count_ + r); }

  /// z_i ← z_i + z̄_i for the keys begin … begin + count − 1, (count, stride)
  void add_keys(Index begin, Index count, double* z, Index stride) {
    flush();
    bars_.add_to(begin, count, z, stride);
  }
  void clear_keys() { bars_.clear(); }

  /// z ← z + z̄_i, (D,), and z̄_i ← 0
  void move_key(Index i, double* z) {
    flush();
    bars_.move_to(i, z);
  }

 private:
  // Taken up row by row, each would read and write all of z̄.
  static constexpr Index most = 4 * AttendingRows::most;

  Index stride() const { return lanes_ * lane_width; }  // doubles, from row to row of weights

  /// Of the rows at work: w_r is number r of their 2 count_ rows, s̄_r number count_ + r; before they are
  /// known, w̄_r and s_r.
  double* at(Index r, Index j) {
    return weights_.data() + ((waiting_ + r) * lanes_ + j) * lane_width;
  }
  Lane weight(Index r, Index j) { return Lane::load(at(r, j)); }
  void put(Index r, Index j, Lane value) { value.store(at(r, j)); }

  /// w̄_rj = ā_r·z_j,  s_rj = u_r·z_j: of one row, the time is that of reading the keys.
  void score(const Keys<L>& keys, Index lanes) {
    multiply(vectors_.left(waiting_), keys.columns(0), 2 * count_, D_, lanes, at(0, 0), stride());
  }

  /// Row r beyond the first `count` keys ← `otherwise`
  void hide(Index r, Index lanes, Index count, Lane otherwise) {
    for (Index j = L::full_lanes(count); j < lanes; ++j) {
      put(r, j, L::first(weight(r, j), j, count, otherwise));
    }
  }

  /// w ← h(s),  s̄ ← h'(s) w̄
  void undo_weights(Index r, Index lanes, Index visible) {
    const Lane zero = Lane::zero();
    const Index bar = count_ + r;
    if (attention_ == Attention::exp) hide(bar, lanes, visible, zero);  // or it might overflow
    for (Index j = 0; j < lanes; ++j) {
      const Lane w_bar = weight(r, j), s = weight(bar, j);
      if (attention_ == Attention::relu) {
        put(bar, j, select(zero < s, w_bar, zero));
        put(r, j, select(s < zero, zero, s));
      } else if (attention_ == Attention::exp) {
        const Lane w = exp(s);
        put(bar, j, w * w_bar);
        put(r, j, w);
      } else {
        put(bar, j, w_bar);
        put(r, j, s);
      }
    }
    hide(r, lanes, visible, zero);
  }

  /// w ← p,  s̄_j ← p_j (w̄_j − Σ_k p_k w̄_k), w̄ being zero where it is hidden
  void undo_softmax(Index r, Index lanes, Index visible, Index counted) {
    const Lane lowest = Lane::broadcast(-std::numeric_limits<double>::infinity());
    const Index bar = count_ + r;
    hide(bar, lanes, counted, lowest);
    // Not −Inf: from it, scores of −Inf are no distance away but NaN.
    Lane largest = Lane::broadcast(std::numeric_limits<double>::lowest());
    for (Index j = 0; j < lanes; ++j) largest = max(largest, weight(bar, j));
    largest = L::largest(largest);
    Lane total = Lane::zero();
    Lane mean = Lane::zero();
    for (Index j = 0; j < lanes; ++j) {
      const Lane w = exp(weight(bar, j) - largest);
      total = total + w;
      mean = madd(w, weight(r, j), mean);
      put(bar, j, w);
    }
    const Lane scale = Lane::broadcast(1) / L::sum(total);
    mean = scale * L::sum(mean);
    for (Index j = 0; j < lanes; ++j) {
      const Lane p = scale * weight(bar, j);
      put(bar, j, p * (weight(r, j) - mean));
      put(r, j, p);
    }
    hide(r, lanes, visible, Lane::zero());
  }

  /// a_r = Σ_j w_rj z_j,  ū_r = Σ_j s̄_rj z_j
  void receive(const Keys<L>& keys, Index lanes) {
    double* const to = received_.data();
    const Index size = padded(D_) * lane_width;
    const LaneFactor weights{at(0, 0), stride(), lane_width};
    multiply(weights, keys.columns(0).transposed(), 2 * count_, lanes, D_, to, size);
    for (Index r = 0; r < 2 * count_; ++r) L::collapse(to + r * size, D_, sums_.row(r));
  }

  /// z̄_j ← z̄_j + Σ_r (w_rj ā_r + s̄_rj u_r) for the rows that wait
  void flush() {
    if (waiting_ == 0) return;
    const LaneFactor weights{weights_.data(), stride(), lane_width};
    bars_.add(waiting_, waiting_lanes_, weights, vectors_);
    waiting_ = 0;
    waiting_lanes_ = 0;
  }

  Attention attention_;
  Index D_;
  Index lanes_;              // of keys
  Index count_ = 0;          // rows at work
  Index waiting_ = 0;        // rows of weights and vectors, of which z̄ is still to come
  Index waiting_lanes_ = 0;  // of keys that they see
  Buffer weights_;           // (most, lanes_) lanes: w and s̄
  TaskMatrix<L> vectors_;    // (most, D): ā and u
  Buffer received_;          // (2 · AttendingRows::most, padded(D)) lanes
  TaskMatrix<L> sums_;       // (2 · AttendingRows::most, D): a and ū
  KeyBars<L> bars_;          // z̄
};

}  // namespace loopcore
