// AffineLoop: z ← z − η P S z, the loop itself once the context is summed up in S.
//
// This is linear attention on the query token z = (q, α): the scores are Z z, their values ZᵀZ z = S z,
// and P = diag(1, …, 1, 0) lets only q move. S costs one pass over X, a loop then costs d², whatever
// n is.
#pragma once

#include <algorithm>

#include "loopcore/buffer.hpp"
#include "loopcore/lane.hpp"
#include "loopcore/token_gram.hpp"
#include "loopcore/types.hpp"

namespace loopcore {

/// g = Σ_k z_k S_k over the first `rows` rows of S, for L lanes of columns. Each column is summed in
/// `chains` interleaved chains, so that few lanes still hide the latency of the multiply-add, and no
/// chain is longer than a panel.
template <Index L, Index chains>
void sum_rows(const double* S, Index block, Index rows, const double* z, double* g) {
  Lane total[L];
  std::fill_n(total, L, Lane::zero());
  for (Index begin = 0; begin < rows; begin += chains * panel_rows) {
    const Index end = std::min(begin + chains * panel_rows, rows);
    Lane sum[chains][L];
    for (auto& chain : sum) std::fill_n(chain, L, Lane::zero());
    const auto add = [&](Lane* chain, Index k) {
      const Lane z_k = Lane::broadcast(z[k]);
      for (Index l = 0; l < L; ++l) {
        chain[l] = madd(z_k, Lane::load(S + l * block + k * lane_width), chain[l]);
      }
    };
    Index k = begin;
    for (; k + chains <= end; k += chains) {
      for (Index c = 0; c < chains; ++c) add(sum[c], k + c);
    }
    for (Index c = 0; k < end; ++k, ++c) add(sum[c], k);
    for (Index l = 0; l < L; ++l) {
      for (Index half = chains / 2; half > 0; half /= 2) {
        for (Index c = 0; c < half; ++c) sum[c][l] = sum[c][l] + sum[c + half][l];
      }
      total[l] = begin == 0 ? sum[0][l] : total[l] + sum[0][l];
    }
  }
  for (Index l = 0; l < L; ++l) total[l].store(g + l * lane_width);
}

/// g = Sᵀ z over the first `rows` rows and all `columns` columns of S.
inline void multiply(const LaneBlocks& S, Index rows, Index columns, const double* z, double* g) {
  const Index block = S.rows * lane_width;
  const Index lanes = padded(columns) / lane_width;
  Index l = 0;
  const auto S_l = [&] { return S.data + l * block; };
  const auto g_l = [&] { return g + l * lane_width; };
  for (; l + 4 <= lanes; l += 4) sum_rows<4, 2>(S_l(), block, rows, z, g_l());
  switch (lanes - l) {
    case 3: sum_rows<3, 2>(S_l(), block, rows, z, g_l()); break;
    case 2: sum_rows<2, 4>(S_l(), block, rows, z, g_l()); break;
    case 1: sum_rows<1, 4>(S_l(), block, rows, z, g_l()); break;
    default: break;
  }
}

/// z ← z − η g
inline void descend(double eta, const double* g, Index columns, double* z) {
  const Lane minus_eta = Lane::broadcast(-eta);
  for (Index k = 0; k < columns; k += lane_width) {
    madd(minus_eta, Lane::load(g + k), Lane::load(z + k)).store(z + k);
  }
}

}  // namespace loopcore
