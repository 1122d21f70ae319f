// Block product: of one symmetric S with vectors: with one of them in the lanes of its columns, or with a lane
// of vectors at once. Both sum in the same order, so a vector has the same bits alone and in company.
#pragma once

#include <algorithm>

#include "loopcore/buffer.hpp"
#include "loopcore/lane.hpp"
#include "loopcore/lane_blocks.hpp"
#include "loopcore/rows.hpp"
#include "loopcore/types.hpp"

namespace loopcore {

namespace detail {

// g_j = Σ_k S_kj z_k is summed in four interleaved chains over k, added as (0 + 2) + (1 + 3), so that few
// columns still hide the latency of the multiply-add. No chain is longer than a panel.
inline constexpr Index chains = 4;
inline constexpr Index chained_rows = chains * panel_rows;

/// g for L lanes of columns j, from `S`, their first block.
template <Index L>
void multiply_columns(const double* S, Index block, Index rows, const double* z, double* g) {
  Lane total[L];
  std::fill_n(total, L, Lane::zero());
  for (Index begin = 0; begin < rows; begin += chained_rows) {
    const Index end = std::min(begin + chained_rows, rows);
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
      const Lane all = (sum[0][l] + sum[2][l]) + (sum[1][l] + sum[3][l]);
      total[l] = begin == 0 ? all : total[l] + all;
    }
  }
  for (Index l = 0; l < L; ++l) total[l].store(g + l * lane_width);
}

/// g_j for one column j and a lane of vectors z: `S` points at S_0j, its rows are a lane apart.
inline Lane multiply_column(const double* S, Index rows, const Lane* z) {
  Lane total = Lane::zero();
  for (Index begin = 0; begin < rows; begin += chained_rows) {
    const Index end = std::min(begin + chained_rows, rows);
    Lane sum[chains];
    std::fill_n(sum, chains, Lane::zero());
    Index k = begin;
    for (; k + chains <= end; k += chains) {
      for (Index c = 0; c < chains; ++c) {
        sum[c] = madd(z[k + c], Lane::broadcast(S[(k + c) * lane_width]), sum[c]);
      }
    }
    for (Index c = 0; k < end; ++k, ++c) {
      sum[c] = madd(z[k], Lane::broadcast(S[k * lane_width]), sum[c]);
    }
    const Lane all = (sum[0] + sum[2]) + (sum[1] + sum[3]);
    total = begin == 0 ? all : total + all;
  }
  return total;
}

}  // namespace detail

/// g = S z for one vector;  S (size, size) symmetric, z (size,), g (padded(size),)
inline void multiply(const LaneBlocks& S, Index size, const double* z, double* g) {
  const Index block = S.rows * lane_width;
  const Index lanes = padded(size) / lane_width;
  Index l = 0;
  for (; l + 2 <= lanes; l += 2) {
    detail::multiply_columns<2>(S.data + l * block, block, size, z, g + l * lane_width);
  }
  if (l < lanes)
    detail::multiply_columns<1>(S.data + l * block, block, size, z, g + l * lane_width);
}

/// g = S z for a lane of vectors, (size,) each
inline void multiply(const LaneBlocks& S, Index size, const Lane* z, Lane* g) {
  for (Index j = 0; j < size; ++j) g[j] = detail::multiply_column(&S(0, j), size, z);
}

}  // namespace loopcore
