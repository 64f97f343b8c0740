"""The host's rule: momentum over recorded gradients, illegal values. ADAM's fraction lengths are not covered yet."""

from __future__ import annotations

import numpy as np
import pytest

from models.optc.config import Mode, RspCode
from models.optc.host import Host, HostError, Rule
from models.optc.oracle import momentum
from models.optc.value import update
from tb.flow.paths import ROOT


def _run(host: Host, g: np.ndarray) -> np.ndarray:
    """Weights (T, P) behind every pass; no state may saturate."""
    out = []
    for row in g:
        before = host.state
        config, q = host.step(row)
        assert config.check() == RspCode.OK
        done = update(config, before, q)
        assert (done.statistics.sat_w, done.statistics.sat_m, done.statistics.sat_v) == (0, 0, 0)
        host.done(done.state, done.statistics)
        out.append(host.weights())
    return np.array(out)


def test_momentum_over_recorded_gradients_drifts_at_most_one_per_cent() -> None:
    with np.load(ROOT / "data" / "optc" / "digits_gradients.npz") as data:
        g, w0 = data["g"].astype(np.float64), data["w0"].astype(np.float64)
    host = Host(Rule(Mode.MOMENTUM, 1e-2), w0)
    start = host.weights()
    assert np.abs(start - w0).max() <= 2.0 ** -(host.fl_w + 1)
    w = _run(host, g)
    ref = momentum(g, start, 1e-2, 0.9)[0]
    assert host.saturated_g == 0
    assert np.linalg.norm(w[-1] - ref[-1]) <= 0.01 * np.linalg.norm(ref[-1] - start)


@pytest.mark.parametrize("change", [{"lr": 0.0}, {"beta1": 1.0}, {"beta2": -0.1}, {"eps": -1.0}, {"weight_decay": 1e9}])
def test_hyperparameters_out_of_range(change: dict[str, float]) -> None:
    with pytest.raises(HostError, match=f"{next(iter(change)).upper()}="):
        Host(Rule(**{"mode": Mode.ADAM, "lr": 1e-3, **change}), np.ones(2))


def test_what_is_not_finite_is_refused() -> None:
    with pytest.raises(HostError, match="weights are not finite"):
        Host(Rule(Mode.ADAM, 1e-3), np.array([1.0, np.inf]))
    host = Host(Rule(Mode.ADAM, 1e-3), np.ones(2))
    with pytest.raises(HostError, match="gradients of step 1"):
        host.step(np.array([np.nan, 0.0]))
