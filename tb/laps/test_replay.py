"""Replay and closed loop must fail: tampered recordings, missing answers, a controller that answers otherwise."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from host.closed_loop import Format, LapsController, Query, Request, StepDone, Update, answer
from host.fixed import TrainConfig
from host.network import load_network
from host.settings import SETTINGS
from models.laps.config import TensorClass
from models.laps.value import Laps
from tb.laps.replay import (
    LoopPair,
    Recording,
    batch_program,
    chosen,
    compare_recording,
    final_formats,
    load_recording,
    replay_order,
    replay_program,
)
from tb.laps.trace import update_table
from tb.lib.errors import UserError
from tb.lib.scoreboard import Verdict

ITERATIONS = 3
COUNT = 12 * ITERATIONS


@pytest.fixture(scope="module")
def recording() -> Recording:
    return load_recording().first(ITERATIONS)


@pytest.fixture
def answers(recording: Recording) -> npt.NDArray[np.void]:
    """What a faultless core would have answered."""
    laps = Laps()
    for addr, word in recording.writes:
        assert laps.write(addr, word) == 0
    return update_table(range(0, 4 * COUNT, 4), [laps.update(*update) for update in recording.updates])


def _findings(answers: npt.NDArray[np.void], recording: Recording) -> tuple[Verdict, list[tuple[str, int, str]]]:
    verdict = Verdict()
    compare_recording(verdict, answers, recording, 999)
    return verdict, [(each.boundary, each.cycle, each.what) for each in verdict.divergences]


def test_a_faultless_replay_passes_and_counts(answers: npt.NDArray[np.void], recording: Recording) -> None:
    verdict, found = _findings(answers, recording)
    assert not found
    assert verdict.checks["value"] == COUNT
    formats = final_formats(recording, answers)
    assert len(formats) == 12
    assert formats["final layer 2 gradient"] == "n 4, FL 10"


@pytest.mark.parametrize("name", ["n", "fl"])
def test_a_tampered_recording_fails(answers: npt.NDArray[np.void], recording: Recording, name: str) -> None:
    wrong = recording.answers[17]._replace(**{name: getattr(recording.answers[17], name) + 1})
    tampered = replace(recording, answers=[*recording.answers[:17], wrong, *recording.answers[18:]])
    _, found = _findings(answers, tampered)
    what = "code, n and FL of update 17 (layer 2, activation) as recorded"
    assert found == [("result", 4 * 17, what)]


def test_refused_and_missing_answers_fail(answers: npt.NDArray[np.void], recording: Recording) -> None:
    assert _findings(answers[:-1], recording)[1] == [("result", 999, "recorded answers")]
    answers["code"][5] = 2
    assert _findings(answers, recording)[1][0][:2] == ("result", 20)


def test_the_recording_is_of_the_network_and_batch_that_are_asked_for() -> None:
    """Queries are not recorded: their inner lengths come from the network."""
    recording = load_recording()
    values = [update.stats.values for update in recording.updates[:12]]
    weights, rows = [64 * 64, 64 * 32, 32 * 10], [64 * 64, 64 * 64, 64 * 32]
    errors = [64 * 10, 64 * 32, 64 * 64]
    assert values[:6] == [each for pair in zip(weights, rows, strict=True) for each in pair]
    assert values[6:] == [each for pair in zip(errors, reversed(weights), strict=True) for each in pair]
    assert len(recording.updates) == 660 * recording.per_iteration
    program = replay_program(recording)
    assert len(program.ords) == 660 * 7
    assert len(program.steps) == 660
    assert replay_order(2, 12) == [*[1] * 7, *[0] * 12] * 2


@pytest.mark.parametrize(
    ("config", "key", "legal", "line"),
    [
        ({"net": "rnn"}, "net", ("mlp", "cnn"), "CONFIG: net is 'rnn'; choose mlp or cnn"),
        ({"net": ["mlp"]}, "net", ("mlp", "cnn"), r"CONFIG: net is \['mlp'\]; choose mlp or cnn"),
        ({"iterations": 0}, "iterations", range(1, 9), "CONFIG: iterations is 0; choose 1 .. 8"),
        ({"iterations": "2"}, "iterations", range(1, 9), "CONFIG: iterations is '2'; choose 1 .. 8"),
    ],
)
def test_mistakes_in_the_configuration(config: dict[str, Any], key: str, legal: Sequence[Any], line: str) -> None:
    with pytest.raises(UserError, match=f"^{line}$"):
        chosen(config, key, legal[0], legal)
    assert chosen({}, key, legal[0], legal) == legal[0]
    assert chosen({key: legal[1]}, key, legal[0], legal) == legal[1]


# --------------------------------------------------------------------------------------------------------- closed loop


def _images(number: int) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    rng = np.random.default_rng(number)
    return rng.integers(0, 17, (64, 64)) / 16, rng.integers(0, 10, 64)


def _train(tamper: Callable[[int, list[Any]], list[Any] | None], iterations: int = ITERATIONS) -> LoopPair:
    """A pair whose `asked` gets the model's answers as `tamper`, which gets their place, leaves them."""
    pair = LoopPair(load_network("mlp").lowered, TrainConfig(), SETTINGS)
    controller = LapsController(pair.writes)
    count = 0

    async def ask(requests: Sequence[Request]) -> list[Any] | None:
        nonlocal count
        count += 1
        pair.cycle = 100 * count
        return tamper(count, [answer(controller, request) for request in requests])

    for number in range(1, iterations + 1):
        if not asyncio.run(pair.iteration(number, *_images(number), ask)):
            break
    return pair


def _first(pair: LoopPair) -> str:
    verdict = Verdict()
    pair.judge(verdict)
    assert verdict.checks["value"] == pair.compared > 0
    if verdict.first is None:
        return ""
    assert verdict.first.boundary == "result"
    assert verdict.first.cycle > 0
    return verdict.first.what


def test_the_model_as_its_own_controller_passes() -> None:
    pair = _train(lambda _, said: said)
    pair.compare_weights()
    assert _first(pair) == ""
    assert pair.compared == ITERATIONS * (7 + 12) + 64 * 64 + 64 * 32 + 32 * 10 + 64 + 32 + 10


def test_another_order_fails() -> None:
    pair = _train(lambda at, said: [*said[:4], said[4] ^ 1, *said[5:]] if at == 4 else said)
    assert _first(pair) == "min_order of wg1, iteration 2"


@pytest.mark.parametrize("change", [Format(1, 0), Format(0, 1)])
def test_another_format_fails(change: Format) -> None:
    def tamper(at: int, said: list[Any]) -> list[Any]:
        if at == 5:
            said[7] = Format(said[7].n + change.n, said[7].fl + change.fl)
        return said

    pair = _train(tamper)
    assert _first(pair) == "format of layer 2, gradient after iteration 2"
    assert pair.cycle == 600  # the training ends there


def test_refused_or_missing_answers_fail() -> None:
    assert _first(_train(lambda at, said: None if at == 5 else said)) == "answers to iteration 2"


@pytest.mark.parametrize("name", ["weights", "biases"])
def test_other_weights_fail(name: str) -> None:
    pair = _train(lambda _, said: said, 1)
    getattr(pair.asked.network.params, name)[1][..., 3] += 2.0**-40
    pair.compare_weights()
    assert _first(pair).startswith(f"{name} of layer 1 at (")


def test_requests_become_programs() -> None:
    pair = LoopPair(load_network("mlp").lowered, TrainConfig(), SETTINGS)
    work, replies, programs = copy.deepcopy(pair.asked).batches(*_images(1)), None, []
    controller = LapsController(pair.writes)
    while True:
        try:
            requests = work.send(replies)
        except StopIteration:
            break
        programs.append((requests, batch_program(requests)))
        replies = [answer(controller, request) for request in requests]
    (asked, ords), (told, upds), (done, steps) = programs
    assert [(q.x, q.w, q.y, q.k) for q in asked if isinstance(q, Query)] == [tuple(query) for query, _ in ords.ords]
    assert [(*u.key, u.stats) for u in told if isinstance(u, Update)] == [tuple(update) for update, _ in upds.upds]
    assert TensorClass.GRADIENT in {update.cls for update, _ in upds.upds}
    assert (done, steps.steps) == ([StepDone()], [0])
