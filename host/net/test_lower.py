"""im2col and batches against loops that follow the operators' definitions."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from host.net.lower import LowerError, lower_conv, lower_gemm, lower_matmul


def _direct(x, w, strides, pads, dilations, groups):
    """Conv by its definition, any number of dimensions: (images, filters, ...)."""
    dims = range(w.ndim - 2)
    out = [
        (x.shape[2 + d] + pads[d] + pads[len(dims) + d] - (w.shape[2 + d] - 1) * dilations[d] - 1) // strides[d] + 1
        for d in dims
    ]
    y = np.zeros((len(x), len(w), *out), np.int64)
    per_group, channels = len(w) // groups, w.shape[1]
    for image, f, *at in np.ndindex(*y.shape):
        for c, *k in np.ndindex(*w.shape[1:]):
            place = [at[d] * strides[d] - pads[d] + k[d] * dilations[d] for d in dims]
            if all(0 <= place[d] < x.shape[2 + d] for d in dims):
                y[(image, f, *at)] += x[(image, f // per_group * channels + c, *place)] * w[(f, c, *k)]
    return y


def _all_rows(lowered):
    return [lowered.x(part, np.arange(lowered.shape[0])) @ lowered.w(part) for part in range(lowered.parts)]


CASES = [
    ((2, 4, 7, 6), (6, 2, 3, 3), {"strides": [2, 1], "pads": [1, 0, 1, 2], "dilations": [1, 2], "group": 2}),
    ((1, 3, 5, 5), (3, 1, 3, 3), {"group": 3, "pads": [1, 1, 1, 1]}),
    ((1, 2, 6, 5), (4, 2, 1, 1), {}),
    ((2, 3, 11), (4, 3, 4), {"strides": [3], "pads": [2, 1]}),
    ((1, 2, 4, 3, 5), (2, 2, 2, 1, 3), {"pads": [1, 0, 0, 0, 1, 2]}),
]


@pytest.mark.parametrize(("x_shape", "w_shape", "attributes"), CASES)
def test_convolutions_are_those_of_the_definition(x_shape, w_shape, attributes):
    rng = np.random.default_rng(sum(x_shape))
    x, w = rng.integers(-9, 10, x_shape), rng.integers(-9, 10, w_shape)
    n = len(x_shape) - 2
    full = {"strides": [1] * n, "pads": [0] * 2 * n, "dilations": [1] * n, "group": 1} | attributes
    want = _direct(x, w, full["strides"], full["pads"], full["dilations"], full["group"])
    lowered = lower_conv(x, w, attributes)
    assert lowered.parts == full["group"]
    assert lowered.shape == (len(x) * np.prod(want.shape[2:]), np.prod(w_shape[1:]), len(w) // full["group"])
    got = np.concatenate(_all_rows(lowered), axis=1)  # (image and position, filter)
    assert np.array_equal(got, np.moveaxis(want, 1, -1).reshape(len(got), -1))
    rows = np.array([lowered.shape[0] - 1, 0])
    assert np.array_equal(lowered.x(0, rows), lowered.x(0, np.arange(lowered.shape[0]))[rows])


@pytest.mark.parametrize(
    ("mode", "pads"), [("SAME_UPPER", [0, 1, 1, 1]), ("SAME_LOWER", [1, 1, 0, 1]), ("VALID", [0] * 4)]
)
def test_automatic_padding(mode, pads):
    rng = np.random.default_rng(1)
    x, w = rng.integers(-9, 10, (1, 1, 6, 5)), rng.integers(-9, 10, (1, 1, 3, 3))
    got = lower_conv(x, w, {"auto_pad": mode, "strides": [2, 1]})
    want = lower_conv(x, w, {"pads": pads, "strides": [2, 1]})
    assert np.array_equal(_all_rows(got)[0], _all_rows(want)[0])


@pytest.mark.parametrize(("trans_a", "trans_b"), itertools.product((False, True), repeat=2))
def test_gemm(trans_a, trans_b):
    rng = np.random.default_rng(2)
    a, b = rng.integers(-9, 10, (3, 4)), rng.integers(-9, 10, (4, 5))
    lowered = lower_gemm(a.T if trans_a else a, b.T if trans_b else b, trans_a, trans_b)
    assert (lowered.shape, lowered.parts) == ((3, 4, 5), 1)
    assert np.array_equal(_all_rows(lowered)[0], a @ b)


@pytest.mark.parametrize(
    ("a", "b", "parts"),
    [
        ((3, 4), (4, 5), 1), ((2, 3, 4), (4, 5), 1), ((2, 3, 4), (2, 4, 5), 2), ((2, 1, 3, 4), (6, 4, 5), 12),
        ((4,), (4, 5), 1), ((3, 4), (4,), 1), ((3, 4), (2, 4, 5), 2), ((2, 3, 4), (1, 4, 5), 1),
    ],
)  # fmt: skip
def test_matmul(a, b, parts):
    rng = np.random.default_rng(3)
    left, right = rng.integers(-9, 10, a), rng.integers(-9, 10, b)
    lowered = lower_matmul(left, right)
    assert lowered.parts == parts
    assert np.array_equal(np.concatenate(_all_rows(lowered)).reshape(-1), np.matmul(left, right).reshape(-1))


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda o: lower_gemm(o((2, 3)), o((4, 5))), "cannot multiply"),
        (lambda o: lower_gemm(o((2, 3, 1)), o((3, 5))), "takes matrices"),
        (lambda o: lower_matmul(o((2, 3)), o((4, 5))), "cannot multiply"),
        (lambda o: lower_matmul(o((2, 2, 3)), o((3, 3, 5))), "cannot multiply"),
        (lambda o: lower_matmul(o(()), o((3, 3))), "no scalars"),
        (lambda o: lower_conv(o((1, 3, 5, 5)), o((2, 2, 3, 3)), {}), "cannot take"),
        (lambda o: lower_conv(o((1, 2, 2, 5)), o((2, 2, 3, 3)), {}), "does not fit"),
        (lambda o: lower_conv(o((1, 2, 5, 5)), o((2, 2, 3, 3)), {"strides": [1]}), "2 spatial dimensions"),
        (lambda o: lower_conv(o((1, 2)), o((2, 2)), {}), "3 or more dimensions"),
    ],
)
def test_operands_that_do_not_fit(call, words):
    with pytest.raises(LowerError, match=words):
        call(lambda shape: np.ones(shape, np.int64))
