// The docstrings of run, trajectory and errors. What they share stands once.
#pragma once

namespace loopcore::python {

#define LOOPCORE_PROMPT_DOC                                                                    \
  "Parameters\n"                                                                               \
  "----------\n"                                                                               \
  "X : (..., n, d) array\n"                                                                    \
  "    In-context inputs, one example a row. Read where it lies, whatever its strides, byte\n" \
  "    order or alignment; a broadcast axis costs no memory.\n"                                \
  "y : (..., n) array\n"                                                                       \
  "    In-context targets; realizable where y = X theta*.\n"                                   \
  "alpha : (...) array or float\n"                                                             \
  "    The value to generate: <v, theta*> tends to alpha.\n"                                   \
  "T : int\n"                                                                                  \
  "    Loops, at least 0.\n"

#define LOOPCORE_OPTIONS_DOC                                                                       \
  "eta : None, (...) array, float, \"optimal\" or \"chebyshev\"\n"                                 \
  "    Step size. None is the paper's 1/lambda_max(X'X), \"optimal\" the best constant\n"          \
  "    2/(lambda_min + lambda_max) over the non-zero eigenvalues, \"chebyshev\" the best T "       \
  "steps\n"                                                                                        \
  "    taken together, of which only loop T is optimal.\n"                                         \
  "schedule : (..., T) array, optional\n"                                                          \
  "    A step size for every loop, instead of eta.\n"                                              \
  "q0 : (..., d) array, optional\n"                                                                \
  "    The query row to start from, zero by default.\n"                                            \
  "scale : \"sum\" or \"mean\"\n"                                                                  \
  "    \"mean\" divides X'X and X'y by n: a given eta or schedule then means 1/n of what it "      \
  "means\n"                                                                                        \
  "    with \"sum\".\n"                                                                            \
  "path : \"auto\", \"stream\" or \"gram\"\n"                                                      \
  "    How to compute it. \"stream\" passes over X in every loop; \"gram\" sums X up once in X'X " \
  "(or\n"                                                                                          \
  "    XX' where n < d), which squares the condition number: both keep the promise of\n"           \
  "    `error_bound`, but on consistent ill-conditioned data \"stream\" can be far more "          \
  "accurate.\n"                                                                                    \
  "num_threads : int, optional\n"                                                                  \
  "    Threads over the tasks of the batch; OMP_NUM_THREADS or all cores by default. Results\n"    \
  "    are bitwise the same for any number.\n"

#define LOOPCORE_RAISES_DOC                                                                      \
  "Raises\n"                                                                                     \
  "------\n"                                                                                     \
  "TypeError\n"                                                                                  \
  "    For anything but real numbers of at most 64 bits, and a T that is no integer.\n"          \
  "ValueError\n"                                                                                 \
  "    For shapes that do not fit, T < 0, unknown words, eta and schedule together, and an out " \
  "that\n"                                                                                       \
  "    is read-only or shares memory. The message names the argument, what was expected and "    \
  "what\n"                                                                                       \
  "    came.\n"                                                                                  \
  "\n"                                                                                           \
  "Warns\n"                                                                                      \
  "-----\n"                                                                                      \
  "DivergenceWarning\n"                                                                          \
  "    Once, if finite input gave a result that is not finite.\n"

inline constexpr const char* run_doc =
    "run(X, y, alpha, T, *, eta=None, schedule=None, q0=None, scale='sum', path='auto', "
    "num_threads=None, out=None)\n--\n\n"
    "Generate v by T loops of linear self-attention, which are T steps of gradient descent.\n"
    "\n"
    "The prompt is Z = [[X, y], [q0, alpha]]; with the paper's weights only its query row q "
    "moves::\n"
    "\n"
    "    q(t) = q(t-1) - eta (X'X q(t-1) + alpha X'y),    v(T) = -q(T)\n"
    "\n"
    "and v tends to alpha times the least-squares solution. The leading axes of all arguments\n"
    "broadcast, as in a NumPy gufunc of signature (n,d),(n),()->(d).\n"
    "\n" LOOPCORE_PROMPT_DOC LOOPCORE_OPTIONS_DOC
    "out : (..., d) array, optional\n"
    "    Where to put the result: of its dtype, writable, sharing no memory with the inputs.\n"
    "\n"
    "Returns\n"
    "-------\n"
    "v : (..., d) array\n"
    "    float32 if X, y and q0 all are, otherwise float64; aligned to 64 bytes.\n"
    "\n" LOOPCORE_RAISES_DOC
    "\n"
    "Notes\n"
    "-----\n"
    "Source: arXiv 2410.11268, the looped Transformer of its main theorem, by which\n"
    "``|<v(T), theta*> - alpha| <= |alpha| exp(-T / (2 kappa))`` for realizable y, a unit theta* "
    "and\n"
    "eta=None. The layout of Z and the sign of v are ours: they are what makes the theorem hold.\n"
    "\n"
    "Examples\n"
    "--------\n"
    ">>> import numpy as np, loopcore\n"
    ">>> X = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])\n"
    ">>> theta = np.array([0.6, 0.8])\n"
    ">>> v = loopcore.run(X, X @ theta, 2.0, 50)\n"
    ">>> v.round(6)\n"
    "array([1.2, 1.6])\n"
    ">>> round(float(v @ theta), 6)\n"
    "2.0\n";

inline constexpr const char* trajectory_doc =
    "trajectory(X, y, alpha, T, *, at=None, eta=None, schedule=None, q0=None, scale='sum', "
    "path='auto', num_threads=None, out=None)\n--\n\n"
    "v after each of the loops named in `at`, otherwise as `run`.\n"
    "\n" LOOPCORE_PROMPT_DOC
    "at : (K,) array of int, optional\n"
    "    Loops after which v is wanted, sorted, each in 0 ... T; all of them by "
    "default.\n" LOOPCORE_OPTIONS_DOC
    "out : (..., K, d) array, optional\n"
    "    Where to put the result: of its dtype, writable, sharing no memory with the inputs.\n"
    "\n"
    "Returns\n"
    "-------\n"
    "v : (..., K, d) array\n"
    "    v(t) for t in at; float32 if X, y and q0 all are, otherwise float64.\n"
    "\n" LOOPCORE_RAISES_DOC
    "\n"
    "Notes\n"
    "-----\n"
    "Source: arXiv 2410.11268, the hidden states of the looped Transformer.\n"
    "\n"
    "Examples\n"
    "--------\n"
    ">>> import numpy as np, loopcore\n"
    ">>> X = np.array([[1.0], [1.0]])\n"
    ">>> loopcore.trajectory(X, [1.0, 1.0], 1.0, 3, eta=0.25)\n"
    "array([[0.   ],\n"
    "       [0.5  ],\n"
    "       [0.75 ],\n"
    "       [0.875]])\n";

inline constexpr const char* errors_doc =
    "errors(X, y, alpha, T, *, theta=None, relative=False, at=None, eta=None, schedule=None, "
    "q0=None, "
    "scale='sum', path='auto', num_threads=None, out=None)\n--\n\n"
    "How far <v(t), theta> is from what it should be, after each of the loops named in `at`.\n"
    "\n"
    "::\n"
    "\n"
    "    |<v(t), theta> - alpha|                                                relative=False\n"
    "    |<v(t), theta> - alpha ||theta||^2| / (|alpha| ||theta||^2)            relative=True\n"
    "\n"
    "The first is the paper's error and tends to 0 where theta is a unit vector; otherwise it "
    "levels\n"
    "off at |alpha| | ||theta||^2 - 1 |. The second tends to 0 for any y when theta is the\n"
    "least-squares solution, and obeys the theorem's bound exp(-T / (2 kappa)).\n"
    "\n" LOOPCORE_PROMPT_DOC
    "theta : (..., d) array, optional\n"
    "    The hidden parameter; by default the minimum-norm least-squares solution, with the rank\n"
    "    rule of `spectrum`.\n"
    "relative : bool\n"
    "    Which error, see above; NaN where alpha or theta is 0.\n"
    "at : (K,) array of int, optional\n"
    "    Loops after which the error is wanted, sorted, each in 0 ... T; all of them by "
    "default.\n" LOOPCORE_OPTIONS_DOC
    "out : (..., K) array, optional\n"
    "    Where to put the result: of its dtype, writable, sharing no memory with the inputs.\n"
    "\n"
    "Returns\n"
    "-------\n"
    "error : (..., K) array\n"
    "    float32 if X, y and q0 all are, otherwise float64.\n"
    "\n" LOOPCORE_RAISES_DOC
    "\n"
    "Notes\n"
    "-----\n"
    "Source: arXiv 2410.11268, the error of its main theorem; the relative form is ours.\n"
    "\n"
    "Examples\n"
    "--------\n"
    ">>> import numpy as np, loopcore\n"
    ">>> X = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])\n"
    ">>> theta = np.array([0.6, 0.8])\n"
    ">>> loopcore.errors(X, X @ theta, 2.0, 40, theta=theta, at=[0, 10, 40]).round(8)\n"
    "array([2.00000000e+00, 6.94400000e-04, 1.00000000e-08])\n";

#undef LOOPCORE_PROMPT_DOC
#undef LOOPCORE_OPTIONS_DOC
#undef LOOPCORE_RAISES_DOC

}  // namespace loopcore::python
