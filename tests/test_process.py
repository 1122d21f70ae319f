"""loopcore as a part of its process: Ctrl-C, Python threads, forks, warnings that are errors."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import textwrap
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np
import pytest

import loopcore
from bits import assert_same_bits
from strategies import T, problem

LONG_RUNS = {
    "one task, stream": "loopcore.run(X[0], y[0], 1.0, 10**12, eta=1e-9, path='stream')",
    "one task, gram": "loopcore.run(X[0], y[0], 1.0, 10**12, eta=1e-9, path='gram')",
    "one task, tridiagonal": "loopcore.run(X[0], y[0], 1.0, 10**12, eta=1e-9, path='tridiagonal')",
    # The squares of the map overflow, so all loops are run one by one: 240 = λ_max.
    "one task, power": "loopcore.run(X[0], y[0], 1.0, 10**12, eta=(2 + 1e-9) / 240, path='power')",
    "batch, stream": "loopcore.run(X, y, 1.0, 10**11, eta=1e-9, path='stream')",
    "batch, gram": "loopcore.run(X, y, 1.0, 10**11, eta=1e-9, path='gram')",
    "batch, tridiagonal": "loopcore.run(X, y, 1.0, 10**11, eta=1e-9, path='tridiagonal')",
    "batch, power": "loopcore.run(X, y, 1.0, 10**12, eta=(2 + 1e-9) / 240, path='power')",
    "one thread": "loopcore.run(X, y, 1.0, 10**11, eta=1e-9, path='gram', num_threads=1)",
    "large, stream": "loopcore.run(large, large[:, 0], 1.0, 10**9, eta=1e-9, path='stream')",
    "large, gram": "loopcore.run(large, large[:, 0], 1.0, 10**9, eta=1e-9, path='gram')",
    "large, tridiagonal": (
        "loopcore.run(large, large[:, 0], 1.0, 10**10, eta=1e-9, path='tridiagonal')"
    ),
    "trajectory": "loopcore.trajectory(X, y, 1.0, 10**11, eta=1e-9, at=[0, 10**11], path='gram')",
    "errors": "loopcore.errors(X, y, 1.0, 10**11, eta=1e-9, at=[0, 10**11], path='stream')",
    "pullback": "loopcore.vjp(X, y, 1.0, 10**9, eta=1e-9)[1](before)",
    "large, pullback": ("loopcore.vjp(large, large[:, 0], 1.0, 10**8, eta=1e-9)[1](np.ones(100))"),
    "context_curve": "loopcore.context_curve(X, y, 1.0, 10**11, schedule=1e-9)",
    "large prompt": "softmax(update='all')(large, 10**6)",
    "many keys": "softmax()(large, 10**6)",
    "one long task": "loopcore.context_curve(large, y_large, 1.0, 10**9, schedule=0)",
}


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
@pytest.mark.parametrize("call", LONG_RUNS)
def test_ctrl_c_interrupts_and_leaves_the_state_usable(call):
    program = f"""
        import signal
        from functools import partial
        import numpy as np
        import loopcore
        signal.signal(signal.SIGINT, signal.default_int_handler)
        X, y = np.ones((40, 30, 8)), np.ones((40, 30))
        large, y_large = np.ones((20_000, 100)), np.ones(20_000)
        weights = 0 * np.eye(100), np.eye(100), 1.0
        softmax = partial(loopcore.LoopedTransformer, *weights, attention="softmax")
        before = loopcore.run(X, y, 1.0, 50)
        print("ready", flush=True)
        try:
            {LONG_RUNS[call]}
        except KeyboardInterrupt:
            print("interrupted", (loopcore.run(X, y, 1.0, 50) == before).all())
        """
    with subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(program)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as child:
        try:
            assert child.stdout.readline() == "ready\n"
            with pytest.raises(subprocess.TimeoutExpired):
                child.wait(0.3)
            child.send_signal(signal.SIGINT)
            output, problems = child.communicate(timeout=30)
        finally:
            child.kill()
    assert output == "interrupted True\n", problems
    assert child.returncode == 0


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
@pytest.mark.parametrize("passes", ["forward", "forward and backward"])
def test_ctrl_c_is_answered_within_one_layer(passes):
    """A layer of matrices of 1,500 takes about a second, and the answer a part of that."""

    def interrupt(*_):
        raise KeyboardInterrupt

    D, wait = 1500, 0.7
    P, Q = np.random.default_rng(0).normal(size=(2, D, D)) / D
    model = loopcore.LoopedTransformer(P, Q, 0.1, update="all")
    Z = np.ones((D, D)) / D
    if passes == "forward":
        layer, call = partial(model, Z, 1), partial(model, Z, 1000)
    else:
        layer, call = (partial(model.vjp(Z, T)[1], Z) for T in (1, 3))
    begin = time.monotonic()
    layer()
    most = (time.monotonic() - begin) / 2
    delays = []
    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        for k in range(3):  # the shortest delay: machines are busy
            begin = time.monotonic()
            signal.setitimer(signal.ITIMER_REAL, wait + 0.1 * k)
            with contextlib.suppress(KeyboardInterrupt):
                call()
            delays.append(time.monotonic() - begin - wait - 0.1 * k)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert -0.01 < min(delays) < most, (delays, most)


def test_python_threads_at_once_give_the_same_bits(rng):
    X, y, alpha, q0 = problem(rng, (60,), 20, 4)
    X32, y32 = X.astype(np.float32), y.astype(np.float32)
    large, short = rng.normal(size=(300, 100)), rng.normal(size=300)
    model = loopcore.LoopedTransformer(
        np.eye(100) / 100, np.eye(100) / 100, 0.1, attention="softmax", update="all"
    )
    calls = [
        lambda: loopcore.run(X, y, alpha, T, q0=q0, num_threads=2),
        lambda: loopcore.run(X, y, alpha, T, eta="optimal", path="stream", num_threads=3),
        lambda: loopcore.run(X32, y32, alpha, T, path="gram"),
        lambda: loopcore.run(X, y, alpha, T, path="power", num_threads=2),
        lambda: loopcore.run(X[0], y, alpha, T, eta="chebyshev", path="tridiagonal"),
        lambda: loopcore.run(large, short, 1.0, 10, num_threads=2),
        lambda: loopcore.trajectory(X, y, alpha, T, at=[3, T]),
        lambda: loopcore.errors(X, y, alpha, T, num_threads=2),
        lambda: loopcore.spectrum(X).kappa,
        lambda: model(large, 3, num_threads=2),
    ]
    expected = [call().tobytes() for call in calls]
    with ThreadPoolExecutor(12) as pool:
        futures = [pool.submit(calls[i % len(calls)]) for i in range(360)]
        for i, future in enumerate(futures):
            assert future.result(timeout=60).tobytes() == expected[i % len(calls)]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_works_after_fork():
    program = """
        import os, signal, warnings
        import numpy as np
        import loopcore
        warnings.simplefilter("ignore")  # Python 3.12 warns of forks of a process with threads
        rng = np.random.default_rng(0)
        X, y = rng.normal(size=(200, 20, 4)), rng.normal(size=(200, 20))
        large, short = rng.normal(size=(3000, 80)), rng.normal(size=3000)
        expected = loopcore.run(X, y, 1.0, 50, num_threads=4)
        expected_large = loopcore.run(large, short, 1.0, 5, num_threads=4)
        for i in range(25):
            child = os.fork()
            if child == 0:
                signal.alarm(20)  # a hang ends in a signal, which the parent sees
                results = [loopcore.run(X, y, 1.0, 50, num_threads=k) for k in (4, 1, 3)]
                same = all((v == expected).all() for v in results)
                v = loopcore.run(large, short, 1.0, 5, num_threads=4)
                same = same and (v == expected_large).all()
                os._exit(0 if same else 1)
            status = os.waitpid(child, 0)[1]
            assert status == 0, f"fork {i}: status {status}"
            assert (loopcore.run(X, y, 1.0, 50, num_threads=4) == expected).all()
        print("25 forks")
        """
    child = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert child.stdout == "25 forks\n", child.stderr


def test_divergence_warning_can_be_an_error_and_leaves_the_state_usable(rng):
    X, y, alpha, _ = problem(rng, (3,), 10, 4)
    assert issubclass(loopcore.DivergenceWarning, RuntimeWarning)
    expected = loopcore.run(X, y, alpha, T)
    for _ in range(3):
        with pytest.raises(loopcore.DivergenceWarning, match="3 of 3 tasks"):
            loopcore.run(X, y, alpha, 5000, eta=2.0)
        assert_same_bits(loopcore.run(X, y, alpha, T), expected)


@pytest.mark.parametrize(
    "call",
    {
        "many short calls": "loopcore.run(X[0], y[0], 1.0, 5)",
        "one long call": "loopcore.run(X, y, 1.0, 10**12, eta=1e-9, path='gram')",
    }.values(),
    ids=lambda call: "long" if "10**12" in call else "short",
)
def test_daemon_threads_do_not_disturb_the_end_of_the_process(call):
    program = f"""
        import threading
        import time
        import numpy as np
        import loopcore
        X, y = np.ones((40, 30, 8)), np.ones((40, 30))
        def work():
            while True:
                {call}
        for _ in range(3):
            threading.Thread(target=work, daemon=True).start()
        time.sleep(0.3)
        print("end", flush=True)
    """
    ended = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "end\n", "")
