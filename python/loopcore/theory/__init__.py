"""How fast the loop converges: the paper's theorem, the sharper rates behind it, and noise.

In the eigenbasis of XᵀX each loop multiplies coordinate i of q − q_∞ by 1 − ηλ_i. From q(0) = 0,
with weights w_i = θ̂_i² / ‖θ̂‖² (they sum to one, and are zero where λ_i = 0),

    (⟨v(T), θ̂⟩ − α‖θ̂‖²) / (α‖θ̂‖²) = −Σ_i w_i s_i,    s_i = Π_t (1 − η_t λ_i)

so every bound here is the largest |s| over λ_min ≤ λ ≤ λ_max, or is above it.

That holds for any y, noisy or not. It assumes q(0) = 0 and exact arithmetic: near 1e-16 rounding is
all that is left. Eigenvalues are those of XᵀX (``scale="sum"``); for ``scale="mean"`` give those of
XᵀX / n, and the variance of the noise divided by n.

Numbers and arrays broadcast. An argument (..., d) has one entry for each eigenvector on its last
axis; one that is (...) has no such axis: T = ``np.arange(50)`` and eigenvalues (d,) give 50
results, and T (50,) and eigenvalues (B, 1, d) give (B, 50).
"""

from loopcore.theory._values import Array as Array
from loopcore.theory._values import Values as Values
from loopcore.theory.bounds import chebyshev_bound as chebyshev_bound
from loopcore.theory.bounds import constant_step_bound as constant_step_bound
from loopcore.theory.bounds import gradient_descent_bound as gradient_descent_bound
from loopcore.theory.bounds import optimal_step_bound as optimal_step_bound
from loopcore.theory.bounds import relative_error_bound as relative_error_bound
from loopcore.theory.tolerance import fewest_loops as fewest_loops
from loopcore.theory.tolerance import loops_to_tolerance as loops_to_tolerance

__all__ = [
    "chebyshev_bound",
    "constant_step_bound",
    "fewest_loops",
    "gradient_descent_bound",
    "loops_to_tolerance",
    "optimal_step_bound",
    "relative_error_bound",
]
