"""Random tasks: numbers against NumPy's, moments, spectra and targets against theory."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec

import numpy as np
import pytest
from scipy import stats

import loopcore
from loopcore import _cpu, tasks
from loopcore._native import _MODULES, core
from loopcore.tasks.streams import Streams

KEY = np.array([3, 2**63 + 11], np.uint64)

INPUTS = [
    tasks.Gaussian(),
    tasks.Gaussian(scale=3.0),
    tasks.Sphere(),
    tasks.Uniform(0.5),
    tasks.Gamma(2.0),
    tasks.HeavyTailed(5),
    tasks.Rotated(9.0),
    tasks.Spectrum(100.0),
    tasks.Spectrum(1e6, "log-uniform"),
    tasks.Spectrum(50.0, "two-point"),
]
TARGETS = [
    tasks.Linear(),
    tasks.Linear(prior="inverse", unit=True, nonzeros=2),
    tasks.Quadratic(),
    tasks.ReluNetwork(7),
    tasks.GaussianProcess(2.0),
]


def numbers(count, *, normal, task=7, stream=3):
    return core.random_numbers(KEY, np.array([task], np.uint64), stream, count, normal, 1)[0]


def by_numpy(count, task=7, stream=3):
    counter = np.array([0, task, stream, 0], np.uint64)
    return np.random.Generator(np.random.Philox(key=KEY, counter=counter)).random(count)


# ---- numbers -------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [0, 1, 3, 4, 5, 1003])
def test_uniform_numbers_are_those_of_numpys_philox(count):
    np.testing.assert_array_equal(numbers(count, normal=False), by_numpy(count))


@pytest.mark.parametrize("count", [1, 15, 16, 17, 128, 129, 10_000])
def test_normal_numbers_are_box_and_mullers(count):
    u = by_numpy(-(-count // 16) * 16).reshape(-1, 2, 8)  # (chunks, radii and angles, 8)
    radius = np.sqrt(-2 * np.log1p(-u[:, 0]))
    angle = 2 * np.pi * u[:, 1]
    expected = np.stack([radius * np.cos(angle), radius * np.sin(angle)], 1).ravel()[:count]
    np.testing.assert_allclose(numbers(count, normal=True), expected, rtol=0, atol=1e-14)


def test_normal_numbers_are_normal():
    z = core.random_numbers(KEY, np.arange(2000, dtype=np.uint64), 0, 500, True, None)
    assert stats.kstest(z.ravel(), "norm").pvalue > 1e-3
    for k, moment in enumerate([0, 1, 0, 3, 0, 15], start=1):
        error = np.sqrt(stats.norm.moment(2 * k) / z.size)
        assert abs(np.mean(z**k) - moment) < 4 * error, k
    # Neighbours, and halves of a chunk, which share radii, are independent.
    for lag in (1, 8, 16):
        pairs = z[:, :-lag] * z[:, lag:]
        assert abs(pairs.mean()) < 4 / np.sqrt(pairs.size), lag
        squares = (z[:, :-lag] ** 2 - 1) * (z[:, lag:] ** 2 - 1)
        assert abs(squares.mean()) < 4 * 2 / np.sqrt(squares.size), lag


def test_streams_and_tasks_differ():
    drawn = [numbers(64, normal=True, task=t, stream=s) for t in range(4) for s in range(4)]
    assert len({array.tobytes() for array in drawn}) == 16


PROGRAM = """
import hashlib
from loopcore import tasks
batch = tasks.draw(50, 9, 5, inputs=tasks.HeavyTailed(3), queries=2, rng=4)
arrays = (batch.X, batch.x_query, batch.theta)
print(hashlib.sha256(b"".join(a.tobytes() for a in arrays)).hexdigest())
"""


def test_inputs_have_the_same_bits_on_every_instruction_set(monkeypatch):
    built = [isa for isa in _cpu.supported() if find_spec(_MODULES[isa])]
    found = set()
    for isa in built:
        monkeypatch.setenv("LOOPCORE_ISA", isa)
        run = subprocess.run([sys.executable, "-c", PROGRAM], check=True, capture_output=True)
        found.add(run.stdout)
    assert len(found) == 1


# ---- seeds ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("targets", TARGETS, ids=repr)
@pytest.mark.parametrize("inputs", INPUTS, ids=repr)
def test_a_task_is_the_same_alone_and_in_company(inputs, targets):
    options = {"inputs": inputs, "targets": targets, "queries": 3, "snr": 2.0, "rng": 5}
    many = tasks.draw(12, 9, 5, num_threads=2, **options)
    few = tasks.draw([7, 2], 9, 5, num_threads=1, **options)
    for a, b in zip(many, few, strict=True):
        if a is None:
            assert b is None
        else:
            np.testing.assert_allclose(a[[7, 2]], b, rtol=1e-12, atol=1e-12)
    np.testing.assert_array_equal(many.X[7], few.X[0])


@pytest.mark.parametrize("inputs", INPUTS[:7], ids=repr)
def test_more_examples_begin_with_the_same(inputs):
    few = tasks.draw(3, 6, 4, inputs=inputs, queries=1, rng=1)
    many = tasks.draw(3, 11, 4, inputs=inputs, queries=5, rng=1)
    np.testing.assert_allclose(many.X[:, :6], few.X, rtol=1e-15)
    np.testing.assert_allclose(many.x_query[:, :1], few.x_query, rtol=1e-15)
    np.testing.assert_array_equal(many.theta, few.theta)


def test_seeds_are_those_of_numpy():
    def first(rng):
        return tasks.draw(2, 3, 2, rng=rng).X

    same = first(np.random.SeedSequence(8))
    np.testing.assert_array_equal(first(8), same)
    assert (first(9) != same).all()
    assert (first([8, 1]) != same).all()
    generator = np.random.default_rng(8)
    once, again = first(generator), first(generator)
    assert (once != again).all()
    np.testing.assert_array_equal(first(np.random.default_rng(8)), once)
    assert (first(None) != first(None)).all()
    assert len(Streams(1, 5)) == 5


# ---- inputs --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("inputs", "law"),
    [
        (tasks.Gaussian(scale=3.0), stats.norm(scale=3)),
        (tasks.Uniform(0.5), stats.uniform(-0.5, 1)),
        (tasks.Gamma(2.0), stats.gamma(2, loc=-np.sqrt(2), scale=1 / np.sqrt(2))),
        (tasks.HeavyTailed(3), stats.t(3)),
    ],
    ids=repr,
)
def test_entries_are_independent_and_of_their_law(inputs, law):
    batch = tasks.draw(200, 50, 4, inputs=inputs, queries=50, rng=2)
    for rows in (batch.X, batch.x_query):
        assert stats.kstest(rows.ravel(), law.cdf).pvalue > 1e-3
        below = rows.reshape(-1, 4) < law.median()
        for i in range(4):
            for j in range(i):
                assert abs(np.mean(below[:, i] == below[:, j]) - 0.5) < 4 * 0.5 / 100


def test_rows_of_a_sphere():
    X = tasks.draw(500, 40, 3, inputs=tasks.Sphere(), rng=3).X
    np.testing.assert_allclose((X**2).sum(-1), 3, rtol=1e-14)
    assert (
        stats.kstest(X.ravel() / np.sqrt(3), stats.uniform(-1, 2).cdf).pvalue > 1e-3
    )  # Archimedes


def test_rotated_covariance():
    c, d, n = 9.0, 4, 200_000
    batch = tasks.draw(2, n, d, inputs=tasks.Rotated(c), targets=tasks.Linear("inverse"), rng=4)
    covariance = batch.X.swapaxes(-1, -2) @ batch.X / n
    expected = np.geomspace(1 / 3, 3, d)
    np.testing.assert_allclose(np.linalg.eigvalsh(covariance), np.tile(expected, (2, 1)), rtol=0.03)
    first, second = np.linalg.eigh(covariance)[1][..., -1]
    assert abs(first @ second) < 0.99  # axes of their own
    # θ* ~ N(0, Σ⁻¹): ⟨θ*, x⟩ has the variance d over tasks, whatever Σ is.
    batch = tasks.draw(
        40_000, 1, d, inputs=tasks.Rotated(c), targets=tasks.Linear("inverse"), rng=4
    )
    mean, error = np.mean(batch.y**2), np.std(batch.y**2) / 200
    assert abs(mean - d) < 4 * error


@pytest.mark.parametrize("kind", ["geometric", "log-uniform", "two-point"])
def test_chosen_spectra_are_exact(kind):
    kappa, n, d = 1e4, 12, 5
    batch = tasks.draw(20, n, d, inputs=tasks.Spectrum(kappa, kind), rng=5)
    values = np.linalg.eigvalsh(batch.X.swapaxes(-1, -2) @ batch.X) / n
    np.testing.assert_allclose(values[:, 0], 0.01, rtol=1e-10)
    np.testing.assert_allclose(values[:, -1], 100, rtol=1e-12)
    if kind == "geometric":
        np.testing.assert_allclose(values, np.tile(np.geomspace(0.01, 100, d), (20, 1)), rtol=1e-10)
    elif kind == "two-point":
        np.testing.assert_allclose(values[:, :3], 0.01, rtol=1e-10)
        np.testing.assert_allclose(values[:, 3:], 100, rtol=1e-12)
    else:
        inner = np.log(tasks_inner(kappa)) / np.log(kappa)
        assert stats.kstest(inner, stats.uniform(-0.5, 1).cdf).pvalue > 1e-3


def tasks_inner(kappa):
    """Eigenvalues between the ends, of which the middle one of three is any of three uniforms."""
    X = tasks.draw(4000, 3, 3, inputs=tasks.Spectrum(kappa, "log-uniform"), rng=6).X
    values = np.linalg.eigvalsh(X.swapaxes(-1, -2) @ X)[:, 1] / 3
    # The middle of three uniforms is Beta(2, 2): back to uniform by its distribution function.
    share = stats.beta(2, 2).cdf(np.log(values) / np.log(kappa) + 0.5)
    return kappa ** (share - 0.5)


# ---- targets -------------------------------------------------------------------------------------


def test_linear_targets():
    batch = tasks.draw(3000, 6, 5, targets=tasks.Linear(nonzeros=2), queries=2, rng=7)
    np.testing.assert_allclose(batch.y, (batch.X @ batch.theta[..., None])[..., 0], rtol=1e-14)
    expected = (batch.x_query @ batch.theta[..., None])[..., 0]
    np.testing.assert_allclose(batch.y_query, expected, rtol=1e-14)
    assert (np.count_nonzero(batch.theta, axis=-1) == 2).all()
    share = np.mean(batch.theta != 0, axis=0)  # each coordinate in 2 of 5 tasks
    assert (abs(share - 0.4) < 4 * np.sqrt(0.24 / 3000)).all()
    unit = tasks.draw(50, 6, 5, targets=tasks.Linear(unit=True), rng=7).theta
    np.testing.assert_allclose(np.linalg.norm(unit, axis=-1), 1, rtol=1e-14)
    assert (batch.noise == 0).all()


def test_quadratic_features_are_orthonormal():
    X = tasks.draw(1, 400_000, 3, rng=8).X[0]
    features = tasks.quadratic_features(X)
    assert features.shape[-1] == 10
    np.testing.assert_allclose(features.T @ features / len(X), np.eye(10), atol=0.03)
    batch = tasks.draw(20_000, 1, 3, targets=tasks.Quadratic(), rng=8)
    assert batch.theta is None
    assert np.var(batch.y) == pytest.approx(1, abs=0.1)


def test_relu_teachers():
    batch = tasks.draw(20_000, 1, 4, inputs=tasks.Sphere(), targets=tasks.ReluNetwork(50), rng=9)
    # E y² = (2/h) h E max(⟨w, x⟩, 0)² = ‖x‖² = d
    assert np.mean(batch.y**2) == pytest.approx(4, rel=0.06)
    assert np.mean(batch.y) == pytest.approx(0, abs=4 * 2 / np.sqrt(20_000))


def test_gaussian_process_labels():
    X = tasks.draw(1, 3, 2, rng=10).X
    squares = ((X[0, :, None] - X[0]) ** 2).sum(-1)
    streams = Streams(1, 100_000)
    values, theta = tasks.GaussianProcess(0.7).draw(streams, np.repeat(X, 100_000, 0), None)
    assert theta is None
    covariance = values.T @ values / len(values)
    np.testing.assert_allclose(covariance, np.exp(-squares / (2 * 0.49)), atol=0.02)


def test_noise_has_the_ratio_that_was_asked_for():
    clean = tasks.draw(2000, 30, 4, rng=11)
    noisy = tasks.draw(2000, 30, 4, snr=4.0, queries=3, rng=11)
    np.testing.assert_allclose(noisy.noise, np.sqrt(np.mean(clean.y**2, -1) / 4), rtol=1e-12)
    scaled = (noisy.y - clean.y) / noisy.noise[:, None]
    assert stats.kstest(scaled.ravel(), "norm").pvalue > 1e-3
    expected = (noisy.x_query @ noisy.theta[..., None])[..., 0]
    np.testing.assert_allclose(noisy.y_query, expected, rtol=1e-12)


def test_queries_from_elsewhere():
    batch = tasks.draw(100, 8, 4, queries=50, query_inputs=tasks.Gaussian(scale=3.0), rng=12)
    assert np.std(batch.x_query) == pytest.approx(3, rel=0.03)
    same = tasks.draw(100, 8, 4, rng=12)
    np.testing.assert_array_equal(batch.X, same.X)
    np.testing.assert_allclose(
        batch.y_query, (batch.x_query @ batch.theta[..., None])[..., 0], rtol=1e-12
    )


def test_batches_are_ready_for_run():
    batch = tasks.draw(20, 12, 3, rng=13)
    v = loopcore.run(batch.X, batch.y, 1.0, 2000)
    np.testing.assert_allclose(v, batch.theta, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: tasks.draw(3, 0, 2), "n: expected at least 1, got 0"),
        (lambda: tasks.draw(-1, 3, 2), "tasks: expected at least 0, got -1"),
        (lambda: tasks.draw([0, -4], 3, 2), "tasks: expected numbers from 0 on, got -4"),
        (lambda: tasks.draw(3, 3, 2, snr=0.0), "snr: expected a finite number above 0"),
        (lambda: tasks.draw(3, 2, 4, inputs=tasks.Spectrum(9.0)), "n: expected at least d = 4"),
        (lambda: tasks.Spectrum(0.5), "condition: expected a finite number from 1 on, got 0.5"),
        (lambda: tasks.Spectrum(5.0, "flat"), "kind: expected one of geometric, log-uniform"),
        (lambda: tasks.Gamma(0.0), "shape: expected a finite number above 0, got 0.0"),
        (lambda: tasks.HeavyTailed(0), "freedom: expected at least 1, got 0"),
        (lambda: tasks.Linear("flat"), "prior: expected 'isotropic' or 'inverse', got 'flat'"),
        (lambda: tasks.Linear(nonzeros=0), "nonzeros: expected at least 1, got 0"),
        (lambda: tasks.ReluNetwork(0), "hidden: expected at least 1, got 0"),
        (lambda: tasks.GaussianProcess(-1.0), "length: expected a finite number above 0, got -1.0"),
    ],
)
def test_errors_name_the_argument(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_tasks_are_numbers():
    with pytest.raises(TypeError, match="tasks: expected a number of tasks or a list of them"):
        tasks.draw([0.5], 3, 2)
    assert tasks.draw([], 3, 2, snr=1.0).X.shape == (0, 3, 2)
