"""A host's accesses and words, as the transactors get them."""

from __future__ import annotations

import numpy as np
import pytest

from models.top.config import Buffer, Issue, Load, Read, Reg, Store, Unknown, Write
from tb.top.program import HOST_BYTES, PENDING, POLL, QUEUED_OR_BUSY, READ, RUNNING, S_BYTES, WRITE, Program

STREAM = np.arange(32, dtype=np.uint8).reshape(2, 16)
LOAD = Load(target=Buffer.Y, first=3, count=2)


def _issue(number: int = 7) -> Issue:
    return Issue(LOAD, STREAM, number)


def test_a_command_is_written_polled_for_and_pushed() -> None:
    program = Program()
    program.add([_issue()])
    words = LOAD.words()
    assert program.accesses[:16] == [(WRITE, Reg.CMD + 4 * at, words[at], 0) for at in range(16)]
    assert program.accesses[16:] == [(POLL, Reg.STATUS, 0, 1 << 6 | RUNNING), (WRITE, Reg.PUSH, 7, 0)]


@pytest.mark.parametrize(("command", "bit"), [(LOAD, 6), (Unknown(code=9), 10), (Store(target=Buffer.Y), 14)])
def test_the_full_bit_of_the_commands_own_queue(command, bit: int) -> None:
    program = Program()
    program.add([Issue(command, None)])
    assert [each for each in program.accesses if each[0] == POLL] == [(POLL, Reg.STATUS, 0, 1 << bit | RUNNING)]


def test_words_of_cmd_that_stay_are_not_written_again() -> None:
    program = Program()
    program.add([_issue()])
    before = len(program.accesses)
    program.add([_issue(8), Issue(Store(target=Buffer.Y, first=3, count=2), None, 9)])
    behind = program.accesses[before:]
    assert behind[:2] == [(POLL, Reg.STATUS, 0, 1 << 6 | RUNNING), (WRITE, Reg.PUSH, 8, 0)]
    assert [each[1] for each in behind[2:]] == [Reg.CMD, Reg.STATUS, Reg.PUSH]  # the operation alone


def test_words_staged_before_a_reset_are_forgotten_by_a_fresh_program() -> None:
    first = Program()
    first.add([_issue()])
    kept, fresh = Program(staged=first.staged), Program()
    for program in (kept, fresh):
        program.add([_issue()])
    assert (len(kept.accesses), len(fresh.accesses)) == (2, 18)


def test_reads_and_writes_come_behind_every_command_and_wait_once() -> None:
    program = Program()
    program.add([Read(Reg.ID), _issue(), Write(Reg.SEED, 5), Read(Reg.SEED), _issue(), Read(Reg.DONE)])
    drain = (POLL, Reg.STATUS, 0, QUEUED_OR_BUSY)
    assert program.accesses[0] == (READ, Reg.ID, 0, 0)
    at = program.accesses.index(drain)
    assert program.accesses[at : at + 3] == [drain, (WRITE, Reg.SEED, 5, 0), (READ, Reg.SEED, 0, 0)]
    assert program.accesses[-2:] == [drain, (READ, Reg.DONE, 0, 0)]
    assert program.accesses.count(drain) == 2
    assert program.reads == 3


def test_a_hosts_update_is_waited_for() -> None:
    program = Program()
    program.add([Write(Reg.UPD_PUSH, 1), Read(Reg.UPD_ANSWER)])
    assert program.accesses[:2] == [(WRITE, Reg.UPD_PUSH, 1, 0), (POLL, Reg.UPD_ANSWER, 0, PENDING)]


def test_records_of_accesses_and_of_the_stream() -> None:
    program = Program()
    program.access(POLL, 0x4008, 0x1122_3344, 0x5566_7788)
    program.add([Issue(LOAD, STREAM)], gap=3)
    bursts = program.bursts()
    host, stream = bursts["host"][0], bursts["s"][0]
    assert (host.count, stream.count) == (len(program.accesses), 2)
    record = host.records[2 : 2 + HOST_BYTES]  # after the gap
    word = int.from_bytes(record, "big")
    assert (word & 0xFFFF_FFFF, word >> 32 & 0xFFFF_FFFF) == (0x1122_3344, 0x5566_7788)
    assert (word >> 64 & 0xFFFF, word >> 80) == (0x4008, POLL)
    each = 2 + S_BYTES
    for at, row in enumerate(STREAM):
        burst = stream.records[each * at : each * (at + 1)]
        assert burst[:2] == b"\x00\x03"
        assert burst[2] == at  # TLAST with the last word alone
        assert burst[3:] == row[::-1].tobytes()


def test_nothing_to_do_gives_no_burst() -> None:
    assert Program().bursts() == {}


def test_words_of_stores_are_counted() -> None:
    program = Program()
    program.add([Issue(Store(target=Buffer.Y, count=5), None), _issue()])
    assert program.stored == 5


def test_spare_bits_are_written_and_must_mean_nothing() -> None:
    program = Program()
    program.add([Issue(LOAD, STREAM, 1, spare=5 << 32 * 15 | 1 << 63)])
    words = [data for kind, address, data, _ in program.accesses if kind == WRITE and address != Reg.PUSH]
    assert words[15] == 5
    assert words[1] == LOAD.words()[1] | 1 << 31
    with pytest.raises(ValueError, match="change a Load"):
        Program().add([Issue(LOAD, STREAM, 1, spare=4 << 32)])  # first word of the buffer


def test_a_write_at_once_does_not_wait_and_comes_behind_its_gap() -> None:
    program = Program()
    program.add([_issue(), Write(Reg.UPD_PUSH, 1, at_once=True, gap=9), Write(Reg.STEP, 0)])
    behind = program.accesses[18:]
    assert [each[:2] for each in behind] == [
        (WRITE, Reg.UPD_PUSH), (POLL, Reg.UPD_ANSWER), (POLL, Reg.STATUS), (WRITE, Reg.STEP),
    ]  # fmt: skip
    records = np.frombuffer(program.bursts()["host"][0].records, np.uint8).reshape(len(program.accesses), -1)
    gaps = records[:, 0].astype(int) << 8 | records[:, 1]
    assert gaps.tolist() == [9 if at == 18 else 0 for at in range(len(program.accesses))]


def test_commands_of_the_stream_come_before_their_data_and_after_one_write_of_run() -> None:
    program = Program(streamed=True)
    store = Store(target=Buffer.Y, first=3, count=2)
    program.add([_issue(255), Issue(store, None, 0), Read(Reg.DONE)], gap=2)
    assert program.accesses == [
        (WRITE, Reg.RUN, 2 | 255 << 24, 0), (POLL, Reg.STATUS, 0, QUEUED_OR_BUSY), (READ, Reg.DONE, 0, 0)
    ]  # fmt: skip
    assert program.commands == [True] * 4 + [False] * 2 + [True] * 4
    words = np.array([word for word, _ in program.words])
    assert words[:4].view("<u4").reshape(-1).tolist() == LOAD.words()
    assert np.array_equal(words[4:6], STREAM)
    assert words[6:].view("<u4").reshape(-1).tolist() == store.words()
    assert [last for _, last in program.words][4:6] == [False, True]
    assert {last for _, last in program.words[:4]} == {False, True}  # it means nothing there
    assert program.gaps == [2] * 10
    assert program.sources == [True, True]
    assert program.stored == 2


def test_a_new_run_where_identifiers_do_not_count_on_or_a_register_is_written() -> None:
    program = Program(streamed=True)
    refused = Write(Reg.PUSH, 1, at_once=True, refused=True)
    program.add([_issue(1), _issue(2), _issue(4), refused, _issue(5)])
    waits = [(kind, data) for kind, address, data, _ in program.accesses if address in (Reg.RUN, Reg.STATUS)]
    assert waits[:3] == [(WRITE, 2 | 1 << 24), (POLL, 0), (WRITE, 1 | 4 << 24)]  # until the one before it is over
    runs = [data for kind, data in waits if kind == WRITE]
    assert runs == [2 | 1 << 24, 1 | 4 << 24, 1 | 5 << 24]
    assert [program.accesses[at][:2] for at in program.refused] == [(WRITE, Reg.PUSH)]


def test_a_run_has_as_many_commands_as_fit_its_register(monkeypatch) -> None:
    monkeypatch.setattr("tb.top.program.MAX_RUN", 2)
    program = Program(streamed=True)
    program.add([_issue(each) for each in range(5)])
    runs = [data & 0xFFFF for kind, address, data, _ in program.accesses if (kind, address) == (WRITE, Reg.RUN)]
    assert runs == [2, 2, 1]
