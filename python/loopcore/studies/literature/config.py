"""What the literature study measures: sizes, repeats and the seed; the papers fix the rest."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise


@dataclass(frozen=True)
class Config:
    """What to measure.

    Attributes
    ----------
    repeats : int
        Independent repeats of everything but the trainings of `trainings`, at least 2.
    matrices : int
        Samples of XᵀX that steps are chosen on, for each repeat.
    prompts : int
        Fresh prompts that each loss is measured on, for each repeat.
    trainings : int
        How often the three-layer model of Ahn et al. is trained, at least 2, on `batch` prompts;
        theirs were trained three times on 20,000.
    batch : int
        Prompts of each of these trainings.
    layer_prompts : int
        Prompts that the layers of von Oswald et al. are trained on, at least 4, and a quarter of
        them once more.
    layer_iterations, batch_iterations : int
        The most iterations of L-BFGS of these trainings, and of those on `batch` prompts.
    tasks : int
        Tasks of each repeat on which gradient descent and Newton's iteration are compared.
    floor_tasks : int
        Tasks of each κ for the precision floors, at least 2.
    floor_exponents : tuple of int
        κ = 10^e for each of these e, rising, none above 6: X is rounded to integers so that all
        sums are exact, and more would round its smallest singular value.
    plain_exponent : int
        The largest e at which loops that take some 40 κ passes over X are run; two or more of the
        exponents are from 1 to this.
    seed : int
        Fixes every number.

    Raises
    ------
    ValueError
        If a number is out of its range.
    """

    repeats: int = 12
    matrices: int = 20_000
    prompts: int = 30_000
    trainings: int = 6
    batch: int = 20_000
    layer_prompts: int = 5_000
    layer_iterations: int = 20
    batch_iterations: int = 20
    tasks: int = 1000
    floor_tasks: int = 48
    floor_exponents: tuple[int, ...] = (0, 1, 2, 3, 4, 5, 6)
    plain_exponent: int = 4
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse what means nothing."""
        for name, value, least in (
            ("repeats", self.repeats, 2),
            ("matrices", self.matrices, 20),
            ("prompts", self.prompts, 2),
            ("trainings", self.trainings, 2),
            ("batch", self.batch, 1),
            ("layer_prompts", self.layer_prompts, 4),
            ("layer_iterations", self.layer_iterations, 1),
            ("batch_iterations", self.batch_iterations, 1),
            ("tasks", self.tasks, 2),
            ("floor_tasks", self.floor_tasks, 2),
            ("floor_exponents", min(self.floor_exponents, default=-1), 0),
            ("plain_exponent", self.plain_exponent, 0),
            ("seed", self.seed, 0),
        ):
            if value < least:
                raise ValueError(f"{name}: expected at least {least}, got {value}")
        e = self.floor_exponents
        if any(b <= a for a, b in pairwise(e)):
            raise ValueError(f"floor_exponents: expected rising numbers, got {e}")
        if e[-1] > 6:
            raise ValueError(f"floor_exponents: expected none above 6, got {e}")
        if sum(1 <= x <= self.plain_exponent for x in e) < 2:
            raise ValueError(
                f"floor_exponents: expected two or more from 1 to plain_exponent = "
                f"{self.plain_exponent}, got {e}"
            )


FULL = Config()

QUICK = Config(
    repeats=4,
    matrices=4000,
    prompts=6000,
    trainings=3,
    layer_prompts=2500,
    layer_iterations=12,
    batch_iterations=3,
    tasks=200,
    floor_tasks=20,
    floor_exponents=(0, 1, 2, 3, 4, 6),
    plain_exponent=3,
)
