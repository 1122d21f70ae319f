from typing import Literal, SupportsIndex

import numpy as np
from numpy.typing import ArrayLike, NDArray

class DivergenceWarning(RuntimeWarning): ...

def run(
    X: ArrayLike,
    y: ArrayLike,
    alpha: ArrayLike,
    T: SupportsIndex,
    *,
    eta: ArrayLike | Literal["optimal", "chebyshev"] | None = None,
    schedule: ArrayLike | None = None,
    q0: ArrayLike | None = None,
    scale: Literal["sum", "mean"] = "sum",
    path: Literal["auto", "stream", "gram", "power", "tridiagonal"] = "auto",
    num_threads: SupportsIndex | None = None,
    out: NDArray[np.floating] | None = None,
) -> NDArray[np.floating]: ...
def trajectory(
    X: ArrayLike,
    y: ArrayLike,
    alpha: ArrayLike,
    T: SupportsIndex,
    *,
    at: ArrayLike | None = None,
    eta: ArrayLike | Literal["optimal", "chebyshev"] | None = None,
    schedule: ArrayLike | None = None,
    q0: ArrayLike | None = None,
    scale: Literal["sum", "mean"] = "sum",
    path: Literal["auto", "stream", "gram", "power", "tridiagonal"] = "auto",
    num_threads: SupportsIndex | None = None,
    out: NDArray[np.floating] | None = None,
) -> NDArray[np.floating]: ...
def errors(
    X: ArrayLike,
    y: ArrayLike,
    alpha: ArrayLike,
    T: SupportsIndex,
    *,
    theta: ArrayLike | None = None,
    relative: bool = False,
    at: ArrayLike | None = None,
    eta: ArrayLike | Literal["optimal", "chebyshev"] | None = None,
    schedule: ArrayLike | None = None,
    q0: ArrayLike | None = None,
    scale: Literal["sum", "mean"] = "sum",
    path: Literal["auto", "stream", "gram", "power", "tridiagonal"] = "auto",
    num_threads: SupportsIndex | None = None,
    out: NDArray[np.floating] | None = None,
) -> NDArray[np.floating]: ...
def context_curve(
    X: ArrayLike,
    y: ArrayLike,
    alpha: ArrayLike,
    T: SupportsIndex,
    *,
    eta: ArrayLike | None = None,
    schedule: ArrayLike | None = None,
    q0: ArrayLike | None = None,
    scale: Literal["sum", "mean"] = "sum",
    predict: bool = False,
    num_threads: SupportsIndex | None = None,
    out: NDArray[np.floating] | None = None,
) -> NDArray[np.floating]: ...
def spectrum(
    X: ArrayLike, scale: str, num_threads: SupportsIndex | None
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]]: ...
def random_numbers(
    key: NDArray[np.uint64],
    tasks: NDArray[np.uint64],
    stream: int,
    count: int,
    normal: bool,
    num_threads: SupportsIndex | None,
) -> NDArray[np.float64]: ...
def looped(
    prompt: tuple[ArrayLike, ArrayLike, ArrayLike, ArrayLike],
    weights: tuple[ArrayLike, ArrayLike, ArrayLike],
    words: tuple[str, str, str, bool, bool],
    steps: ArrayLike,
    T: SupportsIndex,
    at: ArrayLike | None,
    only_queries: bool,
    num_threads: SupportsIndex | None,
) -> tuple[NDArray[np.floating], bool]: ...
def is_short(n: int, D: int) -> bool: ...
def pull_back(
    v_bar: ArrayLike,
    X: ArrayLike,
    y: ArrayLike,
    alpha: ArrayLike,
    T: SupportsIndex,
    eta: ArrayLike | None,
    schedule: ArrayLike | None,
    q0: ArrayLike | None,
    scale: str,
    num_threads: SupportsIndex | None,
) -> tuple[NDArray[np.floating] | None, ...]: ...
def looped_vjp(
    prompt: tuple[ArrayLike, ArrayLike, ArrayLike, ArrayLike],
    weights: tuple[ArrayLike, ArrayLike, ArrayLike],
    words: tuple[str, str, str, bool, bool],
    steps: ArrayLike,
    T: SupportsIndex,
    Z_bar: ArrayLike,
    num_threads: SupportsIndex | None,
) -> tuple[
    NDArray[np.floating],
    NDArray[np.float64],
    NDArray[np.float64],
    NDArray[np.float64],
    NDArray[np.float64],
]: ...
def isa() -> str: ...
def configuration() -> dict[str, object]: ...
def planned_path(n: int, d: int, T: int, steps: str, only_end: bool) -> str: ...
