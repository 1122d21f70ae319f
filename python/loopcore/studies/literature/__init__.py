"""Published experiments on in-context linear regression, done again: one table, theirs and ours.

1. Ahn et al. 2023: n = 20, d = 5, x ~ N(0, Σ), w ~ N(0, Σ⁻¹), Σ = I or U diag(1, 1, ¼, 1/16, 1) Uᵀ
   with a random rotation U; L = 1 … 4 layers of gradient descent, of preconditioned gradient
   descent and of GD++; a three-layer linear Transformer, trained.
2. von Oswald et al. 2023: N = d = 10, x uniform in (−1, 1)^d, w ~ N(0, I); one step and a trained
   layer; two loops of GD, of GD++ and of a trained layer; 50 steps damped by 0.75. Their code draws
   x from (−½, ½)^d and halves the loss: losses over E y² depend on neither.
3. Fu et al. 2024: n = 40, d = 20, x ~ N(0, Σ), κ(Σ) = 1 or 100 (half of the eigenvalues), w ~
   N(0, I); gradient descent (η = 0.01, and 1/λ_max where κ = 100 [ours]) against Newton's iteration
   from M₀ = 2S/‖S²‖_F, step by step.
4. Precision: Liu et al. 2025, n = 20, d = 5, 300 steps of gradient descent in float32; and the
   smallest error that gradient descent, conjugate gradients, Newton's iteration and the paths of
   `loopcore.run` reach for κ = 1 … 10⁶ in both types [ours].

Settings are those of the authors' public code where the papers leave them open. Their numbers are
closed forms, or printed in their notebooks; what they give as a figure is compared in kind alone.
Losses are measured by loopcore's models on fresh prompts, exactly over the queries; steps are
chosen on other prompts, or known. Models are trained by `loopcore.fit` in the coordinates
Σ^(−1/2) x, where the loss has the same minima. Numbers are means over independent repeats with
Student's 95 % intervals, and medians over tasks where tails are heavy. Trained softmax Transformers
are out of scope.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import product

from loopcore.studies.frame.blas import one_blas_thread
from loopcore.studies.frame.parts import SILENT, Parts
from loopcore.studies.frame.study import Study
from loopcore.studies.literature import closed, floors, table
from loopcore.studies.literature.ahn import Layers, Trained, measure_layers, measure_trained
from loopcore.studies.literature.config import FULL, QUICK, Config
from loopcore.studies.literature.figure import plot
from loopcore.studies.literature.findings import findings
from loopcore.studies.literature.fu import KAPPAS, Iterations, measure_iterations
from loopcore.studies.literature.oswald import (
    Damped,
    Layer,
    Loops,
    measure_damped,
    measure_layer,
    measure_loops,
)
from loopcore.studies.literature.precision import (
    Descent32,
    Floor,
    measure_descent32,
    measure_floor,
)
from loopcore.studies.literature.result import Result
from loopcore.studies.literature.sheets import sheets
from loopcore.studies.literature.summary import curve, stacked

__all__ = ["STUDY", "Config", "Result", "compute", "findings", "plot", "sheets"]


@one_blas_thread()
def compute(config: Config, parts: Parts = SILENT) -> Result:
    """Do the experiments again, and lay them beside what was published.

    Parameters
    ----------
    config : Config
        What to measure.
    parts : Parts
        Measures, moves the bar and keeps.

    Returns
    -------
    Result
        The same for the same configuration.

    Raises
    ------
    ModuleNotFoundError
        Without SciPy.

    Examples
    --------
    >>> sizes = {"matrices": 400, "prompts": 400, "batch": 400, "layer_prompts": 400, "tasks": 40}
    >>> small = Config(2, trainings=2, layer_iterations=1, floor_exponents=(1, 2), **sizes)
    >>> result = compute(small)
    >>> print(result.rows[0].quantity, round(result.rows[0].theirs, 3))
    GD, L = 1, Σ = I 1.154
    """
    repeats = range(config.repeats)
    keys = list(product(closed.LAYERS, repeats))
    by_layer = parts("layers", keys, Layers, lambda key: measure_layers(config, key))
    one = [by_layer[i :: config.repeats] for i in repeats]  # of each repeat, L = 1 … 4
    layers = stacked(Layers, [stacked(Layers, part) for part in one])
    trainings = range(config.trainings)
    trained = parts("training", trainings, Trained, lambda key: measure_trained(config, key))
    layer = parts("one layer", repeats, Layer, lambda key: measure_layer(config, key))
    loops = parts("two loops", repeats, Loops, lambda key: measure_loops(config, key))
    damped = parts("many steps", repeats, Damped, lambda key: measure_damped(config, key))
    iterations = parts(
        "Newton",
        list(product(KAPPAS, repeats)),
        Iterations,
        lambda key: measure_iterations(config, key),
    )
    descent32 = parts("float32", repeats, Descent32, lambda key: measure_descent32(config, key))
    cells = [
        (method, dtype, e)
        for method, dtype in product(floors.METHODS, floors.DTYPES)
        for e in config.floor_exponents
        if floors.runs(method, e, config.plain_exponent)
    ]
    found = dict(
        zip(
            cells,
            parts("floors", cells, Floor, lambda key: measure_floor(config, key)),
            strict=True,
        )
    )
    curves = [
        curve(method, dtype, [part for cell, part in found.items() if cell[:2] == (method, dtype)])
        for method, dtype in product(floors.METHODS, floors.DTYPES)
    ]
    result = Result(
        config,
        (),
        layers,
        stacked(Trained, trained),
        stacked(Layer, layer),
        stacked(Loops, loops),
        stacked(Damped, damped),
        tuple(
            stacked(Iterations, iterations[i * config.repeats : (i + 1) * config.repeats])
            for i in range(len(KAPPAS))
        ),
        stacked(Descent32, descent32),
        tuple(curves),
    )
    return replace(result, rows=table.rows(result))


STUDY = Study(
    name="literature",
    title="Published experiments, done again",
    question=(
        "Which results that were published on in-context linear regression do loopcore's models "
        "reproduce, and to how many per cent? Ahn et al. 2023, von Oswald et al. 2023, Fu et al. "
        "2024, and the precision of iterative least squares."
    ),
    caption=(
        "Top left: loss after L layers on the tasks of Ahn et al., identity or rotated covariance; "
        "star: the mean loss printed in the authors' notebook for three trained layers. Top right: "
        "the best single step on the tasks of von Oswald et al., taken t times, undamped or damped "
        "by 0.75; the mean over prompts and their median. Bottom left: the median error of "
        "gradient descent and of Newton's iteration on the tasks of Fu et al. by step, for "
        "κ(Σ) = 1 and 100. Bottom right: the smallest relative error that each method reaches, by "
        "κ of XᵀX; dashed: u κ, dotted: u √κ. Bars are 95 % intervals, where they are wider than "
        "the marks."
    ),
    sources=(
        "K. Ahn et al., 2023, arXiv 2306.00297, and github.com/chengxiang/LinearTransformer",
        "J. von Oswald et al., 2023, arXiv 2212.07677, and "
        "github.com/google-research/self-organising-systems",
        "D. Fu et al., 2024, arXiv 2310.17086, and "
        "github.com/DeqingFu/transformers-icl-higher-order",
        "J. Liu et al., 2025, arXiv 2503.12295, and its public code, precision-ls",
    ),
    full=FULL,
    quick=QUICK,
    compute=compute,
    plot=plot,
    sheets=sheets,
    findings=findings,
)
