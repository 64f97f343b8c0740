"""`make train-model`: table, picture, report and one line for every mistake, on a stand-in of the digits."""

import functools
import json
import os

import pytest

from flow.commands import train_model
from host.network import NetworkError
from host.settings import FINE_ERRORS
from studies import measure
from studies.measure import Outcome, Task, TrainingError, Variant
from tb.lib.errors import UserError


@pytest.fixture
def make(as_make, monkeypatch, tmp_path):
    """Calls the target the way the Makefile does: (exit status, stdout, stderr)."""
    monkeypatch.setattr(train_model, "REPORTS", tmp_path / "reports")
    monkeypatch.setattr(train_model, "BUILD", tmp_path)
    monkeypatch.delenv("TS_GOALS", raising=False)
    return functools.partial(as_make, "train-model")


def test_a_short_training(make, tmp_path):
    path = tmp_path / "r.json"
    status, out, err = make(EPOCHS="1", SEED="3", SEEDS="2", REPORT=str(path))
    assert (status, err) == (0, "")
    report = json.loads(path.read_text(encoding="utf-8"))
    for row in report["table"]:
        assert f"{row['accuracy']:.2%}" in out
    assert [row["variant"] for row in report["table"]] == [each.name for each in train_model.VARIANTS]
    of = {row["variant"]: row for row in report["table"]}
    laps, reference = of["LAPS"], of["float32"]
    assert report["accuracy"] == laps["accuracy"] == sum(laps["accuracies"]) / 2
    assert report["float32_accuracy"] == reference["accuracy"] > 0.5
    assert report["average_bits"] == laps["average_bits"] < of["8 bits"]["average_bits"] == 8
    assert report["predicted_speedup"] == laps["predicted_speedup"] > of["8 bits"]["predicted_speedup"]
    assert report["epoch1_speedup"] == laps["epoch1_speedup"] > of["16 bits"]["epoch1_speedup"] > 1
    assert (report["net"], report["epochs"], report["seeds"]) == ("mlp", 1, [3, 4])
    assert [each["seed"] for each in report["trainings"]] == [3, 4] * len(train_model.VARIANTS)
    assert (tmp_path / "reports/laps/train_mlp.png").read_bytes().startswith(b"\x89PNG")
    assert report["picture"] == str(tmp_path / "reports/laps/train_mlp.png")
    # The same figures as in this process, and nothing of the environment changed.
    alone = measure.run(train_model.VARIANTS[-1], Task("mlp"), 1, 3)
    assert alone.accuracy == [laps["accuracies"][0]]


@pytest.mark.parametrize(
    ("variables", "error"),
    [
        ({"NET": "rnn"}, "NET=rnn: choose one of cnn, lenet, mlp, resnet, or a file: my_net.py, my_net.py:NAME"),
        ({"NET": "/no/net.py"}, "/no/net.py: no such file"),
        ({"DATA": "/no/a.npz"}, "/no/a.npz: no such file"),
        ({"DATA": "fashion-mnist"}, "fashion-mnist"),
        ({"IMAGES": "many"}, "IMAGES=many: give a number of training images"),
        ({"IMAGES": "5000"}, "digits has 1437 training images, not 5000"),
        ({"IMAGES": "63"}, "digits: 63 training images, and a batch takes 64"),
        ({"EPOCHS": "0"}, "EPOCHS=0: choose 1..1000"),
        ({"EPOCHS": "few"}, "EPOCHS=few: 'few' is not a valid integer"),
        ({"SEEDS": "0"}, "SEEDS=0: "),
        ({"SEED": "0"}, "SEED=0: must be a number"),
        ({"REPORT": "/no/such/folder/r.json"}, "REPORT=/no/such/folder/r.json: cannot be written"),
        ({"EPOCH": "3"}, "make train-model takes no variable EPOCH: did you mean EPOCHS?"),
    ],
)
def test_mistakes_are_one_line(make, variables, error):
    status, out, err = make(**variables)
    assert (status, out) == (2, "")
    assert err.startswith(f"error: {error}")
    assert err.count("\n") == 1


def test_a_picture_that_cannot_be_written(tmp_path, monkeypatch):
    one = Outcome("LAPS", 1, [0.5], [1.0], 6.0, 20.0, 19.0, [[[(1, 3), (2, 7), (1, 3), (4, 11)]]])
    other = Outcome("float32", 1, [0.6], [1.0], 32.0, None, None)
    monkeypatch.setattr(train_model, "run_all", lambda *_: [other, one])
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(UserError, match="cannot write"):
        train_model.train_model(Task("mlp"), 1, [1], 1, tmp_path / "file" / "p.png")


class Stops(Exception):
    """In the middle of a training."""


def test_an_interrupted_training_goes_on_to_the_same_figures(tmp_path, monkeypatch):
    laps, task = train_model.VARIANTS[-1], Task("mlp", images=(640, 60))
    whole = measure.run(laps, task, 2, 1)
    ticks = []

    def stop(count):
        ticks.append(count)
        if len(ticks) == 15:
            raise Stops

    monkeypatch.setattr(measure, "SAVED", 0.0)
    keep = tmp_path / "kept" / "a.pickle"
    keep.parent.mkdir()
    with pytest.raises(Stops):
        measure.run(laps, task, 2, 1, stop, keep=keep)
    ticks.clear()
    assert measure.run(laps, task, 2, 1, ticks.append, keep=keep) == whole
    assert ticks == [14, 1, 1, 1, 1, 1, 1]
    ticks.clear()
    assert measure.run(laps, task, 1, 1, ticks.append, keep=keep).accuracy == whole.accuracy[:1]
    keep.write_bytes(b"damaged")
    assert measure.run(laps, task, 2, 1, keep=keep) == whole


def test_a_training_that_fails_ends_all_of_them(monkeypatch):
    monkeypatch.delenv("OPENBLAS_NUM_THREADS", raising=False)
    with pytest.raises(NetworkError, match="choose one of"):
        measure.run_all(Task("nosuch"), 1, [1, 2, 3], 2, [Variant("float32")])
    assert "OPENBLAS_NUM_THREADS" not in os.environ


def test_stopping_ends_the_trainings():
    def stop(done, total):
        assert total == 3 * 1000 * 22
        if done:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        measure.run_all(Task("mlp"), 1000, [1, 2, 3], 2, [Variant("float32")], stop)


class Dies(Variant):
    """Ends its process."""

    def network(self, layers, config):
        os._exit(9)


def test_a_training_that_is_killed_is_one_line():
    with pytest.raises(measure.TrainingError, match="was killed; if memory ran out, try JOBS=1"):
        measure.run_all(Task("mlp"), 1, [1, 2], 1, [Dies("dies")])


def test_the_picture_holds_every_point_of_laps():
    def outcome(variant, accuracy, formats=()):
        return Outcome(variant, 1, accuracy, [1.0] * len(accuracy), 8.0, None, None, list(formats))

    laps = outcome("LAPS", [0.62, 0.97], [[[(1, 2)] * 4]])
    low, high = train_model.share_limits([outcome("float32", [0.3, 0.98]), laps])
    assert low < 62
    assert 98 < high <= 100
    laps = outcome("LAPS", [0.95, 0.97], [[[(1, 2)] * 4]])
    assert train_model.share_limits([outcome("float32", [0.3, 0.98]), laps]) == (86, 99)


def test_settings_of_a_network_reach_laps_and_nothing_else(make, tmp_path, monkeypatch):
    path = tmp_path / "net.py"
    path.write_text(
        "from host.network import Dense, Network\nfrom host.settings import FINE_ERRORS\n"
        "NET = Network((64,), [Dense(10)], settings=FINE_ERRORS, data='digits')\n",
        encoding="utf-8",
    )

    def stop(task, epochs, seeds, jobs, variants, *_):
        said = [each.name for each in variants if each.settings == FINE_ERRORS]
        raise TrainingError(f"{said} of {len(variants)}, {[each.name for each in variants if each.settings]}")

    monkeypatch.setattr(train_model, "run_all", stop)
    assert make(NET=str(path))[2] == f"error: ['LAPS'] of {len(train_model.VARIANTS)}, ['LAPS']\n"
