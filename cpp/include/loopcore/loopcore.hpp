// loopcore: looped linear attention doing gradient descent in context (arXiv 2410.11268).
//
//   X    (n, d)  in-context inputs, one example a row       q    (d,)   the query row, all the loop moves
//   y    (n,)    in-context targets                         v    (d,)   −q, what is read out; v → α θ̂
//   α    scalar  the value to generate: ⟨v, θ*⟩ → α         η_t  scalar the step size of loop t
//   θ̂    (d,)    minimum-norm least squares of X θ ≈ y      T    loops
//   S    XᵀX, or X Xᵀ where n < d
//   κ    λ_max / λ_min of XᵀX, over its non-zero eigenvalues
//
// One loop:  q ← q − η_t (Xᵀ X q + α Xᵀ y)
//
// The general family, any P, Q, mask and attention, has its own notation in looped_model.hpp.
//
// All arithmetic is in double. u = 2⁻⁵³, R = ‖q̂_T − q_T‖ / (u S_T) ≤ 30 on every path, with
//   S_T = Σ_{t<T} g_t [‖q_{t+1}‖ + η_t (‖X‖² ‖q_t‖ + |α| ‖X‖ ‖y‖)],   g_t = max_i Π_{j>t} |1 − η_j λ_i|
#pragma once

#include "loopcore/batch.hpp"
#include "loopcore/context_curve.hpp"
#include "loopcore/engine.hpp"
#include "loopcore/gram.hpp"
#include "loopcore/least_squares.hpp"
#include "loopcore/looped_plan.hpp"
#include "loopcore/looped_vjp_plan.hpp"
#include "loopcore/packed.hpp"
#include "loopcore/plan.hpp"
#include "loopcore/solve.hpp"
#include "loopcore/solve_vjp.hpp"
#include "loopcore/spectrum.hpp"
#include "loopcore/steps.hpp"
#include "loopcore/stream.hpp"
#include "loopcore/types.hpp"
