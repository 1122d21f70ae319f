// The loops of a prompt undone in long double, on X itself, and Vjps by hand.
#pragma once

#include <loopcore/solve_vjp.hpp>
#include <vector>

#include "exact.hpp"

namespace loopcore::testing {

/// Where the cotangents of one task go.
struct Kept {
  Kept(Index n, Index d, Index T)
      : X(size(n * d)), y(size(n)), alpha(1), eta(1), schedule(size(T)), q0(size(d)) {}

  Cotangents places(StepKind kind) {
    return {X.data(),
            y.data(),
            alpha.data(),
            kind == StepKind::given ? eta.data() : nullptr,
            kind == StepKind::schedule ? schedule.data() : nullptr,
            q0.data()};
  }
  bool operator==(const Kept&) const = default;

  static std::size_t size(Index count) { return static_cast<std::size_t>(count); }

  std::vector<double> X, y, alpha, eta, schedule, q0;
};

/// r = X q + α y
inline Vector residuals(const Prompt<>& prompt, const Vector& q, Real alpha) {
  Vector r;
  for (Index i = 0; i < prompt.n; ++i) {
    Real sum = alpha * static_cast<Real>(prompt.y[Kept::size(i)]);
    for (Index k = 0; k < prompt.d; ++k) {
      sum += static_cast<Real>(prompt.x(i, k)) * q[Kept::size(k)];
    }
    r.push_back(sum);
  }
  return r;
}

/// q ← q − η Xᵀ r
inline void step(const Prompt<>& prompt, Real eta, const Vector& r, Vector& q) {
  for (Index i = 0; i < prompt.n; ++i) {
    for (Index k = 0; k < prompt.d; ++k) {
      q[Kept::size(k)] -= eta * static_cast<Real>(prompt.x(i, k)) * r[Kept::size(i)];
    }
  }
}

/// The cotangents of T loops with the steps eta, for v̄ = the prompt's own q0.
inline Kept undo(const Prompt<>& prompt, Real alpha, const std::vector<double>& eta) {
  const auto T = static_cast<Index>(eta.size());
  std::vector<Vector> q{Vector(prompt.q0.begin(), prompt.q0.end())};
  for (const double eta_t : eta) {
    q.push_back(q.back());
    step(prompt, eta_t, residuals(prompt, q[q.size() - 2], alpha), q.back());
  }
  Vector lambda, X(Kept::size(prompt.n * prompt.d)), y(Kept::size(prompt.n));
  for (const double value : prompt.q0) lambda.push_back(-static_cast<Real>(value));
  Real alpha_bar = 0, eta_bar = 0;
  Kept kept(prompt.n, prompt.d, T);
  for (Index t = T - 1; t >= 0; --t) {
    const Vector& q_t = q[Kept::size(t)];
    const Real eta_t = eta[Kept::size(t)];
    const Vector r = residuals(prompt, q_t, alpha);
    const Vector p = residuals(prompt, lambda, 0);
    Real slope = 0;
    for (std::size_t i = 0; i < r.size(); ++i) {
      slope -= p[i] * r[i];
      y[i] -= eta_t * alpha * p[i];
      alpha_bar -= eta_t * p[i] * static_cast<Real>(prompt.y[i]);
      for (std::size_t k = 0; k < q_t.size(); ++k) {
        X[i * q_t.size() + k] -= eta_t * (p[i] * q_t[k] + r[i] * lambda[k]);
      }
    }
    kept.schedule[Kept::size(t)] = static_cast<double>(slope);
    eta_bar += slope;
    step(prompt, eta_t, p, lambda);
  }
  kept.X.assign(X.begin(), X.end());
  kept.y.assign(y.begin(), y.end());
  kept.alpha[0] = static_cast<double>(alpha_bar);
  kept.eta[0] = static_cast<double>(eta_bar);
  kept.q0.assign(lambda.begin(), lambda.end());
  return kept;
}

inline Real norm(const std::vector<double>& v) { return norm(Vector(v.begin(), v.end())); }

/// ‖X‖ ‖v̄‖ (‖X‖ ‖q_0‖ + |α| ‖y‖), the terms of a step's cotangent ⟨λ_{t+1}, S q_t + α b⟩: they cancel as the
/// loops converge, and leave their rounding.
inline double slope_size(const Prompt<>& prompt, Real alpha) {
  const Real X = norm(prompt.X), q0 = norm(prompt.q0);
  return static_cast<double>(X * q0 * (X * q0 + std::abs(alpha) * norm(prompt.y)));
}

/// What a Vjp makes of some tasks together, with v̄ = each task's own q0.
inline std::vector<Kept> pull_back(Vjp& vjp, const Problem& p, const std::vector<Task>& tasks,
                                   const std::vector<StepInput>& steps) {
  std::vector<Kept> kept(tasks.size(), Kept(p.n, p.d, p.T));
  std::vector<Pulled> pulled;
  for (std::size_t t = 0; t < tasks.size(); ++t) {
    pulled.push_back({steps[t], tasks[t].q0, kept[t].places(p.kind)});
  }
  Stop stop = never_stop();
  vjp(tasks, pulled, stop);
  return kept;
}

/// ‖a − b‖ / size, which is ‖b‖ if not given
inline double distance(const std::vector<double>& a, const std::vector<double>& b,
                       double size = 0) {
  Vector difference(b.begin(), b.end());
  if (size == 0) size = static_cast<double>(norm(difference));
  for (std::size_t k = 0; k < b.size(); ++k) difference[k] -= a[k];
  return static_cast<double>(norm(difference)) / (size > 0 ? size : 1);
}

}  // namespace loopcore::testing
