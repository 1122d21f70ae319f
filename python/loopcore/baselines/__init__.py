"""What in-context learners are measured against: classical estimators, over batches of tasks.

Every function predicts at queries from examples, by one common shape::

    predictions = baselines.ridge(X, y, x_query, penalty=[0.1, 1.0, 10.0])

    X         (..., n, d)               in-context inputs, one example a row
    y         (..., n)                  in-context targets
    x_query   (..., m, d) or (..., d)   m queries a task, or one: as `LoopedTransformer.predict`
    returns   (..., m) or (...)         float32 if all three are, otherwise float64

Leading axes broadcast, so that one X may serve many y. No estimator has an intercept: centre the
data where that is wanted. The linear ones predict ⟨θ, x⟩, so that the queries np.eye(d), with as
many axes as X, return θ itself.

A tuned estimator is given several candidates (penalties, loops, steps, neighbours) and takes of
each task those of the least squared error on examples that were left out, the first ones where two
are equal. It never sees the queries' targets. Ridge, kernel ridge and neighbours leave out each
example in turn, in closed form; the others leave out ``folds`` parts of the examples in turn, and
cost ``folds`` times more: part k has the examples k, k + folds, k + 2 folds, …. One candidate is
taken as it is.

Centring X and y by the means of all n examples tells of those that are left out: each is minus the
sum of the others. Where n ≤ d + 1, ridge (and kernel ridge that is "linear") then predicts any one
from the others without error as the penalty falls, so that the smallest candidate is taken,
whatever the noise. Neighbours do not change. Choose on parts that are centred by the rest alone
there, as `loopcore.studies.real` does.

Errors are those of the rest of loopcore. TypeError: anything but real numbers of at most 64 bits.
ValueError: shapes that do not fit, candidates out of range; the message names the argument, what
was expected and what came. ModuleNotFoundError: `lasso` needs scikit-learn, `nearest_neighbors`
and `kernel_ridge` with "rbf" need SciPy, extra ``studies``. A task with a NaN or an infinity is
predicted NaN and leaves the others alone. DivergenceWarning: finite input gave predictions that are
not finite.

Arithmetic is float64. All are batched but `lasso`, which loops over tasks in scikit-learn. Of
10,000 tasks with n = 40 and d = 20 the others take 0.1 to 1 s for one candidate on one core, and
`kernel_ridge` 4 s.
"""

from loopcore.baselines.descent import chebyshev as chebyshev
from loopcore.baselines.descent import early_stopping as early_stopping
from loopcore.baselines.descent import gradient_descent as gradient_descent
from loopcore.baselines.descent import preconditioned as preconditioned
from loopcore.baselines.iterative import conjugate_gradient as conjugate_gradient
from loopcore.baselines.iterative import momentum as momentum
from loopcore.baselines.iterative import newton as newton
from loopcore.baselines.kernel import kernel_ridge as kernel_ridge
from loopcore.baselines.linear import averaging as averaging
from loopcore.baselines.linear import lasso as lasso
from loopcore.baselines.linear import least_squares as least_squares
from loopcore.baselines.linear import ridge as ridge
from loopcore.baselines.linear import ridge_penalty as ridge_penalty
from loopcore.baselines.neighbors import nearest_neighbors as nearest_neighbors

__all__ = [
    "averaging",
    "chebyshev",
    "conjugate_gradient",
    "early_stopping",
    "gradient_descent",
    "kernel_ridge",
    "lasso",
    "least_squares",
    "momentum",
    "nearest_neighbors",
    "newton",
    "preconditioned",
    "ridge",
    "ridge_penalty",
]
