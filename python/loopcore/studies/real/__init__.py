"""In-context regression on real tables: the loop beside its bound, and beside other learners.

Open question 3 of the paper for data that nobody drew: prompts are random rows of the tables that
ship with scikit-learn and statsmodels, or of a file of the user's. For each prompt:

1. Is the relative error |⟨v(T), θ̂⟩ − α‖θ̂‖²| / (|α|‖θ̂‖²) below exp(−T/2κ), and how many loops
   does it take, beside those that the bound asks for? It is measured with `loopcore.errors`; the
   fewest loops to a tolerance come from its exact value Σ w_i (1 − λ_i/λ_max)^T, which the
   measured one is held against at every T. κ is over the non-zero eigenvalues of XᵀX.
2. How does κ depend on n/d, beside Marchenko and Pastur's limit, and beside prompts each of whose
   columns has rows of its own, so that the marginal distributions stay and correlations go?
3. What is the test error after T loops, and with T by cross-validation, beside least squares, ridge
   tuned on the same folds, nearest neighbours and the mean?

A prompt's columns and y are standardised by its own n rows, and the test rows are shifted and
scaled with them: nothing of a test row is used, and the centring stands for an intercept. A column
that is constant in a prompt becomes 0 and takes no part in it. Folds are standardised anew.
Learners are tuned without test rows: T among 0, 1, 2, 3, 4, 6, 8, 11, 16, …, ridge's penalty among
25 that are 10^(1/3) apart, both by the same five folds, neighbours by leaving out one row at a
time. Steps are η = 1/λ_max, α = 1 (relative errors do not depend on α).

Everything is a median over prompts with its bootstrap interval; comparisons are ratios prompt by
prompt. Prompts of one table share rows, so that intervals say how well random prompts of this table
are known, and nothing of other tables.

Source: arXiv 2410.11268 (loop and theorem); G. Raskutti, M. J. Wainwright and B. Yu, "Early
stopping and non-parametric regression", 2014, and A. Ali, J. Z. Kolter and R. J. Tibshirani, arXiv
1810.10082 (loops as regularisation). The choice of tables, targets and prompts, cross-validation
and the shuffled control are [ours].
"""

from __future__ import annotations

import zlib

from loopcore.studies.frame.blas import one_blas_thread
from loopcore.studies.frame.parts import SILENT, Parts
from loopcore.studies.frame.study import Study
from loopcore.studies.real.cells import Cell, Whole, cell, whole
from loopcore.studies.real.config import QUICK, Config
from loopcore.studies.real.figure import CAPTION, plot
from loopcore.studies.real.findings import findings
from loopcore.studies.real.measure import CHUNK, Part, measure_chunk
from loopcore.studies.real.result import Result
from loopcore.studies.real.sheets import sheets
from loopcore.studies.real.sources import from_file, shipped
from loopcore.tables import Table, TableError

__all__ = ["QUICK", "STUDY", "Cell", "Config", "Result", "Whole", "compute"]


@one_blas_thread()
def compute(config: Config, parts: Parts = SILENT) -> Result:
    """Draw prompts from the tables, loop over them, and predict their test rows.

    Parameters
    ----------
    config : Config
        What to measure.
    parts : Parts
        Measures the prompts of one table and n, some at a time.

    Returns
    -------
    Result
        The same for the same configuration and the same tables.

    Raises
    ------
    ModuleNotFoundError
        Without SciPy, and without scikit-learn or statsmodels for the tables of theirs.
    TableError
        If the user's file cannot be read as one task, or is too small.

    Examples
    --------
    >>> result = compute(Config(tables=("iris",), ratios=(4.0,), prompts=20, doublings=10))
    >>> cell = result.cells[0]
    >>> cell.table, cell.n, cell.d, cell.above_bound, cell.excess < 1e-12
    ('iris', 12, 3, 0, True)
    >>> round(result.tables[0].kappa)
    64
    """
    tables = [shipped(name) for name in config.tables]
    if config.csv is not None and config.target is not None:
        tables.insert(0, _enough(from_file(config.csv, config.target, config.drop), config))
    chunks = -(-config.prompts // CHUNK)
    plan = [(i, n) for i, table in enumerate(tables) for n in config.sizes(*table.X.shape)]
    marks = [zlib.crc32(table.X.tobytes() + table.y.tobytes()) for table in tables]
    # Of a file that has changed, kept parts are not used.
    keys = [(i, n, chunk, marks[i]) for i, n in plan for chunk in range(chunks)]
    measured = parts(
        "real tables", keys, Part, lambda key: measure_chunk(tables[key[0]], key[1], key[2], config)
    )
    wholes = [whole(table) for table in tables]
    cells = [
        cell(wholes[i], n, measured[k * chunks : (k + 1) * chunks], config)
        for k, (i, n) in enumerate(plan)
    ]
    return Result(config, config.loops, tuple(wholes), tuple(cells))


def _enough(table: Table, config: Config) -> Table:
    """Refuse a table from which no prompt can be drawn."""
    n, d = table.X.shape
    if not config.sizes(n, d):
        raise TableError(
            f"{table.source}: too few rows for prompts and test rows: {n}, with {d} features"
        )
    return table


STUDY = Study(
    name="real",
    title="Real tables",
    question=(
        "How do bound and measurement compare on real data? Prompts are random rows of tables that "
        "ship with scikit-learn and statsmodels, or of yours: how fast the loop converges beside "
        "exp(−T/2κ), which κ real columns have, and how well the loop predicts other rows."
    ),
    caption=CAPTION,
    sources=(
        "arXiv 2410.11268",
        "scikit-learn's tables: diabetes (B. Efron et al., 2004), wine, breast cancer, iris and "
        "digits (UCI Machine Learning Repository), linnerud",
        "statsmodels' tables, read as installed: anes96, ccard, elnino, fair, fertility, grunfeld, "
        "longley, macrodata, modechoice, randhie, scotland, star98, statecrime; origin and terms "
        "in SOURCE and COPYRIGHT of statsmodels.datasets",
        "A. Ali, J. Z. Kolter and R. J. Tibshirani, arXiv 1810.10082",
        "V. A. Marchenko and L. A. Pastur, 1967",
    ),
    full=Config(),
    quick=QUICK,
    compute=compute,
    plot=plot,
    sheets=sheets,
    findings=findings,
)
