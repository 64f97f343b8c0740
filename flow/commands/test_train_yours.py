"""A user's own network and data through `make train-model` and `make train`, as the guide shows them; mistakes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from flow.commands import train as flow
from flow.commands import train_model
from flow.commands.train import Job, prepared, train
from flow.commands.train_report import content
from flow.core.blocks import get_block
from flow.site.test_guides import snippets
from host.energy import Energies
from models.top.config import TopParams
from studies import measure
from studies.measure import Variant
from tb.lib.errors import UserError
from tb.top.training import Plan

TINY = """
from host.network import AvgPool, Conv, Dense, MaxPool, Network, ReLU, Residual
NET = Network(
    (6, 6, 2),
    [
        Conv(4, padding=1), ReLU(), MaxPool(3, stride=2, padding=1),
        Residual([Conv(8, stride=2, padding=1, groups=2), ReLU(), Conv(8, padding=1)], [Conv(8, 1, stride=2)]), ReLU(),
        Residual([Conv(8, padding=1)]), ReLU(), AvgPool(), Dense(3),
    ],
    batch=4,
)
"""


@pytest.fixture
def make(as_make, monkeypatch, tmp_path):
    """Calls a target the way the Makefile does: (exit status, stdout, stderr)."""
    for module in (flow, train_model):
        monkeypatch.setattr(module, "REPORTS", tmp_path / "reports")
    return as_make


@pytest.fixture
def mine(tmp_path: Path) -> tuple[Path, Path]:
    """A network and data of a user."""
    rng = np.random.default_rng(1)
    net, data = tmp_path / "mine.py", tmp_path / "mine.npz"
    net.write_text(TINY, encoding="utf-8")
    x, y = rng.integers(0, 256, (13, 6, 6, 2), np.uint8), np.arange(13) % 3
    np.savez(data, x_train=x[:8], y_train=y[:8], x_test=x[8:], y_test=y[8:])
    return net, data


@pytest.mark.late
def test_the_guide_s_network_trains(make, tmp_path, monkeypatch) -> None:
    ((name, _, text),) = snippets("train_yours.md")
    path, report = tmp_path / name, tmp_path / "r.json"
    path.write_text(text, encoding="utf-8")
    rng = np.random.default_rng(1)
    x, y = rng.integers(0, 256, (128, 28, 28), np.uint8), np.arange(128) % 10
    np.savez(tmp_path / "d.npz", x_train=x, y_train=y, x_test=x[:40], y_test=y[:40])
    monkeypatch.setattr(train_model, "VARIANTS", (Variant("float32"), train_model.VARIANTS[-1]))
    given = {"NET": path, "DATA": tmp_path / "d.npz", "IMAGES": "64/20", "EPOCHS": 2, "REPORT": report, "JOBS": 1}
    status, out, err = make("train-model", **given)
    assert (status, err) == (0, "")
    data = json.loads(report.read_text(encoding="utf-8"))
    assert "my_net, 2 epochs" in out
    assert [row["variant"] for row in data["table"]] == ["float32", "LAPS"]
    assert data["trainings"][1]["loss"][0] == pytest.approx(data["trainings"][0]["loss"][0], rel=0.05)


@pytest.mark.late
def test_a_training_of_a_user_s_network_on_the_rtl(mine, tmp_path, monkeypatch) -> None:
    """Every value, slice and cycle checked; what the host adds up and what is cut, too."""
    net, data = mine
    plan = Plan(str(net), data=str(data), images=(8, 5))
    monkeypatch.setattr(flow, "BUILD", tmp_path)
    job = Job(plan, 1, get_block("top").resolve_params(None))
    records = train(job, 2)
    assert [each["stop"] for each in records] == [1, 2]
    assert all(each["mismatches"] == 0 for each in records)
    assert records[-1]["totals"]["host_finished"] > 0
    assert records[-1]["accuracy"] in {0, 0.2, 0.4, 0.6, 0.8, 1}
    loaded = prepared(plan, TopParams())
    report = content(records, 2, plan.float32(loaded, 1), TopParams(), Energies.load())
    assert report["epochs"][0]["loss"] == pytest.approx(report["epochs"][0]["float32_loss"], rel=0.2)
    kept = job.folder
    assert kept.name.startswith("mine-momentum-laps-1-")
    np.savez(data, **{**np.load(data), "y_train": np.zeros(8, np.int64)})
    assert job.folder != kept


@pytest.mark.parametrize(
    ("changed", "variables", "message"),
    [
        ("Dense(3)", {}, ""),
        ("LSTM(3)", {}, "mine.py, line 8: NameError: name 'LSTM' is not defined"),
        ("'GRU', Dense(3)", {}, "mine.py: element 9, 'GRU': the processor does not train that"),
        ("Dense(4000), ReLU(), Dense(3)", {}, "words of the state buffers, which have 4,096: take smaller layers"),
        ("Dense(2)", {}, "labels 0 to 2, and the network has 2 outputs"),
        ("Dense(3)", {"DATA": "digits"}, "digits: training images of 64, and the network takes 6 x 6 x 2"),
        ("Dense(3)", {"SAMPLE": "5"}, "SAMPLE=5: give all, a share of the iterations (1/50 or 0.02), or minutes"),
        ("Dense(3)", {"SAMPLE": "all", "CAPTURE": "/tmp"}, "SAMPLE takes no CAPTURE"),
        ("Dense(3)", {"IMAGES": "9"}, "mine.npz has 8 training images, not 9"),
        (", ".join(["Dense(3), ReLU()"] * 12 + ["Dense(3)"]), {}, "18 layers: LAPS has 16"),
    ],
)
def test_mistakes_are_one_line(make, mine, monkeypatch, changed, variables, message) -> None:
    net, data = mine
    net.write_text(TINY.replace("Dense(3)", changed), encoding="utf-8")
    monkeypatch.setattr("flow.commands.train.train", _reached)
    status, out, err = make("train", **{"NET": net, "DATA": data, **variables})
    assert (status, out) == ((2, "") if message else (130, ""))
    if not message:
        return  # work would have begun
    assert err.startswith("error: ")
    assert message in err
    assert err.count("\n") == 1


def _reached(*_: object) -> None:
    raise KeyboardInterrupt("work")


def test_nan_is_refused(tmp_path: Path) -> None:
    net = tmp_path / "n.py"
    net.write_text(TINY, encoding="utf-8")
    np.savez(tmp_path / "d.npz", x_train=np.full((8, 6, 6, 2), np.nan), y_train=np.arange(8) % 3)
    with pytest.raises(UserError, match="x_train holds 576 values that are NaN or infinite"):
        prepared(Plan(str(net), data=str(tmp_path / "d.npz")), TopParams())


def test_a_training_in_numpy_of_more_layers_than_laps_has(mine) -> None:
    net, data = mine
    net.write_text(TINY.replace("Dense(3)", "Dense(3), ReLU(), " * 12 + "Dense(3)"), encoding="utf-8")
    with pytest.raises(measure.TrainingError, match="18 layers: LAPS has 16"):
        measure.run_all(measure.Task(str(net), str(data)), 1, [1], 1, train_model.VARIANTS)
