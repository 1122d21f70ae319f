"""A choice of step sizes: its name, its values, and what it promises on a given spectrum."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy.typing as npt

from loopcore import theory

Eta = float | Literal["optimal", "chebyshev"] | None


class _Words(NamedTuple):
    """Names of a step and of its worst case, as plain text and in TeX's mathematics."""

    name: str
    name_tex: str
    worst_case: str
    worst_case_tex: str


_WORDS: dict[object, _Words] = {
    None: _Words(
        "η = 1/λ_max",
        r"$\eta = 1/\lambda_{\max}$",
        "(1 − 1/κ)^T",
        r"$(1 - 1/\kappa)^T$",
    ),
    "optimal": _Words(
        "η = 2/(λ_min + λ_max)",
        r"$\eta = 2/(\lambda_{\min} + \lambda_{\max})$",
        "((κ − 1)/(κ + 1))^T",
        r"$((\kappa - 1)/(\kappa + 1))^T$",
    ),
    "chebyshev": _Words(
        "Chebyshev's schedule",
        "Chebyshev's schedule",
        "2ρ^T/(1+ρ^2T), ρ=(√κ−1)/(√κ+1)",
        r"$2\rho^T/(1 + \rho^{2T})$",
    ),
}


@dataclass(frozen=True)
class Steps:
    """The steps η_t that `loopcore.run` takes for one `eta`, where XᵀX has a known spectrum.

    Attributes
    ----------
    eta : None, "optimal", "chebyshev" or float
        As for `loopcore.run`.
    lambda_min, lambda_max, kappa : float
        The smallest and the largest non-zero eigenvalue of XᵀX, and their ratio, as
        `loopcore.spectrum` gives them.

    Examples
    --------
    >>> steps = Steps("optimal", lambda_min=1.0, lambda_max=3.0, kappa=3.0)
    >>> steps.words.worst_case, float(steps.worst_case(10)), steps.extremes(T=10)
    ('((κ − 1)/(κ + 1))^T', 0.0009765625, (0.5, 0.5))
    """

    eta: Eta
    lambda_min: float
    lambda_max: float
    kappa: float

    @property
    def words(self) -> _Words:
        """What the step and its worst case are called."""
        if isinstance(self.eta, float):
            name = f"η = {self.eta:.6g}"
            return _Words(name, name, "max|1 − ηλ|^T", r"$\max\,|1 - \eta\lambda|^T$")
        return _WORDS[self.eta]

    @property
    def theorem_holds(self) -> bool:
        """Whether exp(−T/2κ) bounds the error too: it does for every step but a given one."""
        return not isinstance(self.eta, float)

    @property
    def last_loop_only(self) -> bool:
        """Whether bounds hold after the last loop alone."""
        return self.eta == "chebyshev"

    def extremes(self, T: int) -> tuple[float, float]:
        """Give the smallest and the largest step η_t of T loops, NaN beyond float64's range."""
        low, high = self.lambda_min, self.lambda_max
        if isinstance(self.eta, float):
            return self.eta, self.eta
        if not 0 < high < math.inf:
            step = 0.0 if math.isnan(self.kappa) else math.nan  # X = 0, or λ out of range
            return step, step
        if self.eta == "chebyshev":
            # c ± h cos(π/2T) = λ_max cos²(π/4T) + λ_min sin²(π/4T), or with the two exchanged
            sine = math.sin(math.pi / (4 * max(T, 1))) ** 2
            cosine = 1 - sine
            return 1 / (high * cosine + low * sine), 1 / (high * sine + low * cosine)
        step = 1 / high if self.eta is None else 2 / (low + high)
        return step, step

    def worst_case(self, T: npt.ArrayLike) -> theory.Values:
        """Bound the relative error after T loops, in exact arithmetic; NaN where X = 0."""
        if isinstance(self.eta, float):
            return theory.constant_step_bound(T, self.eta, self.lambda_min, self.lambda_max)
        if self.eta is None:
            return theory.gradient_descent_bound(T, self.kappa)
        if self.eta == "optimal":
            return theory.optimal_step_bound(T, self.kappa)
        return theory.chebyshev_bound(T, self.kappa)
