"""Words of LAPS: every field at its bounds, unused bits, the map of addresses, resets."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.laps.config import (
    CLASS_WORDS,
    LAYOUTS,
    LEGAL_LAYERS,
    Band,
    Entry,
    LapsParams,
    Layout,
    Limits,
    RegCode,
    Slot,
    TensorStats,
    addresses,
    place_of,
)
from models.laps.value import Laps

# From the page's tables, by hand: layout, field, (lowest bit, legal values least and most).
TABLE = [
    ("ENTRY0", "fl", 0, -64, 63), ("ENTRY0", "n", 8, 1, 4), ("ENTRY0", "is_unsigned", 11, 0, 1),
    ("ENTRY0", "pin_n", 12, 0, 1), ("ENTRY0", "pin_fl", 13, 0, 1), ("ENTRY0", "sig_valid", 14, 0, 1),
    ("ENTRY0", "quiet", 16, 0, 255), ("ENTRY0", "dwell", 24, 0, 255), ("ENTRY1", "signal", 0, -32768, 32767),
    ("BAND", "low", 0, -32768, 31742), ("BAND", "high", 16, -31743, 32767), ("RULES", "smooth", 0, 0, 7),
    ("RULES", "nonzero", 4, 0, 1), ("RULES", "dwell_min", 8, 1, 255), ("RULES", "hold", 16, 1, 255),
    ("LIMITS", "n_min", 0, 1, 4), ("LIMITS", "n_max", 4, 1, 4), ("LIMITS", "fl_min", 8, -64, 63),
    ("LIMITS", "fl_max", 16, -64, 63), ("TOLERANCE", "tolerance", 0, 0, 65535), ("TOLERANCE", "random", 16, 0, 1),
    ("SCHEDULE_WHEN", "from_step", 0, 0, (1 << 24) - 1), ("SCHEDULE_WHEN", "classes", 24, 0, 15),
    ("SCHEDULE_WHEN", "enable", 28, 0, 1), ("SCHEDULE_WHAT", "n_min", 0, 1, 4), ("SCHEDULE_WHAT", "n_max", 4, 1, 4),
    ("STEP", "step", 0, 0, (1 << 24) - 1), ("SEED", "seed", 0, 0, (1 << 32) - 1), ("ORDER", "most", 0, 0, 3),
    ("COUNTER", "count", 0, 0, (1 << 32) - 1),
]  # fmt: skip
# An address of each layout, by hand, for 16 layers, and the word after reset.
WHERE = {
    "ENTRY0": (2 * 63, 0x200), "ENTRY1": (2 * 63 + 1, 0), "BAND": (0x218, 2048 << 16), "RULES": (0x219, 0x81003),
    "LIMITS": (0x21A, 0x3FC041), "TOLERANCE": (0x21B, 0), "SCHEDULE_WHEN": (0x246, 0), "SCHEDULE_WHAT": (0x247, 0x41),
    "STEP": (0x250, 0), "SEED": (0x251, 1), "ORDER": (0x252, 3), "COUNTER": (0x25E, 0),
}  # fmt: skip


def open_word(layout: str, name: str) -> dict[str, int]:
    """Legal fields that leave every legal value to the field `name`."""
    values = LAYOUTS[layout].unpack(WHERE[layout][1])
    if layout == "BAND":
        values |= {"low": -32768, "high": 32767}
    if name == "n_max":
        values["n_min"] = 1
    return values


def test_the_table_has_every_field():
    assert {(layout, field.name) for layout, words in LAYOUTS.items() for field in words.fields} == {
        row[:2] for row in TABLE
    }


@pytest.mark.parametrize(("layout", "name", "low", "least", "most"), TABLE)
def test_fields_at_their_bounds(layout, name, low, least, most):
    addr = WHERE[layout][0]
    (field,) = (field for field in LAYOUTS[layout].fields if field.name == name)
    for value in (least - 1, least, most, most + 1):
        width = field.width
        if not field.span[0] <= value <= field.span[1]:
            continue
        values = open_word(layout, name)
        rest = LAYOUTS[layout].pack({**values, name: 0})
        word = rest | (value & ((1 << width) - 1)) << low
        laps = Laps()
        before = laps.read(addr)[1]
        want = RegCode.OK if least <= value <= most else RegCode.VALUE
        assert laps.write(addr, word) == want, (name, value)
        assert laps.read(addr) == (RegCode.OK, before if want else word)


def test_bands_behind_reset():
    words = [Laps().read(0x200 + 8 * cls) for cls in range(4)]
    assert words == [(RegCode.OK, word) for word in (0x0500_0080, 0x0800_0000, 0x0000_F400, 0x0800_0000)]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_unused_bits_are_refused(layout):
    addr, reset = WHERE[layout]
    used = sum(((1 << field.width) - 1) << field.low for field in LAYOUTS[layout].fields)
    laps = Laps()
    assert laps.read(addr) == (RegCode.OK, reset)
    assert laps.write(addr, reset) == RegCode.OK
    for bit in range(32):
        if not used >> bit & 1:
            assert laps.write(addr, reset | 1 << bit) == RegCode.VALUE
    assert laps.read(addr) == (RegCode.OK, reset)


@pytest.mark.parametrize(
    ("layout", "good", "bad"),
    [
        ("BAND", {"low": 0, "high": 1025}, {"low": 0, "high": 1024}),
        ("BAND", {"low": -32768, "high": 32767}, {"low": 32767, "high": -32768}),  # the difference wraps in 16 bits
        ("BAND", {"low": -1025, "high": 0}, {"low": -1024, "high": 0}),
        ("LIMITS", {"n_min": 3, "n_max": 3}, {"n_min": 3, "n_max": 2}),
        ("LIMITS", {"fl_min": -1, "fl_max": -1}, {"fl_min": 0, "fl_max": -1}),
        ("SCHEDULE_WHAT", {"n_min": 4, "n_max": 4}, {"n_min": 4, "n_max": 1}),
    ],
)
def test_fields_against_each_other(layout, good, bad):
    base = LAYOUTS[layout].unpack(WHERE[layout][1])
    assert Laps().write(WHERE[layout][0], LAYOUTS[layout].pack(base | good)) == RegCode.OK
    assert Laps().write(WHERE[layout][0], LAYOUTS[layout].pack(base | bad)) == RegCode.VALUE


@pytest.mark.parametrize("layers", LEGAL_LAYERS)
def test_addresses_without_a_register(layers):
    there = set(range(8 * layers)) | {0x200 + 8 * c + i for c in range(4) for i in range(4)}
    there |= set(range(0x240, 0x248)) | {0x250, 0x251, 0x252} | set(range(0x258, 0x25F))
    laps = Laps(LapsParams(layers))
    for addr in range(1 << 12):
        code = RegCode.OK if addr in there else RegCode.ADDRESS
        assert laps.read(addr)[0] == code, hex(addr)
        assert (laps.write(addr, 0xFFFFFFFF) == RegCode.ADDRESS) == (addr not in there), hex(addr)
        if code:
            assert laps.read(addr)[1] == 0
    assert set(addresses(layers)) == there


def test_reset_entries():
    laps = Laps(LapsParams(4))
    for number in range(16):
        assert laps.read(2 * number) == (RegCode.OK, 0xA00 if number % 4 == 0 else 0x200)
        assert laps.read(2 * number + 1) == (RegCode.OK, 0)


@given(st.integers(0, (1 << 32) - 1), st.sampled_from(sorted(LAYOUTS)))
def test_words_survive(word, name):
    layout: Layout = LAYOUTS[name]
    if layout.legal(word):
        assert layout.pack(layout.unpack(word)) == word


@given(st.integers(0, (1 << 32) - 1), st.integers(0, (1 << 16) - 1))
def test_entries_and_slots_survive(word, signal):
    word &= sum(((1 << field.width) - 1) << field.low for field in LAYOUTS["ENTRY0"].fields)
    entry = Entry.of((word, signal))
    assert entry.words == (word, signal)
    assert entry.bits == signal << 32 | word
    assert entry.capacity == 4 * entry.n - (1 - entry.is_unsigned)
    slot = Slot.of((word & 0x1FFFFFFF, signal & 0x77))
    assert slot.words == (word & 0x1FFFFFFF, signal & 0x77)


def test_mistakes_are_named():
    with pytest.raises(ValueError, match="layers must be one of"):
        LapsParams(5)
    with pytest.raises(ValueError, match="fl is 200; its 8 bits hold -128"):
        _ = Entry(fl=200).words
    laps = Laps(LapsParams(4))
    for call, what in (
        (lambda: laps.entry(4, 0), "no entry of layer 4"), (lambda: laps.set_entry(0, 4, Entry()), "no entry"),
        (lambda: laps.set_entry(0, 0, Entry(n=5)), "refused at 0x0 with VALUE"),
        (lambda: laps.configure(1, Band(0, 1)), "refused at 0x208 with VALUE"),
        (lambda: laps.configure(1, hold=0), "refused at 0x209"), (lambda: laps.configure(1, holds=2), "field holds"),
        (lambda: laps.schedule(4, Slot()), "no slot 4"), (lambda: laps.schedule(3, Slot(n_min=5)), "refused at 0x247"),
    ):  # fmt: skip
        with pytest.raises(ValueError, match=what):
            call()
    laps.configure(2, Limits(2, 3), fl_min=-5, low=-2000, tolerance=7)
    assert [laps.read(register.address + 16)[1] for register in CLASS_WORDS] == [
        0xF830, 0x81003, 0x3FFB32, 7,
    ]  # fmt: skip
    assert place_of(-1, 4) is None


def test_records_that_an_update_takes():
    good = TensorStats(10, 2, 3, 5, 20)
    assert good.check()
    assert TensorStats(10, 10, 10, 48, 0).check()
    assert TensorStats(10, 10, 0, 48, 1).check()
    assert not TensorStats(10, 11, 3, 5, 20).check()
    assert not TensorStats(10, 2, 11, 5, 20).check()
    assert not TensorStats(10, 2, 3, 49, 20).check()
    assert not TensorStats(0, 0, 0, 0, 0).check()
    assert not TensorStats(10, 2, 10, 5, 1).check()
    assert not TensorStats(10, 2, 9, 5, 0).check()
