"""The report of `make train`: figures (JSON), pictures, and one self-contained page."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import jinja2
import numpy as np

from models.common.files import write_whole
from models.top.config import Buffer, TopParams
from models.top.energy import Counts, Energies, dense_energy, processor_energy, ratio

TEMPLATE = Path(__file__).with_name("train_report.html.j2")
CLASSES = ("activation", "weight", "error", "gradient")
LINES = ("-", "--", ":", "-.")  # of layers; colours are of classes
PHASE_LABELS = {
    "fp": "forward products",
    "bp": "products of errors",
    "wg": "products of weight gradients",
    "optimiser": "optimiser",
    "plan": "plans",
    "other": "loads, stores and host alone",
}
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
                "cycles": sum(record["train_cycles"] for record in mine),
                "phases": phases(mine),
                "speedup": float(np.prod(list(parts.values()))),
                "split": parts,
            }
        )
    whole = merged(records)
    parts, steps, counters = split(whole, rows), whole["steps"], whole["counters"]
    counts = energy_counts(records)
    mine = processor_energy(counts, energies, params)
    dense = {name: dense_energy(counts, energies, params, name == "fp16") for name in ("fp16", "int16")}
    cycles, seconds = sum(r["cycles"] for r in records), sum(sum(r["seconds"].values()) for r in records)
    losses = {name: value for name, value in parts.items() if name == "utilisation"}
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
        "utilisation": losses["utilisation"],
        "stalls": stalls,
        "largest_loss": largest_loss(parts, counters, rows),
        "energy": {
            "ours": sum(mine.values()),
            **{name: sum(each.values()) for name, each in dense.items()},
            "parts": {"ours": mine, **dense},
            "ratio_fp16": ratio(dense["fp16"], mine),
            "ratio_int16": ratio(dense["int16"], mine),
            "ratio_fp16_gemms": ratio(dense["fp16"], mine, GEMM_PARTS),
            "largest_part": largest_part(mine),
            "source": energies.name,
        },
        "mismatches": sum(r["mismatches"] for r in records),
        "checks": {kind: sum(r["checks"][kind] for r in records) for kind in records[0]["checks"]},
        "simulated_cycles": cycles,
        "simulated_cycles_per_second": cycles / seconds,
        "epoch1": {name: by_epoch[0][name] for name in ("speedup", "split", "average_bits", "accuracy")},
        "epochs": by_epoch,
    }


def largest_loss(parts: Mapping[str, float], counters: Mapping[str, int], rows: int) -> str:
    """What keeps the array from issuing, in a sentence."""
    busy = rows * counters["cycles"]
    waits = {
        "rows wait for operands (tiles and vectors still come in, or none are left)": counters["stall_operand"],
        "rows wait for the RAN": counters["stall_ran"],
    }
    name, number = max(waits.items(), key=lambda item: item[1])
    return f"{name}: {number / busy:.1%} of row-cycles; {parts['utilisation']:.1%} issue"


def largest_part(mine: Mapping[str, float]) -> str:
    """What most of the processor's energy goes into, in a sentence."""
    name = max(mine, key=lambda part: mine[part])
    return f"{name}: {mine[name] / sum(mine.values()):.1%} of the processor's energy"


def pictures(data: Mapping[str, Any], records: Sequence[Mapping[str, Any]], folder: Path) -> list[Path]:
    """Loss and accuracy beside float32; precision of every layer over time; speed-up and its factors; energy."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt
    from matplotlib.ticker import MaxNLocator

    folder.mkdir(parents=True, exist_ok=True)
    steps = [step for record in records for step in record["steps"]]
    epochs, out = data["epochs"], []

    def by_epoch(axis: Any) -> None:
        axis.set_xlim(0, len(epochs) + 1)
        axis.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))

    def save(figure: Any, name: str) -> None:
        path = folder / f"{name}.png"
        figure.tight_layout()
        figure.savefig(path, dpi=110)
        plt.close(figure)
        out.append(path)

    at = [each["epoch"] for each in epochs]
    figure, axes = plt.subplots(1, 2, figsize=(11, 3.6))
    axes[0].plot(
        np.arange(1, len(steps) + 1) / len(steps) * len(epochs),
        [s["loss"] for s in steps],
        lw=0.7,
        color="tab:blue",
        alpha=0.5,
    )
    axes[0].plot(at, [e["loss"] for e in epochs], "o-", color="tab:blue", label="processor, mean of the epoch")
    axes[0].plot(at, [e["float32_loss"] for e in epochs], "s--", color="tab:gray", label="float32")
    axes[0].set(xlabel="epoch", ylabel="loss", yscale="log")
    axes[1].plot(at, [100 * e["accuracy"] for e in epochs], "o-", color="tab:blue", label="processor")
    axes[1].plot(at, [100 * e["float32_accuracy"] for e in epochs], "s--", color="tab:gray", label="float32")
    axes[1].set(xlabel="epoch", ylabel="test accuracy, %")
    for each in axes:
        each.legend()
        each.grid(alpha=0.3)
        by_epoch(each)
    save(figure, "accuracy")

    names = sorted(steps[0]["formats"], key=lambda name: (CLASSES.index(name.split(".")[1]), int(name.split(".")[0])))
    figure, axes = plt.subplots(1, 2, figsize=(11, 3.8))
    grid = np.array([[4 * step["formats"][name][0] for step in steps] for name in names])
    image = axes[0].imshow(
        grid,
        aspect="auto",
        interpolation="nearest",
        cmap="viridis",
        vmin=4,
        vmax=16,
        extent=(1, len(steps) + 1, len(names) - 0.5, -0.5),
    )
    parts = [(int(layer), cls) for layer, cls in (name.split(".") for name in names)]
    labels = [f"layer {layer + 1} {cls}" for layer, cls in parts]
    axes[0].set_yticks(range(len(names)), labels, fontsize=7)
    axes[0].set(xlabel="iteration", title="bits")
    figure.colorbar(image, ax=axes[0], ticks=(4, 8, 12, 16))
    colours = {cls: f"C{number}" for number, cls in enumerate(dict.fromkeys(cls for _, cls in parts))}
    for name, label, (layer, cls) in zip(names, labels, parts, strict=True):
        values = [step["formats"][name][1] for step in steps]
        style = LINES[layer % len(LINES)]
        axes[1].plot(range(1, len(steps) + 1), values, style, color=colours[cls], label=label, lw=1.2)
    axes[1].set(xlabel="iteration", title="fraction length")
    axes[1].legend(fontsize=6, bbox_to_anchor=(1, 1), loc="upper left")
    axes[1].grid(alpha=0.3)
    save(figure, "precision")

    figure, axes = plt.subplots(1, 2, figsize=(11, 3.6))
    factors = list(data["speedup_split"])
    axes[0].bar(factors, [data["speedup_split"][name] for name in factors], color="tab:blue")
    axes[0].margins(y=0.1)
    for place, name in enumerate(factors):
        axes[0].text(
            place,
            data["speedup_split"][name],
            f"{data['speedup_split'][name]:.2f}",
            ha="center",
            va="bottom",
            fontsize=8,
        )
    axes[0].set(title=f"speed-up {data['speedup']:.1f} over dense 16b x 16b, as a product", ylabel="factor")
    axes[0].tick_params(axis="x", labelrotation=25, labelsize=8)
    axes[1].plot(at, [e["speedup"] for e in epochs], "o-", label="speed-up")
    axes[1].plot(at, [e["average_bits"] for e in epochs], "s--", label="average bits")
    axes[1].set(xlabel="epoch", ylim=(0, None))
    by_epoch(axes[1])
    axes[1].legend()
    axes[1].grid(alpha=0.3)
    save(figure, "speedup")

    figure, axis = plt.subplots(figsize=(7.5, 3.6))
    ends = np.zeros(len(epochs))
    for phase, label in PHASE_LABELS.items():
        values = np.array([each["phases"][phase] for each in epochs]) / 1e3
        axis.bar(at, values, bottom=ends, label=label)
        ends += values
    axis.set(xlabel="epoch", ylabel="thousand cycles", title="cycles by what the compute engine does")
    by_epoch(axis)
    axis.legend(fontsize=7, bbox_to_anchor=(1, 1), loc="upper left")
    save(figure, "phases")

    figure, axis = plt.subplots(figsize=(6.5, 3.6))
    bottoms = np.zeros(3)
    kinds = ("ours", "int16", "fp16")
    for part in data["energy"]["parts"]["ours"]:
        values = np.array([data["energy"]["parts"][kind][part] for kind in kinds]) / 1e6
        axis.bar(kinds, values, bottom=bottoms, label=part)
        bottoms += values
    axis.set(ylabel="uJ (proxy)", title=f"energy: {data['energy']['ratio_fp16']:.1f} times below dense FP16")
    axis.legend(fontsize=7, bbox_to_anchor=(1, 1), loc="upper left")
    save(figure, "energy")
    return out


def write_page(data: Mapping[str, Any], title: str, images: Sequence[Path], path: Path) -> Path:
    """The page, with its pictures inside."""
    environment = jinja2.Environment(loader=jinja2.FileSystemLoader(TEMPLATE.parent), autoescape=True)
    inline = [(each.stem, base64.b64encode(each.read_bytes()).decode()) for each in images]
    write_whole(path, environment.get_template(TEMPLATE.name).render(data=data, title=title, images=inline))
    return path
