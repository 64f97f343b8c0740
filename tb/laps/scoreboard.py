"""Scoreboard of LAPS: every transfer, answer and observed entry against the cycle and the value model, and what the
rules promise against the history of each entry."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from models.laps.config import ORDER, LapsParams, RspCode, TensorClass
from models.laps.cycle import Prediction, Stimulus, predict
from models.laps.oracle import min_order
from tb.laps.program import Program
from tb.laps.trace import UNPACK, obs_table, order_table, register_table, update_table
from tb.lib.scoreboard import SpannedScoreboard, compare_tables, cycle_table
from tb.lib.streams import SourceLog

BOUNDARIES = {"reg": "register", "upd": "update", "ord": "query"}


@dataclass
class Epoch:
    """Between two resets; cycles count from `base`."""

    base: int
    stim: Stimulus
    prediction: Prediction


class LapsScoreboard(SpannedScoreboard):
    """Is told `programs`."""

    params: LapsParams
    programs: list[Program]
    BLOCK = "laps"
    epochs: list[Epoch]

    def _epoch(self, base: int, end: int) -> None:
        log: dict[str, SourceLog] = {name: self.seen[name] for name in ("reg", "upd", "ord", "step")}
        pick = {name: (entry.offer >= base) & (entry.offer < end) for name, entry in log.items()}

        def offered(name: str, what: str) -> list[Any]:
            every = [request for program in self.programs for request, _ in getattr(program, what)]
            return [request for request, mine in zip(every, pick[name], strict=True) if mine]

        offers = {name: entry.offer[pick[name]] - base for name, entry in log.items()}
        stim = Stimulus(
            self.params, offered("reg", "regs"), offers["reg"], offered("upd", "upds"), offers["upd"],
            offered("ord", "ords"), offers["ord"], offers["step"], end - base,
        )  # fmt: skip
        want = predict(stim)
        for name, boundary in BOUNDARIES.items():
            mine = log[name].accept[pick[name]]
            mine = np.where((mine >= 0) & (mine < end), mine - base, -1)
            expected = cycle_table(getattr(want, f"{name}_accept"))
            compare_tables(self.verdict, boundary, "transfer", cycle_table(mine), expected, base=base)
        kinds = ("cycle", "value")
        for name, table in (("reg", register_table), ("upd", update_table), ("ord", order_table)):
            cycles, answers = getattr(want, f"{name}_answer"), getattr(want, f"{name}_answers")
            due = [(int(at), each) for at, each in zip(cycles, answers, strict=True) if each is not None]
            expected = table([at for at, _ in due], [each for _, each in due])
            got = self._within(f"{name}_rsp", base, end)
            unpack = UNPACK[f"{name}_rsp"]
            compare_tables(
                self.verdict, BOUNDARIES[name], "answer", got, expected, kinds=kinds, base=base, layouts=unpack
            )
        self._orders(base, end, want.reg_accept, stim)
        observed = want.observed
        expected = obs_table([at for at, _ in observed], [answer for _, answer in observed])
        got = self._within("obs", base, end)
        compare_tables(
            self.verdict, "entry", "update", got, expected, kinds=(*kinds, "slice"), base=base, layouts=UNPACK["obs"]
        )
        self.epochs.append(Epoch(base, stim, want))

    def _orders(self, base: int, end: int, taken: npt.NDArray[np.int64], stim: Stimulus) -> None:
        """Orders that left the core against the exact inequality; `ORDER` is followed by itself."""
        writes = [
            (int(at), request.data)
            for at, request in zip(taken, stim.regs, strict=True)
            if request.write and request.addr == ORDER and at >= 0 and request.data <= 3
        ]
        table = self._within("ord_rsp", base, end)
        table = table[table["code"] == RspCode.OK]
        queries = [
            query for query in stim.ords if query.k and max(layer for layer, _ in query[:3]) < self.params.layers
        ]
        for entry, query in zip(table, queries, strict=False):
            # The register counts in the cycle before the answer.
            most = next((data for at, data in reversed(writes) if at < entry["cycle"] - 1), 3)
            exact = min_order(int(entry["shift"]), query.k, *entry["n"][:2].tolist(), most)
            self.verdict.count("value", 1)
            if entry["order"] != exact:
                self.verdict.diverge(
                    "result", int(entry["cycle"]) + base, f"min_order of {query}", entry["order"], exact
                )

    def figures(self) -> dict[str, Any]:
        """What `make sim` prints, from answers that were found equal."""
        updates = [
            (request, answer)
            for epoch in self.epochs
            for request, answer in zip(epoch.stim.upds, epoch.prediction.upd_answers, strict=True)
            if answer is not None and answer.code == RspCode.OK
        ]
        events = [answer.events for _, answer in updates]
        figures: dict[str, Any] = {
            "cycles": self.cycles,
            "updates": len(updates),
            "queries": sum(len(epoch.stim.ords) for epoch in self.epochs),
            "register_accesses": sum(len(epoch.stim.regs) for epoch in self.epochs),
        }
        for bit, name in enumerate(("fl_down", "fl_up", "n_up", "n_down", "limited")):
            figures[name] = sum(each >> bit & 1 for each in map(int, events))
        for cls in TensorClass:
            slices = [answer.n for request, answer in updates if request.cls == cls]
            if slices:
                figures[f"mean_bits_{cls.name.lower()}"] = round(4 * float(np.mean(slices)), 2)
        return figures
