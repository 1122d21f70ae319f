"""`loopcore.spectrum` against extended precision, SciPy and cases with a known answer."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.linalg
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

import exact
import loopcore
from bits import assert_same_bits
from strategies import DTYPES, LAYOUTS, tasks


def matrix(rng, sigma, n, d, dtype=np.float64):
    """Return a random (n, d) matrix with these singular values."""
    k = min(n, d)
    U, V = np.linalg.qr(rng.normal(size=(n, k)))[0], np.linalg.qr(rng.normal(size=(d, k)))[0]
    return (U * sigma @ V.T).astype(dtype)


SHAPES = [(1, 1), (7, 1), (1, 7), (5, 5), (20, 4), (4, 20), (40, 20), (300, 6), (60, 60), (1000, 3)]


@exact.needs_extended_precision
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("n", "d"), SHAPES)
def test_agrees_with_the_truth(rng, dtype, n, d):
    X = rng.normal(size=(8, n, d)).astype(dtype)
    X[4:6] = np.abs(X[4:6])
    lambda_min, lambda_max, kappa, rank = loopcore.spectrum(X)
    least, most, count = exact.extremes(X)
    # A backward error of a few max(n, d) u in σ_max, in float64 for both types.
    few = 8 * max(n, d) * 2.0**-53
    assert (np.abs(lambda_max - most) <= few * most).all()
    assert (np.abs(lambda_min - least) <= few * (np.sqrt(least * most) + least)).all()
    np.testing.assert_allclose(kappa, lambda_max / lambda_min, rtol=1e-14)
    np.testing.assert_array_equal(rank, count)
    np.testing.assert_array_equal(rank, [min(n, d)] * 8)


@exact.needs_extended_precision
@pytest.mark.parametrize("kappa", [1, 10, 1e4, 1e8, 1e12, 1e20])
def test_kappa_keeps_half_its_digits(rng, kappa):
    """κ from σ is good to κ^½ u; from the eigenvalues of XᵀX it would be noise from 1e16 on."""
    for n, d in [(40, 8), (8, 40), (12, 12)]:
        X = matrix(rng, np.geomspace(1, kappa**-0.5, min(n, d)), n, d)
        got = loopcore.spectrum(X)
        least, most, _ = exact.extremes(X)
        assert got.rank == min(n, d)
        assert abs(got.kappa / (most / least) - 1) < 1e-14 * (1 + np.sqrt(kappa))
        assert abs(got.kappa / kappa - 1) < 1e-14 * (1 + np.sqrt(kappa))


def test_agrees_with_scipy(rng):
    for n, d in SHAPES:
        X = rng.normal(size=(n, d))
        sigma = scipy.linalg.svdvals(X)
        got = loopcore.spectrum(X)
        np.testing.assert_allclose(got.lambda_max, sigma[0] ** 2, rtol=1e-13)
        np.testing.assert_allclose(got.lambda_min, sigma[-1] ** 2, rtol=1e-10)


def test_by_hand():
    # XᵀX = [[5, 4], [4, 5]]: λ = 9 and 1.
    got = loopcore.spectrum([[2, 1], [1, 2]])
    np.testing.assert_allclose(got, [1, 9, 9, 2], rtol=1e-14)
    got = loopcore.spectrum([[2, 1], [1, 2]], scale="mean")
    np.testing.assert_allclose(got, [0.5, 4.5, 9, 2], rtol=1e-14)
    # One row: λ = ‖x‖² and zeros, which do not count.
    np.testing.assert_allclose(loopcore.spectrum([[3, 0, 4]]), [25, 25, 1, 1], rtol=1e-14)
    np.testing.assert_allclose(loopcore.spectrum([[3], [0], [4]]), [25, 25, 1, 1], rtol=1e-14)
    np.testing.assert_allclose(loopcore.spectrum([[1, 2], [2, 4]]), [25, 25, 1, 1], rtol=1e-14)


@pytest.mark.parametrize("dtype", DTYPES)
def test_rank_rule(rng, dtype):
    """σ counts above max(n, d) · eps(type of X) · σ_max."""
    threshold = np.finfo(dtype).eps
    for n, d in [(3, 3), (6, 3), (3, 8)]:
        for factor, rank in [(0.5, 2), (0.99, 2), (1.01, 3), (2, 3)]:
            X = np.zeros((n, d), dtype)
            X[[0, 1, 2], [0, 1, 2]] = 2, 0.5, 2 * factor * max(n, d) * threshold
            got = loopcore.spectrum(X)
            assert got.rank == rank
            expected = 0.25 if rank == 2 else float(X[2, 2]) ** 2
            np.testing.assert_allclose(got.lambda_min, expected, rtol=1e-9)
    # The same numbers stored as float64 all count.
    X = np.diag(np.array([1, 1e-5, 1e-7], np.float32))
    assert loopcore.spectrum(X).rank == 2
    assert loopcore.spectrum(X.astype(np.float64)).rank == 3
    assert loopcore.spectrum(X.astype(np.float16)).rank == 3  # read as float64
    for rank in range(1, 7):
        X = (rng.normal(size=(9, 12, rank)) @ rng.normal(size=(9, rank, 6))).astype(dtype)
        np.testing.assert_array_equal(loopcore.spectrum(X).rank, np.linalg.matrix_rank(X))
        np.testing.assert_array_equal(loopcore.spectrum(X).rank, [rank] * 9)


def test_fields_and_types(rng):
    got = loopcore.spectrum(rng.normal(size=(5, 3)))
    assert isinstance(got, loopcore.Spectrum)
    assert got._fields == ("lambda_min", "lambda_max", "kappa", "rank")
    assert [type(value) for value in got] == [np.float64] * 3 + [np.int64]
    for dtype in ("f4", "f8", ">f4", "f2", "i2", "?"):
        got = loopcore.spectrum(np.ones((2, 3, 5, 4), dtype))
        assert [a.shape for a in got] == [(2, 3)] * 4
        assert [a.dtype for a in got] == [np.float64] * 3 + [np.int64]
        np.testing.assert_allclose(got.lambda_max, np.full((2, 3), 20), rtol=1e-14)
        np.testing.assert_array_equal(got.rank, np.ones((2, 3)))


def test_nothing_to_decompose():
    for X in (np.zeros((5, 3)), np.zeros((0, 3)), np.zeros((5, 0)), np.zeros((0, 0))):
        for scale in ("sum", "mean"):
            got = loopcore.spectrum(X, scale=scale)
            assert (got.lambda_min, got.lambda_max, got.rank) == (0, 0, 0)
            assert np.isnan(got.kappa)
    assert [a.shape for a in loopcore.spectrum(np.ones((0, 5, 3)))] == [(0,)] * 4
    assert [a.shape for a in loopcore.spectrum(np.ones((4, 0, 5, 3)))] == [(4, 0)] * 4


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_bad_number_stays_in_its_task(rng, bad):
    X = rng.normal(size=(19, 10, 4))
    clean = loopcore.spectrum(X)
    X[2, 9, 3] = X[8, 0, 0] = bad
    got = loopcore.spectrum(X)
    good = ~np.isin(np.arange(19), [2, 8])
    for after, before in zip(got, clean, strict=True):
        assert_same_bits(after[good], before[good])
    assert np.isnan(np.stack(got[:3])[:, ~good]).all()
    np.testing.assert_array_equal(got.rank[~good], [0, 0])


@pytest.mark.parametrize("size", [1e-160, 1e-150, 1e150])
def test_extreme_sizes(rng, size):
    X = rng.normal(size=(6, 12, 4))
    expected, got = loopcore.spectrum(X), loopcore.spectrum(size * X)
    np.testing.assert_array_equal(got.rank, expected.rank)
    if size > 1e-155:  # else λ itself has lost digits: it is below the smallest normal number
        np.testing.assert_allclose(got.kappa, expected.kappa, rtol=1e-11)
        np.testing.assert_allclose(got.lambda_max, expected.lambda_max * size * size, rtol=1e-13)
        np.testing.assert_allclose(got.lambda_min, expected.lambda_min * size * size, rtol=1e-11)


@hypothesis_settings(max_examples=200)
@given(tasks(converted=True), st.integers(1, 4))
def test_bits_do_not_depend_on_layout_or_threads(task, threads):
    plain = task.X.astype(task.X.dtype.newbyteorder("=")).copy()
    got = loopcore.spectrum(task.X, num_threads=threads)
    expected = loopcore.spectrum(plain, num_threads=1)
    for a, b in zip(got, expected, strict=True):
        np.testing.assert_array_equal(a, b)
    for layout in LAYOUTS.values():
        np.testing.assert_array_equal(loopcore.spectrum(layout(plain)).rank, expected.rank)


def test_bits_do_not_depend_on_place_in_the_batch(rng):
    X = rng.normal(size=(31, 12, 5))
    whole = loopcore.spectrum(X)
    for i in range(31):
        for a, b in zip(loopcore.spectrum(X[i]), whole, strict=True):
            assert a == b[i]
