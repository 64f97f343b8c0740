"""Value level of LAPS: what every register access, update and query answers and leaves behind.

Source: docs/laps/README.md, all sections but "Timing" and "Ports". Signals and logarithms are in 1/256.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from models.common.generator import DRAW_BITS, draws
from models.common.slices import operand_range
from models.laps.config import (
    CLASS_STRIDE,
    CLASS_WORDS,
    CLASSES,
    LAYOUTS,
    MAX_STEP,
    RESET_BANDS,
    RESET_SEED,
    SCHEDULE_WHEN,
    SLOT_STRIDE,
    SLOTS,
    Band,
    Counter,
    Entry,
    Event,
    LapsParams,
    Limits,
    Place,
    RegCode,
    RspCode,
    Rules,
    Slot,
    TensorClass,
    TensorStats,
    Tolerance,
    Word,
    place_of,
)

MAX_DROP = 15
COUNTER_MASK = (1 << 32) - 1
NOTHING = Event(0)
DRAWS_AHEAD = 256  # a block of draws costs little more than one


@dataclass(frozen=True)
class UpdateAnswer:
    """FL and n of the next tensor, and what ``obs_`` ports show: the new entry (None if refused), the mean magnitude
    (x of the page), the tolerance and whether the tensor was over it."""

    code: RspCode
    fl: int = 0
    n: int = 0
    events: Event = NOTHING
    entry: Entry | None = None
    mean: int = 0
    tolerance: int = 0
    over: bool = False


@dataclass(frozen=True)
class OrderAnswer:
    """min_order, s, and n and FL of x, w, y; all 0 if refused."""

    code: RspCode
    order: int = 0
    shift: int = 0
    n: tuple[int, int, int] = (0, 0, 0)
    fl: tuple[int, int, int] = (0, 0, 0)


def log2_of(a: int) -> int:
    """L(a), a >= 1: straight lines between powers of two, rounded down."""
    e = a.bit_length() - 1
    return 256 * e + ((a << 8 >> e) & 255)


def _limit(value: int, low: int, high: int) -> int:
    return min(max(value, low), high)


def _signed16(value: int) -> int:
    return _limit(value, -(1 << 15), (1 << 15) - 1)


def stats_of(
    q: npt.NDArray[np.integer], z: npt.NDArray[np.integer] | npt.NDArray[np.floating], bits: int, unsigned: bool = False
) -> TensorStats:
    """The RAN's record of a tensor: `q` the stored operands, `z` the same rounded but not yet limited, any one shape.

    `z` may be floats that hold integers. Raises `ValueError` if the shapes differ.
    """
    if q.shape != z.shape:
        raise ValueError(f"operands {q.shape} and values before saturation {z.shape} differ in shape")
    low, high = operand_range(bits, unsigned)
    return TensorStats(
        values=q.size,
        overflow=int(np.count_nonzero((z < low) | (z > high))),
        zeros=int(np.count_nonzero(q == 0)),
        max_bit=int(np.abs(z).max(initial=0)).bit_length(),
        sum_abs=int(np.abs(q.astype(np.int64)).sum()),
    )


class Laps:
    """The table, the registers and the number of the next draw, as after reset."""

    def __init__(self, params: LapsParams = LapsParams()) -> None:  # noqa: B008  (frozen)
        self.params = params
        self.table = [
            Entry(is_unsigned=cls == TensorClass.ACTIVATION) for _ in range(params.layers) for cls in TensorClass
        ]
        self.band = [RESET_BANDS[cls] for cls in TensorClass]
        self.rules = [Rules() for _ in TensorClass]
        self.limits = [Limits() for _ in TensorClass]
        self.tolerance = [Tolerance() for _ in TensorClass]
        self.slots = [Slot() for _ in range(SLOTS)]
        self.steps = 0
        self.most = 3
        self.counters = dict.fromkeys(Counter, 0)
        self._seed(RESET_SEED)

    # ---- registers ---------------------------------------------------------------------------------------------------
    def write(self, addr: int, data: int) -> RegCode:
        """A host's write of a word."""
        place = place_of(addr, self.params.layers)
        if place is None:
            return RegCode.ADDRESS
        if not LAYOUTS[place.layout].legal(data):
            return RegCode.VALUE
        self._set(place, data)
        return RegCode.OK

    def read(self, addr: int) -> tuple[RegCode, int]:
        """A host's read: code and word, 0 if there is none."""
        place = place_of(addr, self.params.layers)
        return (RegCode.ADDRESS, 0) if place is None else (RegCode.OK, self._get(place))

    def _set(self, place: Place, data: int) -> None:
        at = place.index
        match place.layout:
            case "ENTRY0":
                self.table[at] = Entry.of((data, self.table[at].words[1]))
            case "ENTRY1":
                self.table[at] = Entry.of((self.table[at].words[0], data))
            case "BAND":
                self.band[at] = Band.of(data)
            case "RULES":
                self.rules[at] = Rules.of(data)
            case "LIMITS":
                self.limits[at] = Limits.of(data)
            case "TOLERANCE":
                self.tolerance[at] = Tolerance.of(data)
            case "SCHEDULE_WHEN":
                self.slots[at] = Slot.of((data, self.slots[at].words[1]))
            case "SCHEDULE_WHAT":
                self.slots[at] = Slot.of((self.slots[at].words[0], data))
            case "STEP":
                self.steps = data
            case "SEED":
                self._seed(data)
            case "ORDER":
                self.most = data
            case "COUNTER":
                self.counters[Counter(at)] = data

    def _get(self, place: Place) -> int:
        at = place.index
        match place.layout:
            case "ENTRY0" | "ENTRY1":
                return self.table[at].words[place.layout == "ENTRY1"]
            case "SCHEDULE_WHEN" | "SCHEDULE_WHAT":
                return self.slots[at].words[place.layout == "SCHEDULE_WHAT"]
            case "BAND":
                return self.band[at].word
            case "RULES":
                return self.rules[at].word
            case "LIMITS":
                return self.limits[at].word
            case "TOLERANCE":
                return self.tolerance[at].word
            case "STEP":
                return self.steps
            case "SEED":
                return self.seed
            case "ORDER":
                return self.most
        return self.counters[Counter(at)]

    def step(self, count: int = 1) -> None:
        """Training steps are done (``step_i``)."""
        self.steps = min(self.steps + count, MAX_STEP)

    # ---- a host's way to them ----------------------------------------------------------------------------------------
    def _number(self, layer: int, cls: int) -> int:
        if not (0 <= layer < self.params.layers and 0 <= cls < CLASSES):
            raise ValueError(f"no entry of layer {layer}, class {cls}: layers are 0 .. {self.params.layers - 1}")
        return CLASSES * layer + cls

    def _write_legal(self, addr: int, data: int, what: object) -> None:
        code = self.write(addr, data)
        if code != RegCode.OK:
            raise ValueError(f"{what} is refused at {addr:#x} with {code.name}")

    def entry(self, layer: int, cls: int) -> Entry:
        """The entry as it is. Raises `ValueError` if there is none."""
        return self.table[self._number(layer, cls)]

    def set_entry(self, layer: int, cls: int, entry: Entry) -> None:
        """Writes both words of an entry. Raises `ValueError` if there is none, or it is illegal."""
        number = self._number(layer, cls)
        for word, data in enumerate(entry.words):
            self._write_legal(2 * number + word, data, entry)

    def configure(self, cls: int, *words: Word, **fields: int) -> None:
        """Writes registers of a class: whole ones, then single fields, by name (`low`, `high`, `smooth`, ...).

        Fields that are not named keep their values. Raises `ValueError` for what is illegal.
        """
        offset = CLASS_STRIDE * TensorClass(cls)
        for word in words:
            self._write_legal(word.address + offset, word.word, word)
        for register in CLASS_WORDS:
            layout = LAYOUTS[register.layout]
            mine = {field.name: fields.pop(field.name) for field in layout.fields if field.name in fields}
            if mine:
                old = layout.unpack(self.read(register.address + offset)[1])
                self._write_legal(register.address + offset, layout.pack(old | mine), mine)
        if fields:
            raise ValueError(f"no register of a class has a field {', '.join(fields)}")

    def schedule(self, slot: int, what: Slot) -> None:
        """Writes both words of a slot of the schedule. Raises `ValueError` if there is none, or it is illegal."""
        if not 0 <= slot < SLOTS:
            raise ValueError(f"there is no slot {slot} of the schedule; slots are 0 .. {SLOTS - 1}")
        for word, data in enumerate(what.words):
            self._write_legal(SCHEDULE_WHEN + SLOT_STRIDE * slot + word, data, what)

    # ---- draws -------------------------------------------------------------------------------------------------------
    def _seed(self, seed: int) -> None:
        self.seed = self._next = seed
        self._draws: deque[int] = deque()  # of the numbers before `_next`

    def _draw(self) -> int:
        if not self._draws:
            self._draws.extend(draws(self._next + np.arange(DRAWS_AHEAD), 1)[:, 0].tolist())
            self._next += DRAWS_AHEAD
        return self._draws.popleft()

    # ---- updates -----------------------------------------------------------------------------------------------------
    def slices(self, cls: int) -> tuple[int, int]:
        """(n_min, n_max) of a class: the highest slot that applies, else the class' limits."""
        for slot in reversed(self.slots):
            if slot.enable and slot.classes >> cls & 1 and self.steps >= slot.from_step:
                return slot.n_min, slot.n_max
        return self.limits[cls].n_min, self.limits[cls].n_max

    def _count(self, counter: Counter) -> None:
        self.counters[counter] = self.counters[counter] + 1 & COUNTER_MASK

    def _tolerance(self, cls: int) -> int:
        rule = self.tolerance[cls]
        if not rule.random:
            return rule.tolerance
        r = self._draw() >> DRAW_BITS - 8
        return rule.tolerance * (2 * r + 1) >> 8

    def update(self, layer: int, cls: int, stats: TensorStats) -> UpdateAnswer:
        """The statistics of one tensor move its entry."""
        if layer >= self.params.layers or not stats.check():
            self._count(Counter.REFUSED)
            return UpdateAnswer(RspCode.LAYER if layer >= self.params.layers else RspCode.STATS)
        old, rules, limits = self.entry(layer, cls), self.rules[cls], self.limits[cls]
        events = NOTHING

        # 1. Overflow
        tolerance = self._tolerance(cls)
        over = stats.overflow << 16 > stats.values * tolerance

        # 2. FL
        d = quiet = 0
        if not old.pin_fl:
            if over:
                d = -min(max(stats.max_bit - old.capacity, 1), MAX_DROP)
            elif stats.max_bit < old.capacity:
                quiet = old.quiet + 1
                if quiet >= rules.hold:
                    d, quiet = 1, 0
        fl = old.fl + d
        if not old.pin_fl:
            fl = _limit(fl, limits.fl_min, limits.fl_max)
        if fl < old.fl:
            events |= Event.FL_DOWN
        if fl > old.fl:
            events |= Event.FL_UP
        if fl != old.fl + d:
            events |= Event.LIMITED

        # 3. Signal
        mean, signal, valid = 0, old.signal, old.sig_valid
        if stats.zeros < stats.values:
            mean = log2_of(stats.sum_abs) - log2_of(stats.values - stats.zeros if rules.nonzero else stats.values)
            signal = old.signal + (mean - old.signal >> rules.smooth) if valid else mean
            valid = True
        if valid:
            signal = _signed16(signal + 256 * (fl - old.fl))

        # 4. n
        change = self._wanted(old, valid, signal, cls)
        n, dwell = old.n, min(old.dwell + 1, 255)
        if change and old.dwell + 1 >= rules.dwell_min:
            if limits.fl_min <= fl + 4 * change <= limits.fl_max:
                events |= Event.N_UP if change > 0 else Event.N_DOWN
                n, fl, dwell = n + change, fl + 4 * change, 0
                if valid:
                    signal = _signed16(signal + 1024 * change)
            else:
                events |= Event.LIMITED

        entry = replace(old, fl=fl, n=n, sig_valid=valid, quiet=quiet, dwell=dwell, signal=signal)
        self.table[self._number(layer, cls)] = entry
        self._count(Counter.UPDATES)
        for event in events:
            self._count(Counter[event.name])
        return UpdateAnswer(RspCode.OK, fl, n, events, entry, mean, tolerance, over)

    def _wanted(self, old: Entry, valid: bool, signal: int, cls: int) -> int:
        """The change of n that is wanted."""
        n_min, n_max = self.slices(cls)
        if old.pin_n or old.pin_fl:
            return 0
        if old.n < n_min:
            return 1
        if old.n > n_max:
            return -1
        if valid and signal < self.band[cls].low and old.n < n_max:
            return 1
        if valid and signal > self.band[cls].high and old.n > n_min:
            return -1
        return 0

    # ---- queries -----------------------------------------------------------------------------------------------------
    def order(self, x: tuple[int, int], w: tuple[int, int], y: tuple[int, int], k: int) -> OrderAnswer:
        """min_order of a product of x and w into y, each (layer, class), with inner length `k`."""
        if any(layer >= self.params.layers for layer, _ in (x, w, y)):
            return OrderAnswer(RspCode.LAYER)
        if k == 0:
            return OrderAnswer(RspCode.LENGTH)
        of_x, of_w, of_y = (self.entry(*each) for each in (x, w, y))
        shift = of_x.fl + of_w.fl - of_y.fl
        t = 2 * (shift + 2) - (k - 1).bit_length()
        order = min(_limit(t // 8, 0, min(of_x.n, of_w.n) - 1), self.most)
        return OrderAnswer(RspCode.OK, order, shift, (of_x.n, of_w.n, of_y.n), (of_x.fl, of_w.fl, of_y.fl))
