// The two halves of a loop q ← q − η (S q + b) on several small tasks at once, one a lane element.
#pragma once

#include <algorithm>
#include <utility>

#include "loopcore/buffer.hpp"
#include "loopcore/lane.hpp"
#include "loopcore/packed_gram.hpp"
#include "loopcore/types.hpp"

namespace loopcore {

namespace detail {

/// sum_r ← sum_r + Σ_k A_{j+r,k} z_k,  k ≥ first, for R rows; A is symmetric
template <Index R, Index D>
[[gnu::always_inline]] inline void affine_rows(LaneMatrix<D> A, Index j, const Lane* z,
                                               const Lane* c, Lane* out) {
  Lane sum[R];
  for (Index r = 0; r < R; ++r) sum[r] = c[j + r];
  for (Index k = 0; k < j; ++k) {
    for (Index r = 0; r < R; ++r) sum[r] = madd(A[j + r][k], z[k], sum[r]);
  }
  for (Index k = j; k < j + R; ++k) {
    for (Index r = 0; r < R; ++r) {
      sum[r] = madd(k <= j + r ? A[j + r][k] : A[k][j + r], z[k], sum[r]);
    }
  }
  for (Index k = j + R; k < A.size; ++k) {
    for (Index r = 0; r < R; ++r) sum[r] = madd(A[k][j + r], z[k], sum[r]);
  }
  for (Index r = 0; r < R; ++r) out[j + r] = sum[r];
}

}  // namespace detail

/// out = c + A z;  A (size, size), symmetric, z, c and out (size,) of lanes; `out` is none of the others
template <Index D>
[[gnu::always_inline]] inline void affine(LaneMatrix<D> A, const Lane* z, const Lane* c,
                                          Lane* out) {
  Index j = 0;
  for (; j + 8 <= A.size; j += 8) detail::affine_rows<8>(A, j, z, c, out);
  for (; j + 4 <= A.size; j += 4) detail::affine_rows<4>(A, j, z, c, out);
  for (; j < A.size; ++j) detail::affine_rows<1>(A, j, z, c, out);
}

/// z ← z − η g, (size,)
inline void descend(Lane eta, const Lane* g, Index size, Lane* z) {
  for (Index k = 0; k < size; ++k) z[k] = madd(-eta, g[k], z[k]);
}

}  // namespace loopcore
