// LoopedModel: the general looped transformer, and the prompts that it runs on.
//
//     Attn(Z; Q, P) = (M ∘ h(Z Q Zᵀ)) Z P        Z ← Z·skip − η Σ_heads Attn(Z; Q, P)
//
// TokenRows are rows of D numbers: n context rows, then m queries. One loop is one pass through all layers.
#pragma once

#include <vector>

#include "loopcore/types.hpp"

namespace loopcore {

/// h(s): s itself, max(s, 0), eˢ, or eˢ divided by its sum over the keys.
enum class Attention { linear, relu, exp, softmax };

/// Which rows move: the queries, or all. Where P has but its last diagonal entry, and skip but its last
/// column, only the last number of a row moves: its target.
enum class Update { query, all };

/// Which rows a row attends to, its keys: the context, all, or those up to itself.
enum class Mask { context, all, causal };

struct LoopedModel {
  Index D = 0;  // the width of a token
  Index layers = 0;
  Index heads = 0;
  const double* P = nullptr;     // (layers, heads, D, D)
  const double* Q = nullptr;     // (layers, heads, D, D)
  const double* skip = nullptr;  // (D, D)
  Attention attention = Attention::linear;
  Update update = Update::query;
  Mask mask = Mask::context;
  bool normalizes_all = false;  // softmax over all rows, of which the mask then hides some
  bool mean = false;            // divide η by n
};

/// Some rows of a prompt, the tokens (x, y).
struct TokenRows {
  MatrixView x;  // (rows, D − 1)
  VectorView y;  // (rows,)
};

/// In parts, so that inputs and targets of a caller need not be copied side by side.
struct Prompt {
  TokenRows context;  // n
  TokenRows queries;  // m
  MatrixView eta;     // (T, layers)
};

/// The prompt Z, (n + m, D), without its steps.
inline Prompt literal_prompt(const MatrixView& Z, Index n, Index D) {
  const auto rows_from = [&](Index first) {
    const std::byte* const row = Z.data + first * Z.row_stride;
    return TokenRows{.x = {row, Z.row_stride, Z.column_stride, Z.load},
                     .y = {row + (D - 1) * Z.column_stride, Z.row_stride, Z.load}};
  };
  return {.context = rows_from(0), .queries = rows_from(n), .eta = {}};
}

/// What the prompts of a call have in common.
struct LoopedProblem {
  LoopedModel model;
  Index n = 0;  // context rows
  Index m =
      1;  // queries; more than one only where no row sees them: Mask::context, not normalizes_all
  Index T = 0;
  std::vector<Index> at;      // sorted loops, 0 … T, after which rows are wanted
  bool only_queries = false;  // of these rows, the last m

  Index rows() const { return n + m; }
  Index first_wanted() const { return only_queries ? n : 0; }

  /// How many rows, from the first on, row i sees.
  Index visible(Index row) const {
    switch (model.mask) {
      case Mask::context: return n;
      case Mask::all: return rows();
      default: return row + 1;
    }
  }
  /// How many, from the first on, its softmax is over.
  Index counted(Index row) const { return model.normalizes_all ? rows() : visible(row); }
};

}  // namespace loopcore
