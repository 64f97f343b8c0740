"""Fidelity of gradient streams: what the core gave, from the traces; the table, and the picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from rich import box
from rich.console import Console
from rich.table import Table

from host.fidelity import BARS, Fidelity, Run, measure, reference
from host.optimiser import Pass
from models.optc.config import Mode
from tb.lib.paths import shown

if TYPE_CHECKING:
    from tb.optc.scoreboard import OptcScoreboard

F64 = npt.NDArray[np.float64]
SATURATIONS = ("sat_w", "sat_m", "sat_v")
DRAWN = 5  # parameters whose weights are drawn


@dataclass(frozen=True)
class Observed:
    """A stream as it left the core: `updates` u times step and `w`, both (T, P), in floats; `end` is the number of the
    beat after it."""

    updates: F64
    w: F64
    cycles: int
    saturated: dict[str, int]
    clipped: int
    eps_used: int
    end: int

    def fidelity(self, g: F64, run: Run) -> Fidelity:
        """Against the float64 optimiser."""
        return measure(run.host.rule, g, run.start, self.updates, self.w, run.units_w)


def observed(
    board: OptcScoreboard, passes: Sequence[Pass], first: int, place: int, shape: tuple[int, ...], lanes: int
) -> Observed | None:
    """Updates and weights of a stream whose passes are the tensors from `first` on and whose beats begin at `place`;
    None if the traces do not hold all of them."""
    epoch = board.epochs[-1]
    u_words, w_words = board.seen["update_trace"]["u"], epoch.result["w"]
    stats = board.seen["stat_trace"][first : first + len(passes)]
    beats = [-(-len(each.members) // lanes) for each in passes]
    end = place + sum(beats)
    if min(len(u_words), len(w_words)) < end or len(stats) < len(passes):
        return None
    updates, w = np.zeros(shape), np.zeros(shape)
    for each, count in zip(passes, beats, strict=True):
        if each.steps:
            here, n = slice(place, place + count), len(each.members)
            u, words = (x[here].astype(np.int32).ravel()[:n].astype(np.float64) for x in (u_words, w_words))
            updates[each.step, each.members] = u * each.update_unit
            w[each.step, each.members] = np.ldexp(words, -each.fl_w)
        place += count
    step = np.array([each.steps for each in passes])
    began = int(epoch.prediction.cfg_accept[first])
    return Observed(
        updates,
        w,
        int(stats["cycle"][-1]) - epoch.base - began + 1,
        {name: int(stats[name].sum()) for name in SATURATIONS},
        int(stats["clipped"][step].sum()),
        int(stats["eps_used"][step].sum()),
        end,
    )


def findings(name: str, bars: Sequence[str], found: Fidelity, seen: Observed, sat_g: int) -> list[tuple[str, str, str]]:
    """(what, observed, expected) of everything in a stream's result that is not as it must be."""
    why = f" ({found.reasons()})" if found.reasons() else ""
    out = [
        (f"{figure} of {name} from float64{why}", f"{value:.3g}", f"at most {bar:g}")
        for figure, value, bar in found.missed(tuple(bars))
    ]
    if any(seen.saturated.values()) or sat_g:
        out.append((f"saturations of {name}", str({**seen.saturated, "sat_g": sat_g}), "none"))
    return out


def stream_report(name: str, g: F64, run: Run, seen: Observed, found: Fidelity, bars: Sequence[str]) -> dict[str, Any]:
    """The figures of a stream, for result.json; `bars` are those that were checks."""
    rule, totals = run.host.rule, run.host.totals
    return {
        "stream": name,
        "steps": g.shape[0],
        "parameters": g.shape[1],
        "rule": {key: value for key, value in asdict(rule).items() if key != "mode"},
        **found.as_dict(),
        "bars": {each: BARS[each] for each in bars},
        "cycles": seen.cycles,
        "results_per_cycle": g.size / seen.cycles,
        "passes": totals.passes,
        "rescaling_passes": totals.rescales,
        "groups": totals.groups,
        "moved": totals.moved,
        "passes_with": totals.follows,
        "saturated": {**seen.saturated, "sat_g": totals.sat_g},
        "clipped": seen.clipped,
        "eps_used": seen.eps_used,
        "reasons": found.reasons(),
    }


def print_streams(result: dict[str, Any]) -> None:
    """Prints the table of the streams of a run, and where their pictures are."""
    streams = (result.get("report") or {}).get("streams") or []
    if not streams:
        return
    console = Console(width=max(108, Console().width))
    table = Table("", box=box.SIMPLE, title="the core against float64", title_justify="left")
    for each in streams:
        table.add_column(each["stream"], justify="right", no_wrap=True)

    def bar(each: dict[str, Any], name: str) -> str:
        if name not in each["bars"]:
            return f"{each[name]:.3g}"
        mark = "" if each[name] <= each["bars"][name] else " missed"
        return f"{each[name]:.3g}  (bar {each['bars'][name]:g}{mark})"

    rows = {
        "steps x parameters": lambda e: f"{e['steps']:,} x {e['parameters']:,}",
        "update error, p50": lambda e: bar(e, "p50"),
        "update error, p99": lambda e: bar(e, "p99"),
        "  of updates (with a gradient)": lambda e: f"{e['compared']:,}",
        "update error without gradient too, p50, p99": lambda e: f"{e['all_p50']:.3g}, {e['all_p99']:.3g}",
        "drift": lambda e: bar(e, "drift"),
        "weights off by more than 1 % of their way": lambda e: bar(e, "off_weights"),
        "updates below u, below w, near EPS": lambda e: f"{e['below_u']:.3%}, {e['below_w']:.3%}, {e['near_eps']:.3%}",
        "cycles": lambda e: f"{e['cycles']:,}",
        "results per cycle": lambda e: f"{e['results_per_cycle']:.3f}",
        "passes (of them rescaling)": lambda e: f"{e['passes']:,} ({e['rescaling_passes']:,})",
        "groups at most, changes of group": lambda e: f"{e['groups']}, {e['moved']:,}",
        "passes with pre_w, pre_m, pre_v": lambda e: ", ".join(f"{n:,}" for n in e["passes_with"].values()),
        "saturations of w, m, v, g": lambda e: ", ".join(f"{n:,}" for n in e["saturated"].values()),
        "quotients clipped, denominators eps": lambda e: f"{e['clipped']:,}, {e['eps_used']:,}",
    }
    for name, text in rows.items():
        table.add_row(name, *(text(each) for each in streams))
    console.print(table)
    for each in streams:
        if each["reasons"]:
            print(f"note: {each['stream']}: {each['reasons']}")
        if each["clipped"]:
            print(f"note: {each['stream']}: {each['clipped']:,} quotients clipped at 8, float64 has no clip")
        if each.get("picture"):
            print(f"picture: {shown(Path(each['picture']))}")


def draw(path: Path, name: str, g: F64, run: Run, seen: Observed, found: Fidelity, bars: Sequence[str]) -> None:
    """Writes the picture: distribution of update errors, drift over steps, weights against float64, and `bars`."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    figure, ((errors, drift), (weights, off)) = plt.subplots(2, 2, figsize=(12, 8), constrained_layout=True)
    unit = "" if run.host.rule.mode == Mode.MOMENTUM else ", u has 16 fraction bits"
    figure.suptitle(f"OPTC, {name}: {g.shape[0]:,} steps of {g.shape[1]:,} parameters, RTL against float64{unit}")
    if found.errors.size:
        spread = np.log10(np.clip(found.errors, 1e-10, 1e2))
        errors.hist(spread, bins=120, color="tab:blue")
    for quantile, colour in (("p50", "tab:green"), ("p99", "tab:red")):
        value = getattr(found, quantile)
        errors.axvline(np.log10(max(value, 1e-10)), color=colour, label=f"{quantile} = {value:.2e}")
        if quantile in bars:
            errors.axvline(np.log10(BARS[quantile]), color=colour, linestyle="--", label=f"bar {BARS[quantile]:g}")
    errors.set(xlabel="log10 of an update's relative error", ylabel="updates with a gradient", yscale="log")
    errors.legend()
    t = np.arange(1, len(g) + 1)
    style = {"marker": "." if len(g) < 50 else ""}
    drift.plot(t, np.maximum(found.curve, 1e-12), color="tab:blue", **style, label=f"at the end {found.drift:.2e}")
    if "drift" in bars:
        drift.axhline(BARS["drift"], color="tab:red", linestyle="--", label=f"bar {BARS['drift']:g}")
    drift.set(xlabel="step", ylabel="drift of the weights", yscale="log")
    drift.legend()
    want = reference(run.host.rule, g, run.start).w
    moved = np.abs(want[-1] - run.start)
    # From the one that moved most down to the median.
    ranks = np.unique(np.linspace(0, (len(moved) - 1) // 2, DRAWN).astype(int))
    for number, at in enumerate(np.argsort(-moved, kind="stable")[ranks].tolist()):
        colour = f"C{number}"
        weights.plot(t, seen.w[:, at], color=colour, **style, label=f"parameter {at}")
        weights.plot(t, want[:, at], color="black", linestyle=":", linewidth=1, label="float64" if not number else None)
        off.plot(t, seen.w[:, at] - want[:, at], color=colour, **style, label=f"parameter {at}")
    weights.set(xlabel="step", ylabel="weight")
    off.set(xlabel="step", ylabel="weight minus float64's")
    weights.legend(fontsize="small")
    off.legend(fontsize="small")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=90)
    plt.close(figure)
