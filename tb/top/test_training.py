"""Figures of a training that are made of what was seen."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from models.laps.config import TensorClass
from models.top.config import Engine, Gemm, Opt, Plan, TopParams
from tb.optc.sequences import PLAIN
from tb.top import training
from tb.top.training import Span, cycles_by_phase, load_checkpoint, save_checkpoint


def test_cycles_are_counted_by_what_the_compute_engine_did() -> None:
    carried = [
        (Plan(k=1), 0, 90),  # before the first iteration
        (Plan(k=1), 0, 105),
        (Gemm(), 0, 110),
        (Gemm(), 0, 140),  # a product in two commands
        (Gemm(), 0, 160),
        (Opt(config=PLAIN), 0, 180),
        (Gemm(), 0, 205),
        (Gemm(), 0, 400),  # after the last
    ]
    ends = np.array([95, 107, 130, 150, 175, 190, 260, 500])
    run = SimpleNamespace(done=[[], ends, []], carried_out={Engine.COMPUTE: carried}.get)
    spans = [Span(0, 100, 200, (), ("fp1", "fp1", "bp2")), Span(1, 200, 300, (), ("wg1",))]
    assert cycles_by_phase(run, spans) == {"fp": 30, "bp": 15, "wg": 55, "optimiser": 10, "plan": 2, "other": 88}


def test_a_checkpoint_of_another_arithmetic_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "1.ckpt"
    save_checkpoint(path, training.Plan().trainer(TopParams(), 1437))
    assert load_checkpoint(path).batch == 64
    monkeypatch.setattr(training, "fingerprint", lambda: "another")
    with pytest.raises(ValueError, match="whose floating point differs") as caught:
        load_checkpoint(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("laps", "slices"), [(True, {"mlp": 1, "resnet": 2}), (False, {"mlp": 2, "resnet": 2})])
def test_a_training_starts_with_the_network_s_settings(laps: bool, slices: dict[str, int]) -> None:
    """Errors of the residual network have 8 bits and no order is left out, with LAPS and without."""
    for net, n in slices.items():
        trainer = training.Plan(net, laps=laps).trainer(TopParams(), 6400)
        assert {fmt.n for key, fmt in trainer.formats.items() if key.cls == TensorClass.ERROR} == {n}
        assert trainer._settings.most == {"mlp": 3, "resnet": 0}[net]
