"""LoopedTransformer: the family of looped attention, run as its description says."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, SupportsIndex

import numpy as np
from numpy.typing import ArrayLike, NDArray

from loopcore._arguments import (
    broadcast_leading,
    common_type,
    read_at,
    read_index,
    read_real,
    read_threads,
)
from loopcore._looped import warn_of_divergence
from loopcore._looped_vjp import ModelGradient, pull_back
from loopcore._model_loops import ModelLoops
from loopcore._prompts import Prompt, read_first_values, read_prompt, read_rows, read_targets

Array = NDArray[Any]


class LoopedTransformer(ModelLoops):
    """A looped Transformer of self-attention layers: its weights, and how it uses them.

    A prompt Z has one token a row, width D ≥ 2, laid out x, extra channels, y; its last row is the
    query, the n before it are the context. One loop is the L layers in turn, and layer l moves its
    rows, all from the same old Z::

        Z ← Z skip − η_l Σ_h Attn(Z; P_lh, Q_lh)
        Attn(Z; P, Q) = (M ∘ h(Z Q Zᵀ)) Z P

    Rows that do not move keep their value. Layer norms and MLPs are out of scope.

    Parameters
    ----------
    P, Q : (D, D), (L, D, D) or (L, H, D, D) array
        Value weights and query–key weights: of one layer, of a looped block of L layers, and of
        those with H heads.
    eta : None, "optimal", or array that broadcasts to (..., L)
        The step of each layer, in units that make η · scores · P dimensionless. None is 1/λ_max of
        the prompt, "optimal" 2/(λ_min + λ_max) over the non-zero eigenvalues, of S W_l with
        S = Σ_keys zᵀz. That means something for linear attention with one head where

        - update="query", mask="context" and W_l = P_l Q_l is symmetric positive semidefinite, or
        - update="targets" or "all", mask="context" or "all", P_l is zero but for
          P_l[−1, −1] = p > 0 and Q_l is zero on the y slot and symmetric positive semidefinite:
          W_l = p Q_l;

        ValueError otherwise. A prompt whose keys are zero has η = 0.
    schedule : (..., T, L) array, optional
        The step of each layer in each loop, instead of eta. A call of fewer loops takes the first
        ones; a last axis of 1 is the same step for all layers.
    attention : "linear", "softmax", "relu" or "exp"
        h, what becomes of a score s: s itself, its part in the softmax of its row, max(s, 0), eˢ.
    update : "query", "all" or "targets"
        What moves: the query row; all rows; or of every row the y slot, for which P must be zero
        but for P[−1, −1], Q zero in the row and column of y, and skip the identity outside its last
        column.
    mask : "context", "all" or "causal"
        M, where row i attends to: the n rows of context, all n + 1 rows, or the rows j ≤ i, as
        decoders do. A row without keys gets no attention.
    scale : "sum" or "mean"
        "mean" multiplies a given η by 1/n; with n = 0 the attention is left out and skip alone
        acts. The steps of eta=None and "optimal" are those of S/n then, so that η S stays what it
        is.
    normalize : "masked" or "all"
        What softmax sums to one over: the keys that the row may see, or all n + 1 rows, of which
        the mask then takes its part, as the code of Ahn et al. does.
    skip : (D, D) array, optional
        What a row that moves is multiplied by; the identity by default.

    Attributes
    ----------
    P, Q : (L, H, D, D) array
        Read-only, float64, as are all arrays.
    skip : (D, D) array
    eta : (..., L) array, None or "optimal"
    schedule : (..., T, L) array or None
    attention, update, mask, scale, normalize : str

    Raises
    ------
    TypeError
        For anything but real numbers of at most 64 bits, and words that are no strings.
    ValueError
        For shapes that do not fit, unknown words, eta and schedule together, and what the
        parameters above exclude. The message names the argument, what was expected and what came.

    Notes
    -----
    A model is immutable: equal models have equal hashes, and it can be pickled.

    Linear attention costs about D² a loop and moving row however large n is: it works with
    S = Σ zᵀz. Where 2 n ≤ 3 D + 12 it takes the rows themselves, up to four times as long, because
    S may be so ill-conditioned that many loops on it lose digits. Of more examples the paper's
    weights are computed by `loopcore.run`, and so is what `predict` makes of gradient descent whose
    y slots move. The squares of a prompt's numbers must be in the range of float64: of entries
    beyond 1e±150 results may be NaN or zero where the formula above has numbers.

    Source: the layer of K. Ahn, X. Cheng, H. Daneshmand and S. Sra, "Transformers learn to
    implement preconditioned gradient descent for in-context learning", 2023, arXiv 2306.00297, with
    tokens as rows, and looped as in K. Gatmiry et al., "Can looped Transformers learn to implement
    multi-step gradient descent for in-context learning?", 2024, arXiv 2410.08292. There
    Z ← Z + Attn/n: our P is minus theirs, with scale="mean" and η = 1.

    Examples
    --------
    The paper's construction: only q moves, and −q is what `loopcore.run` generates.

    >>> import numpy as np, loopcore
    >>> model = loopcore.LoopedTransformer(np.diag([1, 1, 0]), np.eye(3), eta=0.25)
    >>> X, y = np.array([[1.0, 0.0], [0.0, 2.0]]), np.array([1.0, 1.0])
    >>> model.generate(X, y, 1.0, 2)
    array([0.4375, 0.5   ])
    >>> loopcore.run(X, y, 1.0, 2, eta=0.25)
    array([0.4375, 0.5   ])
    """

    # ---- literal prompts -------------------------------------------------------------------------

    def __call__(
        self, Z: ArrayLike, T: SupportsIndex, *, num_threads: SupportsIndex | None = None
    ) -> Array:
        """Return Z(T), the prompt after T loops.

        Parameters
        ----------
        Z : (..., n + 1, D) array
            Prompts: n rows of context, then the query.
        T : int
            Loops, at least 0.
        num_threads : int, optional
            Threads over the prompts, or over the parts of a few large ones; OMP_NUM_THREADS or all
            cores by default.

        Returns
        -------
        (..., n + 1, D) array
            A new one, float32 if Z is, otherwise float64. Its leading axes are the broadcast of
            those of Z and of the model's steps.

        Raises
        ------
        TypeError
            For a Z that is not real, and a T that is no integer.
        ValueError
            For shapes that do not fit, T < 0, and a schedule of fewer than T loops.

        Warns
        -----
        DivergenceWarning
            Once, if finite input gave a result that is not finite.

        Examples
        --------
        >>> import numpy as np, loopcore
        >>> model = loopcore.LoopedTransformer(np.diag([0, 1]), np.diag([1, 0]), update="targets")
        >>> model([[1, 2], [1, 2], [2, 0]], 50)
        array([[ 1.,  0.],
               [ 1.,  0.],
               [ 2., -4.]])
        """
        rows, T = read_prompt(Z, self.width), read_index(T, "T")
        broadcast_leading(("Z", rows.shape, 2), *self._step_shapes())
        threads = read_threads(num_threads)
        end, finite = self._loop_prompt(rows, T, None, threads)
        if not finite:
            self._warn(end, 2, [(rows, 2)])
        return end

    def trajectory(
        self,
        Z: ArrayLike,
        T: SupportsIndex,
        at: ArrayLike | None = None,
        *,
        num_threads: SupportsIndex | None = None,
    ) -> Array:
        """Return Z(t), the prompt after each of the loops named in `at`.

        Parameters
        ----------
        Z, T, num_threads
            As for the call of a model.
        at : (K,) array of int, optional
            Loops after which to read out, sorted, each in 0 … T; all of them by default.

        Returns
        -------
        (..., K, n + 1, D) array

        Raises
        ------
        TypeError, ValueError
            As the call of a model, and for an `at` that is not as above.

        Warns
        -----
        DivergenceWarning
            As the call of a model.

        Examples
        --------
        >>> import numpy as np, loopcore
        >>> model = loopcore.LoopedTransformer(np.diag([0, 1]), np.diag([1, 0]), 0.25, update="all")
        >>> model.trajectory([[1, 2], [1, 2], [2, 0]], 2)[:, -1]
        array([[ 2.,  0.],
               [ 2., -2.],
               [ 2., -3.]])
        """
        rows, T = read_prompt(Z, self.width), read_index(T, "T")
        broadcast_leading(("Z", rows.shape, 2), *self._step_shapes())
        loops, threads = read_at(at, T), read_threads(num_threads)
        states, finite = self._loop_prompt(rows, T, loops, threads)
        if not finite:
            self._warn(states, 3, [(rows, 2)])
        return states

    # ---- examples and queries --------------------------------------------------------------------

    def generate(
        self,
        X: ArrayLike,
        y: ArrayLike,
        alpha: ArrayLike,
        T: SupportsIndex,
        q0: ArrayLike | None = None,
        *,
        num_threads: SupportsIndex | None = None,
    ) -> Array:
        """Return v = −q(T) of the prompt [[X, y], [q0, α]], for models with update="query".

        Parameters
        ----------
        X : (..., n, d) array
            In-context inputs, one example a row; d = D − 1, or what the model's constructor says.
        y : (..., n) array
            In-context targets.
        alpha : (...) array
            The value to generate: <v, θ> tends to it where the model descends on ½‖Xθ − y‖².
        T : int
            Loops, at least 0.
        q0 : (..., d) array, optional
            The query row to start from, zero by default.
        num_threads : int, optional
            As for the call of a model.

        Returns
        -------
        (..., d) array
            float32 if X, y and q0 all are, otherwise float64.

        Raises
        ------
        TypeError, ValueError
            As the call of a model, and ValueError unless update="query".

        Warns
        -----
        DivergenceWarning
            As the call of a model.

        Notes
        -----
        Source: linear vector generation, arXiv 2410.11268; the sign of v is ours.

        Examples
        --------
        >>> import numpy as np, loopcore
        >>> model = loopcore.models.gradient_descent(2)
        >>> X = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
        >>> model.generate(X, X @ [0.6, 0.8], 1.0, 100).round(6)
        array([0.6, 0.8])
        """
        if self.update != "query":
            raise ValueError(f"update: expected 'query' to generate, got {self.update!r}")
        context = read_rows(X, "X", 2, self._features())
        targets = read_targets(y, context)
        T, threads = read_index(T, "T"), read_threads(num_threads)
        d = context.shape[-1]
        value = read_real(alpha, "alpha").astype(np.float64)
        start = np.zeros(d, np.float32) if q0 is None else read_rows(q0, "q0", 1, d)
        dtype = common_type(context, targets, start)
        inputs = [(context, 2), (targets, 1), (value, 0), (start, 1)]
        names = ("X", "y", "alpha", "q0")
        shapes = [(name, a.shape, axes) for name, (a, axes) in zip(names, inputs, strict=True)]
        broadcast_leading(*shapes, *self._step_shapes())
        if self._is_run(context.shape[-2]):
            return self._run(context, targets, value, T, q0=start, num_threads=threads)
        with np.errstate(all="ignore"):
            context, start = (a.astype(dtype, copy=False) for a in (context, start))
            state = self._tokens.lift_state(start)[..., None, :]  # (..., 1, D − 1)
            rows = self._tokens.lift(context, context)  # (..., n, D − 1)
            prompt = Prompt(rows, targets, state, value[..., None])
            end, _ = self._loop(prompt, T, only_queries=True, num_threads=threads)
            v = self._tokens.read_state(end[..., 0, :]).astype(dtype)
        self._warn(v, 1, inputs)
        return v

    def predict(
        self,
        X: ArrayLike,
        y: ArrayLike,
        x_query: ArrayLike,
        T: SupportsIndex,
        y0: ArrayLike = 0.0,
        *,
        num_threads: SupportsIndex | None = None,
    ) -> Array:
        """Return minus the y slot of x_query after T loops on the prompt [[X, y], [x_query, y0]].

        Parameters
        ----------
        X : (..., n, d) array
            In-context inputs, one example a row; d = D − 1, or what the model's constructor says.
        y : (..., n) array
            In-context targets.
        x_query : (..., m, d) or (..., d) array
            m queries a context if it has as many axes as X or more, one query otherwise. Queries
            never see each other.
        T : int
            Loops, at least 0.
        y0 : (..., m) or (...) array
            What the y slots of the queries start from, zero by default. It has the axes of the
            result.
        num_threads : int, optional
            As for the call of a model.

        Returns
        -------
        (..., m) or (...) array
            float32 if X, y and x_query all are, otherwise float64.

        Raises
        ------
        TypeError, ValueError
            As the call of a model, and ValueError for a model that leaves the y slot as it is.

        Warns
        -----
        DivergenceWarning
            As the call of a model.

        Notes
        -----
        Source: the read-out of arXiv 2306.00297. With mask="context" all queries of a context share
        its loops; otherwise, and for normalize="all", each has its own.

        Examples
        --------
        >>> import numpy as np, loopcore
        >>> model = loopcore.models.gradient_descent(2, update="targets")
        >>> X = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
        >>> model.predict(X, X @ [0.6, 0.8], [[1.0, 0.0], [1.0, 1.0]], 100).round(6)
        array([0.6, 1.4])
        """
        if not self._tokens.moves_targets(self.P, self.skip):
            raise ValueError(
                "P: expected weights that move the y slot to predict, got a last column of zeros"
            )
        context = read_rows(X, "X", 2, self._features())
        targets = read_targets(y, context)
        T, threads = read_index(T, "T"), read_threads(num_threads)
        many = read_real(x_query, "x_query").ndim >= context.ndim
        queries = read_rows(x_query, "x_query", 1 + many, context.shape[-1])
        dtype = common_type(context, targets, queries)
        inputs = [(context, 2), (targets, 1), (queries, 1 + many)]
        names = ("X", "y", "x_query")
        shapes = [(name, a.shape, axes) for name, (a, axes) in zip(names, inputs, strict=True)]
        lead = broadcast_leading(*shapes, *self._step_shapes())
        core = queries.shape[-2:-1] if many else ()
        first = read_first_values(y0, (*lead, *core), many=many)
        slots = first if many else first[..., None]  # (..., m)
        with np.errstate(all="ignore"):
            queries = queries.astype(dtype, copy=False)
            queries = queries if many else queries[..., None, :]
            if self.update != "query" and self._is_run(context.shape[-2]):
                # In the type of the result, of float32 examples too where the queries are float64.
                start = np.zeros(context.shape[-1], dtype)
                theta = self._run(context, targets, 1.0, T, q0=start, num_threads=threads)
                inputs.append((theta, 1))  # where it is not finite, that was run's to say
                # Not by matmul, whose bits depend on the layout and on the prompts around.
                terms = np.multiply(
                    queries, theta[..., None, :], dtype=np.float64, order="C"
                )  # (..., m, d)
                predicted = terms.sum(-1) - slots
            else:
                context = context.astype(dtype, copy=False)
                rows = self._tokens.lift(context, context)  # (..., n, D − 1)
                lifted = self._tokens.lift(queries, context)  # (..., m, D − 1)
                end = self._end_of_queries(Prompt(rows, targets, lifted, slots), T, threads)
                predicted = self._tokens.read_prediction(end, context, targets, T)
            predicted = predicted.astype(dtype, copy=False)
        result: Array = predicted if many else predicted[..., 0]
        self._warn(result, len(core), [*inputs, (first, len(core))])
        return result

    def operator(
        self,
        X: ArrayLike,
        y: ArrayLike,
        T: SupportsIndex,
        *,
        num_threads: SupportsIndex | None = None,
    ) -> Array:
        """Return A, by which T loops multiply every row: z(T) = z(0) A.

        It exists for linear attention with update="all" and mask="context", where every row moves
        by the same matrix: with S = Σ_context zᵀz, A is the product of

            A_l = skip − η_l Σ_h Q_lh S P_lh,  S ← A_lᵀ S A_l

        over the layers of all loops.

        Parameters
        ----------
        X : (..., n, d) array
            In-context inputs, one example a row; d = D − 1, or what the model's constructor says.
        y : (..., n) array
            In-context targets.
        T : int
            Loops, at least 0.
        num_threads : int, optional
            As for the call of a model.

        Returns
        -------
        (..., D, D) array
            float32 if X and y are, otherwise float64.

        Raises
        ------
        TypeError, ValueError
            As the call of a model, and ValueError for other models.

        Warns
        -----
        DivergenceWarning
            As the call of a model.

        Examples
        --------
        >>> import numpy as np, loopcore
        >>> model = loopcore.LoopedTransformer(np.diag([0, 1]), np.diag([1, 0]), 0.25, update="all")
        >>> X, y = np.array([[1.0], [1.0]]), np.array([2.0, 2.0])
        >>> model.operator(X, y, 2)
        array([[ 1. , -1.5],
               [ 0. ,  1. ]])
        >>> [2.0, 0.0] @ model.operator(X, y, 2)
        array([ 2., -3.])
        """
        for name, expected in (("attention", "linear"), ("update", "all"), ("mask", "context")):
            if getattr(self, name) != expected:
                raise ValueError(
                    f"{name}: expected {expected!r}, for which alone all rows move by one matrix, "
                    f"got {getattr(self, name)!r}"
                )
        context = read_rows(X, "X", 2, self._features())
        targets = read_targets(y, context)
        T, threads = read_index(T, "T"), read_threads(num_threads)
        dtype = common_type(context, targets)
        D = self.width
        inputs = [(context, 2), (targets, 1)]
        broadcast_leading(("X", context.shape, 2), ("y", targets.shape, 1), *self._step_shapes())
        with np.errstate(all="ignore"):
            context = context.astype(dtype, copy=False)
            rows = self._tokens.lift(context, context)
            # Queries never see each other, so that the D unit rows become the rows of A.
            unit = np.eye(D, dtype=rows.dtype)
            prompt = Prompt(rows, targets, unit[:, :-1], unit[:, -1])
            A, _ = self._loop(prompt, T, only_queries=True, num_threads=threads)
            A = A.astype(dtype)
        self._warn(A, 2, inputs)
        return A

    # ---- gradients -------------------------------------------------------------------------------

    def vjp(
        self, Z: ArrayLike, T: SupportsIndex, *, num_threads: SupportsIndex | None = None
    ) -> tuple[Array, Callable[[ArrayLike], ModelGradient]]:
        """Return Z(T), and the function that takes its adjoint to those of the model and of Z.

        Parameters
        ----------
        Z, T, num_threads
            As for the call of a model; the pullback takes as many threads. Gradients have the same
            bits for any number.

        Returns
        -------
        value : (..., n + 1, D) array
            Z(T), as the call of the model returns it.
        pullback : callable
            ``pullback(Z_bar)`` with Z_bar (..., n + 1, D), the derivative of a number by Z(T),
            returns the gradient of that number, ``ModelGradient(P, Q, eta, schedule, skip, Z)``:
            each in the shape in which it was given, None for what was not. It may be called more
            than once.

        Raises
        ------
        TypeError, ValueError
            As the call of a model, and ValueError for steps that adapt to the prompt (eta=None and
            "optimal"). The pullback raises ValueError for a Z_bar that is not of the shape of Z(T).

        Notes
        -----
        With update="targets" the gradient is that by the entries that such a model may have other
        than zero: P[-1, -1], Q without the row and the column of the y slot, and the last column of
        skip; the others are zero.

        At a score of zero, where ReLU has a kink, its derivative counts as zero. What the prompts
        pass through is computed once more by each pullback, which keeps the rows that move (for
        linear attention with update="all" two (D, D) matrices) before every layer of every loop
        while they fit 16 MiB a thread, and of more the square root, at the price of one more pass.
        The sums over prompts of the weights' gradients take up to 64 MiB, or where the weights are
        larger one such sum a thread.
        The arithmetic is float64 for every Z.

        Source: reverse accumulation; A. Griewank, A. Walther, "Evaluating Derivatives", 2008,
        chapters 3 and 12. Scores are computed once more rather than kept, as in T. Dao et al.,
        "FlashAttention", 2022, arXiv 2205.14135.

        Examples
        --------
        How the prediction for x = 2 depends on its own target slot, and on the step:

        >>> import numpy as np, loopcore
        >>> model = loopcore.LoopedTransformer(np.diag([0, 1]), np.diag([1, 0]), 0.25, update="all")
        >>> value, pullback = model.vjp([[1.0, 2.0], [1.0, 2.0], [2.0, 0.0]], 2)
        >>> gradient = pullback([[0.0, 0.0], [0.0, 0.0], [0.0, 1.0]])
        >>> gradient.Z[-1], gradient.eta
        (array([-1.5,  1. ]), array(-8.))
        """
        if self._roots is not None:
            step = "1/λ_max" if self.eta is None else "2/(λ_min + λ_max)"
            raise ValueError(
                f"eta: expected numbers or a schedule, by which alone a model is differentiated, "
                f"got {self.eta!r}, which is {step} of the prompt; pass eta=..."
            )
        # Of its own: the caller may write to Z before the pullback.
        rows, T = np.array(read_prompt(Z, self.width)), read_index(T, "T")
        threads = read_threads(num_threads)
        value = self(rows, T, num_threads=threads)
        steps = self._steps(Prompt.literal(rows), T)

        def pullback(Z_bar: ArrayLike) -> ModelGradient:
            shapes = self._shapes
            return pull_back(
                rows, self._layers, steps, T, Z_bar, shapes=shapes, num_threads=threads
            )

        return value, pullback

    # ---- arguments -------------------------------------------------------------------------------

    def _features(self) -> int:
        """Return d."""
        return self._tokens.features(self.width)

    def _warn(self, result: Array, core_axes: int, inputs: list[tuple[Array, int]]) -> None:
        """Warn the caller if finite input gave a result that is not finite."""
        own: list[tuple[Array, int]] = [(self.P, 4), (self.Q, 4), (self.skip, 2)]
        if self.schedule is not None:
            own.append((self.schedule, 2))
        elif isinstance(self.eta, np.ndarray):
            own.append((self.eta, 1))
        given = len(own) > 3
        advice = "use a smaller step size" if given else "the numbers leave the range of the type"
        warn_of_divergence(result, core_axes, [*inputs, *own], advice)
