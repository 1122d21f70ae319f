// LoopedWeights: P, Q and skip of a model as the kernels read them, and what their zeros say.
#pragma once

#include <algorithm>

#include "loopcore/buffer.hpp"
#include "loopcore/lane.hpp"
#include "loopcore/looped_model.hpp"
#include "loopcore/task_matrix.hpp"

namespace loopcore {

/// Whether only the last number of a row moves: P is zero but for its last entry, Q lives on the others,
/// and skip is the identity but for its last column.
inline bool moves_targets_only(const LoopedModel& model) {
  const Index D = model.D;
  const Index y = D - 1;
  for (Index h = 0; h < model.layers * model.heads; ++h) {
    const double* P = model.P + h * D * D;
    const double* Q = model.Q + h * D * D;
    for (Index k = 0; k < D * D - 1; ++k) {
      if (P[k] != 0) return false;
    }
    for (Index k = 0; k < D; ++k) {
      if (Q[y * D + k] != 0 || Q[k * D + y] != 0) return false;
    }
  }
  for (Index j = 0; j < D; ++j) {
    for (Index k = 0; k < y; ++k) {
      if (model.skip[j * D + k] != (j == k ? 1 : 0)) return false;
    }
  }
  return true;
}

/// Whether they are kept as they are or, as reverse passes read them, transposed.
enum class Orientation { plain, transposed };

class LoopedWeights {
 public:
  explicit LoopedWeights(const LoopedModel& model, Orientation orientation = Orientation::plain)
      : D_(model.D),
        heads_(model.heads),
        P_(copy(model.P, model.layers * model.heads, orientation)),
        Q_(copy(model.Q, model.layers * model.heads, orientation)),
        skip_(copy(model.skip, 1, orientation)) {
    for (Index j = 0; j < D_; ++j) {
      for (Index k = 0; k < D_; ++k) {
        has_skip_ = has_skip_ || model.skip[j * D_ + k] != (j == k ? 1 : 0);
      }
    }
  }

  /// Each (D, D).
  SharedMatrix P(Index layer, Index head) const { return {P_.data() + at(layer, head), stride()}; }
  SharedMatrix Q(Index layer, Index head) const { return {Q_.data() + at(layer, head), stride()}; }
  SharedMatrix skip() const { return {skip_.data(), stride()}; }

  /// Whether skip is not the identity.
  bool has_skip() const { return has_skip_; }

 private:
  Index stride() const { return padded(D_); }
  Index at(Index layer, Index head) const { return (layer * heads_ + head) * D_ * stride(); }

  Buffer copy(const double* matrices, Index count, Orientation orientation) const {
    const bool is_plain = orientation == Orientation::plain;
    Buffer to(count * D_ * stride());
    for (Index row = 0; row < count * D_; ++row) {
      const double* const from = matrices + row / D_ * D_ * D_;  // (D, D)
      const Index j = row % D_;
      for (Index k = 0; k < D_; ++k) {
        to[row * stride() + k] = is_plain ? from[j * D_ + k] : from[k * D_ + j];
      }
    }
    return to;
  }

  Index D_;
  Index heads_;
  Buffer P_;
  Buffer Q_;
  Buffer skip_;
  bool has_skip_ = false;
};

}  // namespace loopcore
