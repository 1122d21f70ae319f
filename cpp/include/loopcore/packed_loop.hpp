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

/// out_j = c_j + Σ_k A_jk z_k for R rows j
template <Index R, Index D>
void affine_rows(LaneMatrix<D> A, Index j, const Lane* z, const Lane* c, Lane* out) {
  Lane sum[R];
  for (Index r = 0; r < R; ++r) sum[r] = c[j + r];
  const Lane* row = A[j];
  for (Index k = 0; k < A.size; ++k) {
    const Lane z_k = z[k];
    for (Index r = 0; r < R; ++r) sum[r] = madd(row[r * A.size + k], z_k, sum[r]);
  }
  std::copy_n(sum, R, out + j);
}

}  // namespace detail

/// out = c + A z;  A (size, size), z, c and out (size,) of lanes; `out` is none of the others
template <Index D>
void affine(LaneMatrix<D> A, const Lane* z, const Lane* c, Lane* out) {
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
