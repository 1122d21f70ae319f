"""Training a looped Transformer by its own reverse mode, on a library's optimiser."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Literal, NamedTuple, SupportsIndex

import numpy as np
from numpy.typing import ArrayLike

from loopcore._arguments import read_index, read_word
from loopcore._attention import LoopedTransformer
from loopcore._objective import Objective, Tasks, Vector

Batch = tuple[ArrayLike, ArrayLike]
Draw = Callable[[np.random.Generator], Batch]
Watch = Callable[[int, float], object]


class Fit(NamedTuple):
    """A trained model, and how the training went."""

    model: LoopedTransformer
    """Of the lowest loss on tasks that stay the same, the last one on tasks that are drawn."""
    loss: float
    """Its mean squared error; on tasks that are drawn that of the last batch."""
    history: list[float]
    """The loss before the first iteration, and after each."""
    converged: bool
    """Whether L-BFGS met its tolerance. Adam has no such test: False."""
    message: str
    """Why the training ended."""


def fit(
    model: LoopedTransformer,
    tasks: Batch | Draw,
    T: SupportsIndex,
    parameters: str | Sequence[str],
    *,
    free: Mapping[str, ArrayLike] | None = None,
    optimizer: Literal["lbfgs", "adam"] = "lbfgs",
    iterations: SupportsIndex = 500,
    tolerance: float = 1e-10,
    learning_rate: float = 1e-3,
    rng: int | np.random.Generator | None = None,
    progress: bool | Watch = False,
    num_threads: SupportsIndex | None = None,
) -> Fit:
    """Train a looped Transformer to predict: minimise mean over tasks of (−y(T) − target)².

    y(T) is the y slot of the query row after T loops, whose negative is the prediction, as in
    `LoopedTransformer.predict`. Other losses are out of scope; `LoopedTransformer.vjp` is there for
    them.

    Parameters
    ----------
    model : LoopedTransformer
        Where the training starts; it stays as it is. Its steps must be numbers.
    tasks : (Z, target) or callable
        Literal prompts Z (..., n + 1, D), whose query rows have 0, or what the prediction is to
        start from, in the y slot, and what they should predict, target (...), in units of y; all
        arithmetic is float64. A callable ``tasks(rng)`` returns a fresh pair for every iteration
        of Adam.
    T : int
        Loops, at least 0.
    parameters : name, or sequence of names
        Which of "eta" or "schedule", "P", "Q" and "skip" are trained. The trained model has them in
        the shapes in which the given one had them: a number stays one number for all layers.
    free : mapping from names to boolean arrays, optional
        Which entries of a parameter are trained, broadcast to its shape; all by default. With
        update="targets" the entries that must stay what they are have no gradient, and stay.
    optimizer : "lbfgs" or "adam"
        SciPy's L-BFGS (extra ``fit``), for tasks that stay the same, or PyTorch's Adam (``adam``).
    iterations : int
        The most iterations; Adam makes all of them.
    tolerance : float
        L-BFGS has converged when an iteration lowers the loss by less than this part of the first
        loss.
    learning_rate : float
        Of Adam: about how far a parameter goes in one iteration, in its units.
    rng : int or numpy.random.Generator, optional
        What `tasks` draws from. With a seed the result is always the same.
    progress : bool or callable
        True shows a bar (tqdm, extra ``studies``); ``progress(iteration, loss)`` is called after
        each iteration.
    num_threads : int, optional
        Threads over the tasks, as for the call of a model.

    Returns
    -------
    Fit
        ``(model, loss, history, converged, message)``; the loss is a mean squared error, without a
        factor ½, in units of y². Ctrl-C ends the training and returns what it has, if it has
        begun.

    Raises
    ------
    ImportError
        Where the library of the optimiser or of the bar is missing.
    TypeError
        For tasks that are neither a pair nor a callable, and as `LoopedTransformer.vjp`.
    ValueError
        For unknown names, parameters that the model was not given, a first loss that is not finite,
        L-BFGS on tasks that are drawn, models that predict from other slots than y
        (`loopcore.models.newton`), and as `LoopedTransformer.vjp`.

    Notes
    -----
    A trial of L-BFGS that diverges counts as ten times the first loss with no slope, so that the
    line search turns back; Adam ends at one.

    Gradient descent predicts the same with its steps in any order, so that a schedule of equal
    steps stays one, at the best constant, which is a saddle: start from steps that differ.

    Source: D. C. Liu and J. Nocedal, "On the limited memory BFGS method for large scale
    optimization", 1989; D. P. Kingma and J. Ba, "Adam", 2014, arXiv 1412.6980.

    Examples
    --------
    The best single step of gradient descent on Gaussian tasks tends to 1/(n + d + 1):

    >>> import numpy as np, loopcore
    >>> rng, n, d = np.random.default_rng(0), 6, 3
    >>> X, w = rng.standard_normal((20_000, n + 1, d)), rng.standard_normal((20_000, d, 1))
    >>> Z = np.concatenate([X, X @ w], axis=-1)
    >>> target = Z[:, -1, -1].copy()
    >>> Z[:, -1, -1] = 0
    >>> model = loopcore.models.gradient_descent(d, update="targets", eta=0.01)
    >>> trained = loopcore.fit(model, (Z, target), 1, "eta")
    >>> trained.converged, round(float(trained.model.eta[0]), 2)
    (True, 0.1)
    """
    word = read_word(optimizer, "optimizer", ("lbfgs", "adam"))
    most = read_index(iterations, "iterations", 0)
    objective = Objective(model, T, parameters, free, num_threads)
    if callable(tasks) and word == "lbfgs":
        raise ValueError("tasks: expected (Z, target) with optimizer='lbfgs', got a callable")
    with _watch(progress, most) as watch:
        search = _Search(objective, tasks, np.random.default_rng(rng), watch)
        try:
            if word == "lbfgs":
                converged, message = _run_lbfgs(search, most, tolerance)
            else:
                converged, message = _run_adam(search, most, learning_rate)
        except KeyboardInterrupt:
            if not search.history:
                raise
            converged, message = False, f"interrupted in iteration {len(search.history)}"
    return Fit(objective.model(search.best), search.loss, search.history, converged, message)


class _Search:
    """Where the training stands."""

    def __init__(
        self, objective: Objective, tasks: Any, rng: np.random.Generator, watch: Watch
    ) -> None:
        self._objective = objective
        self._draw = tasks if callable(tasks) else None
        self._tasks = None if callable(tasks) else objective.read_tasks(tasks)
        self._rng = rng
        self._watch = watch
        self.best = objective.start()
        self.loss = np.inf
        self.history: list[float] = []

    def evaluate(self, vector: Vector) -> tuple[float, Vector]:
        """Return loss and gradient, on the tasks or a fresh batch, and keep the better vector."""
        loss, gradient = self._objective(vector, self._batch())
        if not self.history and loss == np.inf:
            raise ValueError("model: expected a finite loss to start from, got one that diverges")
        if loss < self.loss or (self._draw is not None and loss < np.inf):
            self.best, self.loss = vector.copy(), loss
        return loss, gradient

    def record(self, loss: float) -> None:
        """Note the loss before the first iteration, or after one."""
        self.history.append(loss)
        if len(self.history) > 1:
            self._watch(len(self.history) - 1, loss)

    def _batch(self) -> Tasks:
        if self._tasks is not None:
            return self._tasks
        assert self._draw is not None
        return self._objective.read_tasks(self._draw(self._rng))


def _run_lbfgs(search: _Search, iterations: int, tolerance: float) -> tuple[bool, str]:
    """Minimise by SciPy's L-BFGS; return whether it converged, and its message."""
    try:
        from scipy.optimize import minimize
    except ImportError as error:
        raise ImportError("optimizer='lbfgs' needs SciPy: pip install 'loopcore[fit]'") from error
    start = search.best
    first, gradient = search.evaluate(start)
    search.record(first)
    if not gradient.any():
        return True, "the gradient is zero at the start"
    if not iterations:
        return False, "0 iterations"
    last = first

    def relative(vector: Vector) -> tuple[float, Vector]:
        # SciPy's tolerances are absolute for losses below one: we minimise loss / first loss.
        nonlocal last
        last, gradient = search.evaluate(vector)
        return 10.0 if last == np.inf else last / first, gradient / first

    # The iterate is what the line search tried last.
    options = {"maxiter": iterations, "ftol": tolerance, "gtol": 0.0}
    result = minimize(
        relative,
        start,
        jac=True,
        method="L-BFGS-B",
        callback=lambda _: search.record(last),
        options=options,
    )
    return bool(result.success), str(result.message)


def _run_adam(search: _Search, iterations: int, learning_rate: float) -> tuple[bool, str]:
    """Make the iterations of PyTorch's Adam; return False, for it has no test, and a message."""
    try:
        import torch
    except ImportError as error:
        raise ImportError("optimizer='adam' needs PyTorch: pip install 'loopcore[adam]'") from error
    point = torch.tensor(search.best, requires_grad=True)
    adam = torch.optim.Adam([point], lr=learning_rate)
    for iteration in range(iterations + 1):
        loss, gradient = search.evaluate(point.detach().numpy())
        if loss == np.inf:
            return False, f"diverged in iteration {iteration}: use a smaller learning_rate"
        search.record(loss)
        if iteration < iterations:
            point.grad = torch.from_numpy(gradient)
            adam.step()
    return False, f"{iterations} iterations"


@contextmanager
def _watch(progress: bool | Watch, iterations: int) -> Iterator[Watch]:
    """Give what is called with the number of an iteration and its loss."""
    if callable(progress):
        yield progress
        return
    if not progress:
        yield lambda _iteration, _loss: None
        return
    try:
        from tqdm import tqdm
    except ImportError as error:
        raise ImportError("progress=True needs tqdm: pip install 'loopcore[studies]'") from error
    with tqdm(total=iterations, desc="fit") as bar:

        def advance(iteration: int, loss: float) -> None:
            bar.set_postfix(loss=f"{loss:.4g}", refresh=False)
            bar.update(iteration - bar.n)

        yield advance
