"""How fast the loop converges: the paper's theorem, the sharper rates behind it, and noise.

In the eigenbasis of XᵀX each loop multiplies coordinate i of q − q_∞ by 1 − ηλ_i. From q(0) = 0,
with weights w_i = θ̂_i² / ‖θ̂‖² (they sum to one, and are zero where λ_i = 0),

    (⟨v(T), θ̂⟩ − α‖θ̂‖²) / (α‖θ̂‖²) = −Σ_i w_i s_i,    s_i = Π_t (1 − η_t λ_i)

so all there is to know about T loops is the shrinkage s, one number for each eigenvalue:

- `loop_shrinkage`, `schedule_shrinkage` and `ridge_shrinkage` give s of T loops and of ridge;
- `relative_error`, `relative_distance`, `residual_norm` and `excess_risk` take any of them;
- the bounds (`relative_error_bound`, …) are the largest |s| over the spectrum, or are above it.

That holds for any y, noisy or not. It assumes q(0) = 0 and exact arithmetic: near 1e-16 rounding is
all that is left. Eigenvalues are those of XᵀX (``scale="sum"``); for ``scale="mean"`` give those of
XᵀX / n, and the variance of the noise divided by n.

Numbers and arrays broadcast. An argument (..., d) has one entry for each eigenvector on its last
axis; one that is (...) has no such axis: T = ``np.arange(50)`` and eigenvalues (d,) give 50
results, and T (50,) and eigenvalues (B, 1, d) give (B, 50).
"""

from loopcore.theory._values import Array as Array
from loopcore.theory._values import Values as Values
from loopcore.theory.basis import Eigenbasis as Eigenbasis
from loopcore.theory.basis import eigenbasis as eigenbasis
from loopcore.theory.bounds import chebyshev_bound as chebyshev_bound
from loopcore.theory.bounds import constant_step_bound as constant_step_bound
from loopcore.theory.bounds import gradient_descent_bound as gradient_descent_bound
from loopcore.theory.bounds import optimal_step_bound as optimal_step_bound
from loopcore.theory.bounds import relative_error_bound as relative_error_bound
from loopcore.theory.convergence import loop_shrinkage as loop_shrinkage
from loopcore.theory.convergence import relative_distance as relative_distance
from loopcore.theory.convergence import relative_error as relative_error
from loopcore.theory.convergence import residual_norm as residual_norm
from loopcore.theory.convergence import schedule_shrinkage as schedule_shrinkage
from loopcore.theory.marchenko_pastur import marchenko_pastur_density as marchenko_pastur_density
from loopcore.theory.marchenko_pastur import marchenko_pastur_edges as marchenko_pastur_edges
from loopcore.theory.marchenko_pastur import marchenko_pastur_kappa as marchenko_pastur_kappa
from loopcore.theory.ridge import best_penalty as best_penalty
from loopcore.theory.ridge import calibrated_penalty as calibrated_penalty
from loopcore.theory.ridge import equivalent_penalty as equivalent_penalty
from loopcore.theory.ridge import ridge_shrinkage as ridge_shrinkage
from loopcore.theory.risk import Risk as Risk
from loopcore.theory.risk import best_loops as best_loops
from loopcore.theory.risk import excess_risk as excess_risk
from loopcore.theory.tolerance import fewest_loops as fewest_loops
from loopcore.theory.tolerance import loops_to_tolerance as loops_to_tolerance

__all__ = [
    "Eigenbasis",
    "Risk",
    "best_loops",
    "best_penalty",
    "calibrated_penalty",
    "chebyshev_bound",
    "constant_step_bound",
    "eigenbasis",
    "equivalent_penalty",
    "excess_risk",
    "fewest_loops",
    "gradient_descent_bound",
    "loop_shrinkage",
    "loops_to_tolerance",
    "marchenko_pastur_density",
    "marchenko_pastur_edges",
    "marchenko_pastur_kappa",
    "optimal_step_bound",
    "relative_distance",
    "relative_error",
    "relative_error_bound",
    "residual_norm",
    "ridge_shrinkage",
    "schedule_shrinkage",
]
