"""Floating point that is the same everywhere: accuracy against decimals, and that nothing else decides bits."""

from __future__ import annotations

import ast
import decimal
import re
from pathlib import Path

import numpy as np
import pytest

from models.common import floats

ROOT = Path(__file__).resolve().parents[2]
# Functions whose last bit depends on the machine: NumPy's and the C library's, and distributions that use them.
FORBIDDEN = frozenset(
    re.findall(
        r"\w+",
        "exp exp2 expm1 log log2 log10 log1p logaddexp power float_power pow cbrt logspace geomspace sin cos tan "
        "arcsin arccos arctan arctan2 sinh cosh tanh hypot norm interp normal standard_normal exponential "
        "standard_exponential geometric poisson binomial negative_binomial gamma standard_gamma beta laplace lognormal "
        "rayleigh multivariate_normal multinomial dirichlet logistic gumbel weibull pareto zipf uniform",
    )
)
# Who may use one, and why nothing that is compared to the bit needs it.
ALLOWED = {
    "host/energy.py": "energies are reported, with three digits",
    "models/laps/oracle.py": "bounds with slack around exact integers",
    "models/optc/oracle.py": "the float64 yardstick: compared within its documented error",
    "host/fidelity.py": "the float64 yardstick: quantiles are compared with bars",
    "host/test_optimiser.py": "the float64 yardstick: compared within a bound",
    "host/test_trainer.py": "the float64 yardstick: compared within a bound",
    "host/test_closed_loop.py": "distances to a centre: labels of a made-up problem, away from the edges",
    "host/test_fixed.py": "distances to a centre: labels of a made-up problem, away from the edges",
    "host/test_torch.py": "the float64 yardstick: compared within a bound",
    "tb/optc/fidelity.py": "axes of a picture",
    "tb/top/client/client.py": "the float64 yardstick: compared within the documented error",
    "flow/commands/macros.py": "areas and times of a memory's model are reported, with a few digits",
    "flow/commands/test_mapping.py": "the model of a memory: compared within a bound",
    "flow/commands/test_sample.py": "a made-up population: shares of intervals are compared with slack",
    "tb/gemm/test_commands.py": "weights of floats: their products are compared within a bound",
    "tb/optc/test_commands.py": "the float64 yardstick: a drift compared with its bar",
}


def _mine(name: str) -> bool:
    return name in ("floats", "_floats")


def findings(source: str) -> list[int]:
    """Lines of forbidden calls: attributes of modules or generators, and powers with a float in them."""
    out = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in FORBIDDEN:
            owner = node.func.value
            if not (isinstance(owner, ast.Name) and _mine(owner.id)):
                out.append(node.lineno)
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Pow):
            left, right = node.left, node.right
            exact = (isinstance(left, ast.Constant) and isinstance(left.value, int)) or _whole(right) or _two(left)
            if not exact and not _fraction(left):
                out.append(node.lineno)
    return out


def _whole(node: ast.expr) -> bool:
    """A literal exponent of 2: a product."""
    return isinstance(node, ast.Constant) and node.value == 2


def _two(node: ast.expr) -> bool:
    """2.0 to a whole power is exact wherever it is representable; `floats` has the rest."""
    return isinstance(node, ast.Constant) and node.value == 2.0


def _fraction(node: ast.expr) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Fraction"


def _sources() -> list[Path]:
    return sorted(path for top in ("models", "host", "studies", "tb", "flow") for path in (ROOT / top).rglob("*.py"))


def test_nothing_else_decides_bits() -> None:
    found = {}
    for path in _sources():
        name = path.relative_to(ROOT).as_posix()
        lines = [] if name in ("models/common/floats.py", "models/common/test_floats.py") else findings(
            path.read_text(encoding="utf-8")
        )  # fmt: skip
        if lines:
            found[name] = lines
    others = {name: lines for name, lines in found.items() if name not in ALLOWED}
    assert not others, f"use models.common.floats, or say in ALLOWED why no bit depends on it: {others}"
    assert set(ALLOWED) <= set(found), f"no longer needed: {sorted(set(ALLOWED) - set(found))}"


@pytest.mark.parametrize(
    "line",
    [
        "np.exp(x)", "math.log(2)", "rng.normal(size=3)", "rng.geometric(0.1)", "10.0 ** x", "beta ** t", "x ** 0.5",
        "np.logspace(-6, 1, 8)", "np.linalg.norm(x)", "rng.uniform(-1, 1)",
    ],
)  # fmt: skip
def test_the_search_finds(line: str) -> None:
    assert findings(line) == [1]


@pytest.mark.parametrize("line", ["floats.exp(x)", "2**n", "x * x", "x**2", "2.0**-fl", "Fraction(2) ** n", "16**i"])
def test_the_search_leaves(line: str) -> None:
    assert findings(line) == []


def _ulps(got: np.ndarray, exact: list[decimal.Decimal], floor: float = 0.0) -> float:
    """Largest error in units of the last place (of at least `floor`)."""
    return max(
        float(abs(decimal.Decimal(float(g)) - e)) / float(np.spacing(max(abs(float(e)), floor)))
        for g, e in zip(got, exact, strict=True)
    )


def _points(low: float, high: float, count: int) -> np.ndarray:
    return low + (high - low) * np.random.default_rng(count).random(count)


def test_against_decimals() -> None:
    """Forty digits: independent of every library for floats."""
    with decimal.localcontext() as context:
        context.prec = 40
        for low, high in ((-700, 700), (-1, 1), (-1e-9, 1e-9)):
            x = _points(low, high, 300)
            assert _ulps(floats.exp(x), [decimal.Decimal(float(v)).exp() for v in x]) < 1.5
        for low, high in ((1e-300, 1e-290), (0.4, 1.6), (1, 1e9)):
            x = _points(low, high, 300)
            logs = [decimal.Decimal(float(v)).ln() for v in x]
            assert _ulps(floats.log(x), logs, 0.01) < 3
            assert _ulps(floats.log2(x), [each / decimal.Decimal(2).ln() for each in logs], 0.01) < 4
        x = _points(-30, 30, 300)
        exact = [decimal.Decimal(10) ** decimal.Decimal(float(v)) for v in x]
        assert _ulps(floats.power(10.0, x), exact) < 1e-13 * 2**52
        powers = [decimal.Decimal.from_float(0.999) ** n for n in range(600)]
        assert _ulps(np.array([floats.whole_power(0.999, n) for n in range(600)]), powers) < 300


def test_edges() -> None:
    assert floats.exp([0.0, -800.0, -np.inf]).tolist() == [1.0, 5e-324, 5e-324]
    assert (floats.log2(2.0 ** np.arange(-1074, 1024)) == np.arange(-1074, 1024)).all()
    assert floats.log(1.0) == 0
    assert floats.whole_power(0.5, 0) == 1
    for bad in (710.0, np.nan, np.inf):
        with pytest.raises(ValueError, match="709"):
            floats.exp(bad)
    for bad in (0.0, -1.0, np.nan, np.inf):
        with pytest.raises(ValueError, match="positive"):
            floats.log(bad)
    with pytest.raises(ValueError, match="n >= 0"):
        floats.whole_power(0.5, -1)
    for bad in (0.0, 1.1):
        with pytest.raises(ValueError, match="probability"):
            floats.geometric(np.random.default_rng(1), bad)


def test_sums_are_in_order() -> None:
    x = np.array([[1e16, 1.0, -1e16, 1.0]])
    assert floats.total(x, axis=1).tolist() == [1.0]
    assert floats.product(x, np.ones((4, 1))).tolist() == [[1.0]]
    a = np.random.default_rng(1).integers(-9, 9, (5, 7))
    assert (floats.product(a, a.T) == a @ a.T).all()


def test_distributions() -> None:
    rng = np.random.default_rng(4)
    x = floats.normal(rng, (200, 500), 3.0, 2.0)
    assert abs(x.mean() - 3) < 0.03
    assert abs(x.std() - 2) < 0.03
    assert np.abs(x - 3).max() <= 12
    for p in (1.0, 0.4, 0.01):
        draws = floats.geometric(rng, p, 100_000)
        assert draws.min() == 1
        assert abs(draws.mean() * p - 1) < 0.02
        assert abs((draws == 1).mean() - p) < 0.01
    assert isinstance(floats.geometric(rng, 0.3), int)
    u = floats.uniform(rng, -3, 5, 100_000)
    assert -3 <= u.min() < -2.99
    assert 4.99 < u.max() < 5


def test_fingerprint(monkeypatch: pytest.MonkeyPatch) -> None:
    assert floats.check_platform() is None
    monkeypatch.setattr(floats, "fingerprint", lambda: "another")
    said = floats.check_platform()
    assert said is not None
    assert "does not follow IEEE 754" in said
    assert "\n" not in said


def test_fingerprint_sees_flushed_subnormals(monkeypatch: pytest.MonkeyPatch) -> None:
    ldexp = np.ldexp

    def flushing(x: np.ndarray, n: int) -> np.ndarray:
        out = ldexp(x, n)
        return np.where(np.abs(out) < 2.0**-1022, 0.0, out)

    monkeypatch.setattr(floats.np, "ldexp", flushing)
    assert floats.fingerprint.__wrapped__() != floats.FINGERPRINT
