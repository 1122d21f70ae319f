// Vjp: what takes the loops of a few tasks backwards, from a cotangent v̄ of v(T) to those of all that went in.
//
// With S = Xᵀ X, b = Xᵀ y and the steps h_t, those of the loop on S as it is (η_t, or η_t / n):
//     forward    q_{t+1} = q_t − h_t (S q_t + α b),                    v = −q_T
//     backward   λ_T = −v̄,   λ_t = λ_{t+1} − h_t S λ_{t+1}
//                w_t = −h_t λ_{t+1},   N = Σ_t w_t q_tᵀ + q_t w_tᵀ,   w = Σ_t w_t
//                X̄ = X N + y b̄ᵀ,   b̄ = α w,   ȳ = X b̄,   ᾱ = ⟨b, w⟩,   q̄_0 = λ_0
//                h̄_t = −⟨λ_{t+1}, S q_t + α b⟩
// N is S̄ + S̄ᵀ. With h = 1/λ_max, whose unit eigenvector is u and alone, dh = −h² uᵀ dS u, and N gains
// −2 h² (Σ_t h̄_t) u uᵀ.
#pragma once

#include <algorithm>
#include <span>

#include "loopcore/buffer.hpp"
#include "loopcore/lane.hpp"
#include "loopcore/pack.hpp"
#include "loopcore/steps.hpp"
#include "loopcore/stop.hpp"
#include "loopcore/types.hpp"

namespace loopcore {

/// Where the cotangents of one task go: doubles without gaps.
struct Cotangents {
  double* X = nullptr;         // (n, d)
  double* y = nullptr;         // (n,)
  double* alpha = nullptr;     // ()
  double* eta = nullptr;       // (), of a given η
  double* schedule = nullptr;  // (T,), of a schedule
  double* q0 = nullptr;        // (d,)
};

/// One task as it is taken backwards.
struct Pulled {
  StepInput steps;
  VectorView v_bar;  // (d,)
  Cotangents to;
};

/// No element has any influence on another. All is computed in double as it comes, without the scaling of
/// range.hpp: where sums of squares leave the range, so do the cotangents.
class Vjp : public Aligned {
 public:
  Vjp() = default;
  Vjp(const Vjp&) = delete;
  Vjp& operator=(const Vjp&) = delete;
  virtual ~Vjp() = default;

  /// Takes some tasks backwards, at most a lane of them. Stopped half-way it leaves nothing usable.
  virtual void operator()(std::span<const Task> tasks, std::span<const Pulled> pulled,
                          Stop& stop) = 0;
};

/// −2 h² h̄, which N gains times u uᵀ where h = 1/λ_max.
template <class Value>
Value step_weight(Value h, Value h_bar) {
  return -(h + h) * h * h_bar;
}

}  // namespace loopcore
