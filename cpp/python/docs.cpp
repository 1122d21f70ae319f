#include "docs.hpp"

namespace loopcore::python {

// What the three share stands once.
namespace {

constexpr const char* prompt = R"(Parameters
----------
X : (..., n, d) array
    In-context inputs, one example a row. Read where it lies, whatever its strides, byte
    order or alignment; a broadcast axis costs no memory.
y : (..., n) array
    In-context targets; realizable where y = X theta*.
alpha : (...) array or float
    The value to generate: <v, theta*> tends to alpha.
T : int
    Loops, at least 0.
)";

constexpr const char* options = R"(eta : None, (...) array, float, "optimal" or "chebyshev"
    Step size, in units of 1/X^2. None is the paper's 1/lambda_max(X'X), "optimal" the best constant
    2/(lambda_min + lambda_max) over the non-zero eigenvalues, "chebyshev" the best T
    steps taken together, of which only loop T is optimal.
schedule : (..., T) array, optional
    A step size for every loop, instead of eta.
q0 : (..., d) array, optional
    The query row to start from, zero by default.
scale : "sum" or "mean"
    "mean" divides X'X and X'y by n: a given eta or schedule then means 1/n of what it
    means with "sum".
path : "auto", "stream", "gram", "power" or "tridiagonal"
    How to compute it. "stream" passes over X in every loop. The others sum X up once in X'X
    (or in XX' where n < d, the step is constant and d > 32), which squares the condition number:
    "gram" then loops on it at d^2 a loop, "power" squares the affine map of a loop
    (constant steps only: log T products), "tridiagonal" loops in a basis where X'X is
    tridiagonal, at 4d a loop. "auto" takes the cheapest for (n, d, T). All keep the
    promise of `error_bound`, but on consistent ill-conditioned data "stream" can be far
    more accurate.
num_threads : int, optional
    Threads over the tasks of the batch, or over the rows of a single large one; OMP_NUM_THREADS or all cores by default. Results
    are bitwise the same for any number.
)";

constexpr const char* raises = R"(
Raises
------
TypeError
    For anything but real numbers of at most 64 bits, and a T that is no integer.
ValueError
    For shapes that do not fit, T < 0, unknown words, eta and schedule together,
    path="power" with steps that vary, and an out that is read-only or shares memory. The message names the argument, what was
    expected and what came.

Warns
-----
DivergenceWarning
    Once, if finite input gave a result that is not finite.
)";

constexpr const char* at = R"(at : (K,) array of int, optional
    Loops after which to read out, sorted, each in 0 ... T; all of them by default.
)";

std::string out(const char* shape) {
  return std::string("out : ") + shape + R"( array, optional
    Where to put the result: of its dtype, writable, sharing no memory with the inputs.
)";
}

}  // namespace

std::string run_doc() {
  return std::string(
             R"(run(X, y, alpha, T, *, eta=None, schedule=None, q0=None, scale='sum', path='auto', num_threads=None, out=None)
--

Generate v by T loops of linear self-attention, which are T steps of gradient descent.

The prompt is Z = [[X, y], [q0, alpha]]; with the paper's weights only its query row q
moves::

    q(t) = q(t-1) - eta (X'X q(t-1) + alpha X'y),    v(T) = -q(T)

and v tends to alpha times the least-squares solution. The leading axes of all arguments
broadcast, as in a NumPy gufunc of signature (n,d),(n),()->(d).

)") + prompt +
         options + out("(..., d)") + R"(
Returns
-------
v : (..., d) array
    In units of alpha y / X. float32 if X, y and q0 all are, otherwise float64; aligned to
    64 bytes.
)" + raises +
         R"(
Notes
-----
Source: arXiv 2410.11268, the looped Transformer of its main theorem, by which
``|<v(T), theta*> - alpha| <= |alpha| exp(-T / (2 kappa))`` for realizable y, a unit
theta* and eta=None. The layout of Z and the sign of v are ours: they are what makes the
theorem hold.

Examples
--------
>>> import numpy as np, loopcore
>>> X = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
>>> theta = np.array([0.6, 0.8])
>>> v = loopcore.run(X, X @ theta, 2.0, 50)
>>> v.round(6)
array([1.2, 1.6])
>>> round(float(v @ theta), 6)
2.0
)";
}

std::string trajectory_doc() {
  return std::string(
             R"(trajectory(X, y, alpha, T, *, at=None, eta=None, schedule=None, q0=None, scale='sum', path='auto', num_threads=None, out=None)
--

v after each of the loops named in `at`, otherwise as `run`.

)") + prompt +
         at + options + out("(..., K, d)") + R"(
Returns
-------
v : (..., K, d) array
    v(t) for t in at, in units of alpha y / X; float32 if X, y and q0 all are, otherwise
    float64.
)" + raises +
         R"(
Notes
-----
Source: arXiv 2410.11268, the hidden states of the looped Transformer.

Examples
--------
>>> import numpy as np, loopcore
>>> X = np.array([[1.0], [1.0]])
>>> loopcore.trajectory(X, [1.0, 1.0], 1.0, 3, eta=0.25)
array([[0.   ],
       [0.5  ],
       [0.75 ],
       [0.875]])
)";
}

std::string errors_doc() {
  return std::string(
             R"(errors(X, y, alpha, T, *, theta=None, relative=False, at=None, eta=None, schedule=None, q0=None, scale='sum', path='auto', num_threads=None, out=None)
--

How far <v(t), theta> is from what it should be, after each of the loops named in `at`.

::

    |<v(t), theta> - alpha|                                         relative=False
    |<v(t), theta> - alpha ||theta||^2| / (|alpha| ||theta||^2)     relative=True

The first is the paper's error and tends to 0 where theta is a unit vector; otherwise it
levels off at |alpha| | ||theta||^2 - 1 |. The second tends to 0 for any y when theta is
the least-squares solution, and obeys the theorem's bound exp(-T / (2 kappa)).

)") + prompt +
         R"(theta : (..., d) array, optional
    The hidden parameter; by default the minimum-norm least-squares solution, with the
    rank rule of `spectrum`.
relative : bool
    Which error, see above; NaN where alpha or theta is 0.
)" + at + options +
         out("(..., K)") + R"(
Returns
-------
error : (..., K) array
    In the units of alpha, without one if relative. float32 if X, y and q0 all are, otherwise float64.
)" + raises +
         R"(
Notes
-----
Source: arXiv 2410.11268, the error of its main theorem; the relative form is ours.

Examples
--------
>>> import numpy as np, loopcore
>>> X = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
>>> theta = np.array([0.6, 0.8])
>>> loopcore.errors(X, X @ theta, 2.0, 40, theta=theta, at=[0, 10, 20]).round(6)
array([2.00e+00, 6.94e-04, 1.20e-05])
)";
}

std::string context_curve_doc() {
  return std::string(
             R"(context_curve(X, y, alpha, T, *, eta=None, schedule=None, q0=None, scale='sum', predict=False, num_threads=None, out=None)
--

v(T) for every context length k = 0 ... n at once, or the prediction of each next target.

Prefix k of the context is its rows 0 ... k-1, and its v is what `run` returns for
(X[..., :k, :], y[..., :k]); a step size of None, 1/lambda_max, and scale="mean", 1/k, are taken
of each prefix. X'X and X'y of a prefix come from those of the one before, so that the whole curve
costs about n times the loops of one task, and not n runs.

)") + prompt +
         R"(eta : None, (...) array or float
    Step size, in units of 1/X^2. None is the paper's 1/lambda_max(X'X) of each prefix. The words
    "optimal" and "chebyshev" of `run` are not served: the smallest eigenvalue of each prefix would take a
    singular value decomposition each.
schedule : (..., T) array, optional
    A step size for every loop, instead of eta, the same for all prefixes.
q0 : (..., d) array, optional
    The query row to start from, zero by default. The empty prefix gives v = -q0.
scale : "sum" or "mean"
    "mean" divides X'X and X'y of prefix k by k.
predict : bool
    Return, instead of v, <v_k, x> with the row X[..., k, :] that follows prefix k, for k = 0 ... n-1. For
    alpha=1 it is the prediction of y[..., k] by T steps of gradient descent on what came before; v is
    linear in (alpha, q0), so without q0 it is alpha times that prediction.
num_threads : int, optional
    Threads over the tasks of the batch, or over the prefixes of a few long ones; OMP_NUM_THREADS or all
    cores by default. Results are bitwise the same for any number.
)" + out("(..., n+1, d) or (..., n)") +
         R"(
Returns
-------
curve : (..., n+1, d) array, or (..., n) with predict
    v of each prefix, in units of alpha y / X, or predictions in units of alpha y; float32 if X, y and q0 all
    are, otherwise float64.

Raises
------
TypeError
    For anything but real numbers of at most 64 bits, a T that is no integer, and a predict that is
    no bool.
ValueError
    For shapes that do not fit, T < 0, eta="optimal" or "chebyshev", eta and schedule together, and an out
    that is read-only or shares memory. The message names the argument, what was expected and
    what came.

Warns
-----
DivergenceWarning
    Once, naming the tasks of which the first prefix whose result is not finite holds finite rows alone.

Notes
-----
Every prefix keeps the promise of `error_bound`. A NaN or an Inf in row i reaches only the prefixes that
hold it. A prefix does not depend on later rows, to the last bit, unless they are so large or small
that the task is scaled for them. Where the sums of a prefix leave the range of float64 nevertheless,
because its rows are far smaller than later ones, it is solved anew by itself, at the cost of a run.

Source: arXiv 2410.11268 for the loop. Errors against the number of in-context examples are how Garg et al.
2022 (arXiv 2208.01066, "What Can Transformers Learn In-Context?") measure in-context learning, and how Fu et
al. 2024 (arXiv 2310.17086) compare Transformers with iterative algorithms.

Examples
--------
>>> import numpy as np, loopcore
>>> X = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
>>> y = X @ [0.6, 0.8]
>>> loopcore.context_curve(X, y, 1.0, 50).round(6)
array([[0. , 0. ],
       [0.6, 0. ],
       [0.6, 0.8],
       [0.6, 0.8]])
>>> loopcore.context_curve(X, y, 1.0, 50, predict=True).round(6)
array([0. , 0. , 1.4])
)";
}

}  // namespace loopcore::python
