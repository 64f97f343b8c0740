"""The report of `make train`: figures (JSON), pictures, and one self-contained page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from flow.core.charts import COLOURS, INK, WIDTH, axes_of, svg
from host.energy import Counts, Energies, dense_energy, processor_energy, ratio
from models.common.files import write_whole
from models.top.config import Buffer, TopParams
from tb.lib.paths import ROOT

TEMPLATE = Path(__file__).with_name("train_report.html.j2")
CLASSES = ("activation", "weight", "error", "gradient")
PLURALS = {"activation": "activations", "weight": "weights", "error": "errors", "gradient": "gradients"}
BIT_COLOURS = ("#9cc3e2", "#3b86c8", "#d9822b", "#c2463a")  # of 4, 8, 12, 16 bits
PHASE_LABELS = {
    "fp": "forward products",
    "bp": "products of errors",
    "wg": "products of weight gradients",
    "optimiser": "optimiser",
    "plan": "plans",
    "other": "loads, stores and host alone",
}
PRODUCTS = ("fp", "bp", "wg")  # phases in which the cores work on products
EPOCH1 = (
    "speedup", "speedup_whole", "split", "utilisation", "average_bits", "accuracy", "cycles", "cycles_with_host",
    "words", "energy",
)  # fmt: skip
PART_LABELS = {
    "multiply": "multipliers", "accumulate": "accumulators", "tiles": "tile memories", "drain": "drains",
    "buffers": "buffers", "optimiser": "optimiser updates",
}  # fmt: skip
FACTOR_LABELS = {
    "precision": "precision", "skip_mask": "masked outputs", "skip_x": "zero slices of X",
    "skip_w": "zero slices of W", "skip_order": "low orders", "utilisation": "utilisation",
}  # fmt: skip
GEMM_PARTS = ("multiply", "accumulate", "tiles", "drain", "buffers")


def energy_counts(records: Sequence[Mapping[str, Any]]) -> Counts:
    """Activity of all segments, added up (their JSON)."""
    out = Counts()
    for record in records:
        given = record["energy_counts"]
        for field in fields(Counts):
            mine, more = getattr(out, field.name), given[field.name]
            if isinstance(mine, dict):
                for key in mine:
                    name = str(int(key)) if isinstance(key, Buffer) else key
                    mine[key] += more[name]
            else:
                setattr(out, field.name, mine + more)
    return out


def split(record: Mapping[str, Any], rows: int) -> dict[str, float]:
    """Factors of the speed-up over dense 16b x 16b: their product is the speed-up.

    precision; pairs that masks, zero broadcast slices, zero stationary slices and `min_order` save; `utilisation`: what
    loads, drains and waiting leave of it.
    """
    c = record["counters"]
    pairs = c["issues"] + c["skip_mask"] + c["skip_x"] + c["skip_w"] + c["skip_order"]
    dense16 = sum(step["dense16"] for step in record["steps"])
    out = {"precision": dense16 / pairs}
    left = pairs
    for name in ("mask", "x", "w", "order"):
        after = left - c[f"skip_{name}"]
        out[f"skip_{name}"] = left / after
        left = after
    out["utilisation"] = c["issues"] / (rows * c["cycles"])
    return out


def phases(records: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """Cycles of all iterations by what the compute engine did (tb/top/training.py, `cycles_by_phase`)."""
    return {name: sum(record["phases"][name] for record in records) for name in records[0]["phases"]}


def whole_cycles(record: Mapping[str, Any], params: TopParams) -> tuple[float, int]:
    """Cycles of a segment's whole iterations, with a dense 16b x 16b array and of the processor.

    Both count the host's commands, loads, stores, the optimiser and plans as the processor was seen to spend on them
    beside its products; the dense array's products take the cycles of as many arrays of the same size, always busy.
    """
    ours = record["train_cycles"]
    products = sum(record["phases"][name] for name in PRODUCTS)
    dense = sum(step["dense16"] for step in record["steps"]) / (params.rows * params.cores)
    return dense + ours - products, ours


def whole_speedup(records: Sequence[Mapping[str, Any]], params: TopParams) -> float:
    """How many times less cycles the processor takes for whole iterations."""
    cycles = [whole_cycles(record, params) for record in records]
    return sum(dense for dense, _ in cycles) / sum(ours for _, ours in cycles)


def words(records: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, int]]:
    """Words of 128 bits `read` and `written` by all iterations, by buffer."""
    first = records[0]["words"]
    return {
        kind: {buffer: sum(record["words"][kind][buffer] for record in records) for buffer in first[kind]}
        for kind in first
    }


def energy(records: Sequence[Mapping[str, Any]], energies: Energies, params: TopParams) -> dict[str, Any]:
    """Of all iterations, pJ: ours and those of the dense arrays, whole and by part; how many times less ours is."""
    counts = energy_counts(records)
    mine = processor_energy(counts, energies, params)
    dense = {name: dense_energy(counts, energies, params, name == "fp16") for name in ("fp16", "int16")}
    return {
        "ours": sum(mine.values()),
        **{name: sum(each.values()) for name, each in dense.items()},
        "parts": {"ours": mine, **dense},
        "ratio_fp16": ratio(dense["fp16"], mine),
        "ratio_int16": ratio(dense["int16"], mine),
        "ratio_fp16_gemms": ratio(dense["fp16"], mine, GEMM_PARTS),
        "largest_part": largest_part(mine),
        "source": energies.name,
    }


def merged(records: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Several segments as one record: steps in order, counters added up."""
    names = records[0]["counters"]
    return {
        "steps": [step for record in records for step in record["steps"]],
        "counters": {name: sum(record["counters"][name] for record in records) for name in names},
    }


def content(
    records: Sequence[Mapping[str, Any]],
    per_epoch: int,
    reference: tuple[list[float], list[float]],
    params: TopParams,
    energies: Energies,
) -> dict[str, Any]:
    """The JSON: of the whole training, of epoch 1, and by epoch."""
    rows = params.rows
    epochs: list[list[Mapping[str, Any]]] = []
    for record in records:
        if record["first"] % per_epoch == 0:
            epochs.append([])
        epochs[-1].append(record)
    by_epoch = []
    for number, mine in enumerate(epochs):
        whole = merged(mine)
        parts = split(whole, rows)
        steps = whole["steps"]
        by_epoch.append(
            {
                "epoch": number + 1,
                "loss": float(np.mean([step["loss"] for step in steps])),
                "accuracy": mine[-1].get("accuracy"),
                "float32_loss": reference[0][number],
                "float32_accuracy": reference[1][number],
                "average_bits": sum(s["bit_macs"] for s in steps) / sum(s["macs"] for s in steps),
                "cycles": whole["counters"]["cycles"],
                "cycles_with_host": sum(record["train_cycles"] for record in mine),
                "phases": phases(mine),
                "speedup": float(np.prod(list(parts.values()))),
                "speedup_whole": whole_speedup(mine, params),
                "split": parts,
                "utilisation": parts["utilisation"],
                "words": words(mine),
                "energy": energy(mine, energies, params),
            }
        )
    whole = merged(records)
    parts, steps, counters = split(whole, rows), whole["steps"], whole["counters"]
    cycles, seconds = sum(r["cycles"] for r in records), sum(sum(r["seconds"].values()) for r in records)
    stalls = {name: counters[name] for name in ("stall_operand", "stall_ran")}
    return {
        "accuracy": by_epoch[-1]["accuracy"],
        "float32_accuracy": by_epoch[-1]["float32_accuracy"],
        "average_bits": sum(s["bit_macs"] for s in steps) / sum(s["macs"] for s in steps),
        "cycles": counters["cycles"],
        "cycles_dense16": sum(s["dense16"] for s in steps) / (rows * params.cores),
        "cycles_by_phase": phases(records),
        "cycles_with_host": sum(r["train_cycles"] for r in records),
        "speedup": float(np.prod(list(parts.values()))),
        "speedup_split": parts,
        "speedup_whole": whole_speedup(records, params),
        "words": words(records),
        "utilisation": parts["utilisation"],
        "stalls": stalls,
        "largest_loss": largest_loss(parts, counters, rows),
        "energy": energy(records, energies, params),
        "mismatches": sum(r["mismatches"] for r in records),
        "checks": {kind: sum(r["checks"][kind] for r in records) for kind in records[0]["checks"]},
        "peak_mib": max(r["peak_mib"] for r in records),
        "simulated_cycles": cycles,
        "simulated_cycles_per_second": cycles / seconds,
        "epoch1": {name: by_epoch[0][name] for name in EPOCH1},
        "epochs": by_epoch,
    }


def largest_loss(parts: Mapping[str, float], counters: Mapping[str, int], rows: int) -> str:
    """What keeps the array from issuing, in a sentence."""
    busy = rows * counters["cycles"]
    waits = {
        "they wait for operands": counters["stall_operand"],
        "they wait for the RAN": counters["stall_ran"],
    }
    name, number = max(waits.items(), key=lambda item: item[1])
    return f"rows issue in {parts['utilisation']:.1%} of row-cycles; {name} in {number / busy:.1%}"


def summary_lines(report: Mapping[str, Any]) -> list[str]:
    """What the command says at its end."""

    def times(name: str) -> str:
        first = f" ({report['epoch1'][name]:.1f} in epoch 1)" if len(report["epochs"]) > 1 else ""
        return f"{report[name]:.1f} times fewer cycles than a dense 16b x 16b array{first}"

    return [
        f"accuracy {report['accuracy']:.2%} (float32 {report['float32_accuracy']:.2%}) at {report['average_bits']:.2f} "
        f"bits on average",
        f"matrix products: {times('speedup')}",
        f"whole iterations: {times('speedup_whole')}",
        "  (these with loads, stores, optimiser and host, the same for both)",
        f"cycles: {report['cycles']:,} in products, {report['cycles_with_host']:,} in whole iterations, "
        f"{report['simulated_cycles']:,} simulated",
        "  (simulated: also test images and what a segment loads and saves)",
        f"energy (proxy): {report['energy']['ratio_fp16']:.1f} times below a dense FP16 array's; "
        f"{report['energy']['largest_part']}",
        f"{report['largest_loss']}",
        f"{report['mismatches']} mismatches; memory of a simulation: {report['peak_mib']:,} MiB at most",
    ]


def largest_part(mine: Mapping[str, float]) -> str:
    """What most of the processor's energy goes into, in a sentence."""
    name = max(mine, key=lambda part: mine[part])
    return f"{PART_LABELS[name]} take {mine[name] / sum(mine.values()):.1%} of ours"


def pictures(data: Mapping[str, Any], records: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """SVG by name: `learning`, `factors`, `cycles`, `precision`, `fractions`, `energy`.

    What has a value an iteration is a curve; what has one an epoch is a curve too, or bars if there is one epoch.
    """
    steps = [step for record in records for step in record["steps"]]
    made = {
        "learning": _learning(data["epochs"], [step["loss"] for step in steps]),
        "factors": _factors(data),
        "cycles": _cycles(data["epochs"]),
        "precision": _precision(steps),
        "fractions": _fractions(steps),
        "energy": _energy(data["energy"]["parts"]),
    }
    return {name: svg(figure, name) for name, figure in made.items()}


def _label(axes: Any, x: str = "", y: str = "", title: str = "") -> None:
    axes.set_xlabel(x, fontsize=9, color=INK)
    axes.set_ylabel(y, fontsize=9, color=INK)
    axes.set_title(title, fontsize=10, color=INK, loc="left")
    axes.grid(alpha=0.25, color=INK)


def _legend(axes: Any, **more: Any) -> None:
    axes.legend(fontsize=9, frameon=False, labelcolor=INK, **more)


def _whole_ticks(axes: Any) -> None:
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))


def _learning(epochs: Sequence[Mapping[str, Any]], losses: Sequence[float]) -> Figure:
    """Loss of every iteration; accuracy on the test images beside float32."""
    figure = Figure(figsize=(WIDTH, 3.2), layout="constrained")
    ours, other = COLOURS[0], COLOURS[1]
    axes = axes_of(figure, 1, 2, 1)
    a_epoch = len(losses) / len(epochs)
    axes.plot(range(1, len(losses) + 1), losses, color=ours, lw=1, label="processor")
    for number, each in enumerate(epochs):
        span = (number * a_epoch + 1, (number + 1) * a_epoch)
        label = "float32, mean of the epoch" if number == 0 else None
        axes.plot(span, [each["float32_loss"]] * 2, color=other, lw=1.6, ls="--", label=label)
    axes.set_yscale("log")
    _label(axes, "iteration", "loss", "Loss")
    _whole_ticks(axes)
    _legend(axes)
    axes = axes_of(figure, 1, 2, 2)
    shares = {
        "processor": [100 * e["accuracy"] for e in epochs],
        "float32": [100 * e["float32_accuracy"] for e in epochs],
    }
    if len(epochs) == 1:
        values = [each[0] for each in shares.values()]
        bars = axes.barh(list(shares), values, color=(ours, other), height=0.5)
        axes.bar_label(bars, fmt="%.2f %%", padding=4, fontsize=9, color=INK)
        axes.set_xlim(0, 118)
        axes.set_xticks((0, 25, 50, 75, 100))
        axes.invert_yaxis()
        _label(axes, "%", title="Accuracy on the test images")
        axes.grid(visible=False, axis="y")
    else:
        at = [each["epoch"] for each in epochs]
        axes.plot(at, shares["processor"], "o-", color=ours, ms=4, label="processor")
        axes.plot(at, shares["float32"], "s--", color=other, ms=4, label="float32")
        _label(axes, "epoch", "%", "Accuracy on the test images")
        _whole_ticks(axes)
        _legend(axes)
    return figure


def _factors(data: Mapping[str, Any]) -> Figure:
    """What the products' speed-up is made of; both speed-ups by epoch, or those of the one epoch."""
    figure = Figure(figsize=(WIDTH, 3.1), layout="constrained")
    axes = axes_of(figure, 1, 2, 1)
    split_of = data["speedup_split"]
    bars = axes.barh([FACTOR_LABELS[name] for name in split_of], list(split_of.values()), color=COLOURS[0], height=0.6)
    axes.bar_label(bars, fmt="%.2f", padding=4, fontsize=9, color=INK)
    axes.invert_yaxis()
    axes.margins(x=0.15)
    _label(axes, "factor", title=f"Products: {data['speedup']:.1f} = product of these")
    axes.grid(visible=False, axis="y")
    axes = axes_of(figure, 1, 2, 2)
    epochs = data["epochs"]
    kinds = {"speedup": "matrix products", "speedup_whole": "whole iterations"}
    if len(epochs) == 1:
        bars = axes.barh(list(kinds.values()), [epochs[0][name] for name in kinds], color=COLOURS[:2], height=0.5)
        axes.bar_label(bars, fmt="%.1f", padding=4, fontsize=9, color=INK)
        axes.invert_yaxis()
        axes.margins(x=0.15)
        _label(axes, "times", title="Fewer cycles than a dense array")
        axes.grid(visible=False, axis="y")
    else:
        for (name, label), colour in zip(kinds.items(), COLOURS, strict=False):
            axes.plot([e["epoch"] for e in epochs], [e[name] for e in epochs], "o-", ms=4, color=colour, label=label)
        axes.set_ylim(0)
        _label(axes, "epoch", "times", "Fewer cycles than a dense array")
        _whole_ticks(axes)
        _legend(axes)
    return figure


def _cycles(epochs: Sequence[Mapping[str, Any]]) -> Figure:
    """Cycles of an epoch's iterations by what the compute engine does."""
    one = len(epochs) == 1
    figure = Figure(figsize=(WIDTH, 1.7 if one else 3.2), layout="constrained")
    axes = axes_of(figure, 1, 1, 1)
    ends = np.zeros(len(epochs))
    at = [each["epoch"] for each in epochs]
    for (phase, label), colour in zip(PHASE_LABELS.items(), COLOURS, strict=False):
        values = np.array([each["phases"][phase] for each in epochs]) / 1e3
        if one:
            axes.barh(at, values, left=ends, color=colour, label=label, height=0.5)
        else:
            axes.bar(at, values, bottom=ends, color=colour, label=label, width=0.8)
        ends += values
    if one:
        axes.set_yticks([])
        _label(axes, "thousand cycles")
    else:
        _label(axes, "epoch", "thousand cycles")
        _whole_ticks(axes)
    _legend(axes, ncols=3, loc="lower left", bbox_to_anchor=(0, 1))
    return figure


def _names(steps: Sequence[Mapping[str, Any]]) -> list[tuple[str, int, str]]:
    """(name, layer, class) of every tensor, by class, then layer."""
    parts = [(name, *name.split(".")) for name in steps[0]["formats"]]
    return sorted(((name, int(layer), cls) for name, layer, cls in parts), key=lambda it: (CLASSES.index(it[2]), it[1]))


def _precision(steps: Sequence[Mapping[str, Any]]) -> Figure:
    """Bits of every tensor over the iterations."""
    names = _names(steps)
    figure = Figure(figsize=(WIDTH, 1.1 + 0.2 * len(names)), layout="constrained")
    axes = axes_of(figure, 1, 1, 1)
    grid = np.array([[step["formats"][name][0] for step in steps] for name, _, _ in names])
    colours = ListedColormap(BIT_COLOURS)
    extent = (0.5, len(steps) + 0.5, len(names) - 0.5, -0.5)
    axes.imshow(grid, aspect="auto", interpolation="nearest", cmap=colours, vmin=0.5, vmax=4.5, extent=extent)
    axes.set_yticks(range(len(names)), [f"layer {layer + 1} {PLURALS[cls]}" for _, layer, cls in names], fontsize=9)
    axes.set_xlabel("iteration", fontsize=9, color=INK)
    _whole_ticks(axes)
    handles = [Patch(color=colour, label=f"{4 * n} bits") for n, colour in enumerate(BIT_COLOURS, 1)]
    _legend(axes, handles=handles, ncols=4, loc="lower left", bbox_to_anchor=(0, 1))
    return figure


def _fractions(steps: Sequence[Mapping[str, Any]]) -> Figure:
    """Fraction lengths over the iterations: a panel a class, a line a layer."""
    names = _names(steps)
    classes = list(dict.fromkeys(cls for _, _, cls in names))
    rows = -(-len(classes) // 2)
    figure = Figure(figsize=(WIDTH, 2.5 * rows), layout="constrained")
    layers = sorted({layer for _, layer, _ in names})
    for place, cls in enumerate(classes, 1):
        axes = axes_of(figure, rows, 2, place)
        mine = [(name, layer) for name, layer, other in names if other == cls]
        for name, layer in mine:
            values = [step["formats"][name][1] for step in steps]
            shift = 0.08 * (layer - (len(layers) - 1) / 2)  # equal lines would hide each other
            colour = COLOURS[layer % len(COLOURS)]
            at = range(1, len(steps) + 1)
            axes.step(at, np.array(values) + shift, where="mid", color=colour, lw=1.6, label=f"layer {layer + 1}")
        axes.yaxis.set_major_locator(MaxNLocator(integer=True))
        _label(axes, "iteration", "fraction length", PLURALS[cls].capitalize())
        _whole_ticks(axes)
        if place == 1:
            _legend(axes)
    return figure


def _energy(parts: Mapping[str, Mapping[str, float]]) -> Figure:
    """Energy of ours and of dense arrays, by part."""
    kinds = {"ours": "processor", "int16": "dense 16-bit integers", "fp16": "dense FP16"}
    figure = Figure(figsize=(WIDTH, 2.4), layout="constrained")
    axes = axes_of(figure, 1, 1, 1)
    ends = np.zeros(len(kinds))
    for part, colour in zip(parts["ours"], COLOURS, strict=False):
        values = np.array([parts[kind][part] for kind in kinds]) / 1e6
        axes.barh(list(kinds.values()), values, left=ends, color=colour, label=PART_LABELS[part], height=0.6)
        ends += values
    axes.invert_yaxis()
    _label(axes, "uJ (proxy)")
    axes.grid(visible=False, axis="y")
    _legend(axes, ncols=6, loc="lower left", bbox_to_anchor=(0, 1), columnspacing=1.2, handlelength=1.2)
    return figure


def write_page(data: Mapping[str, Any], title: str, images: Mapping[str, str], path: Path) -> Path:
    """The page, with its pictures inside."""
    path.parent.mkdir(parents=True, exist_ok=True)
    folders = [TEMPLATE.parent, ROOT / "flow" / "core"]
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(folders), autoescape=True, trim_blocks=True, lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )  # fmt: skip
    environment.filters["number"] = lambda value: f"{value:,.0f}"
    text = environment.get_template(TEMPLATE.name).render(
        data=data, title=title, images=images, factors=FACTOR_LABELS, phases=PHASE_LABELS, parts=PART_LABELS
    )
    write_whole(path, text)
    return path
