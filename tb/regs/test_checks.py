"""What the environment of the registers says when something is wrong: register layer, bound of the port, model."""

from __future__ import annotations

import numpy as np
import pytest
from pyuvm import uvm_door_e, uvm_predict_e

from flow.commands import faults
from flow.core.blocks import get_block
from models.common.axil import Resp
from models.regs.cycle import FOREVER, Access, Registers, Shape, predict
from models.regs.events import Answer, EventRecord, Failure, Levels
from models.regs.map import load_map
from tb.lib.scoreboard import Verdict, compare_tables
from tb.regs.ral import TopRegisters
from tb.regs.scoreboard import PUSH_DTYPE, push_layouts

REGS = load_map()
READY = np.ones(500, np.bool_)


def access(write, name, at, data=0, index=0, taken=FOREVER, **more):
    return Access(write, REGS.address(name, index), data, 15, at, at if write else -1, taken, **more)


def run(writes=(), reads=(), events=(), upd_ready=READY):
    registers = Registers(REGS, Shape(), 0, events, upd_ready)
    order = predict(registers, list(writes), list(reads), READY, len(READY))
    return registers, order


def test_the_register_layer_follows_the_map():
    ral = TopRegisters(REGS, {"cores": 2, "rows": 8, "lanes": 16, "layers": 4})
    assert ral.reg("PARAMS").get_reset() == 0x0410_0802
    assert ral.reg("CMD", 15).get_address() == 0x7C
    assert [field.get_access() for field in ral.reg("IRQ_STATUS").get_fields()] == ["W1C"] * 4
    assert len(ral.get_registers()) == sum(register.count for register in REGS.registers)
    with pytest.raises(KeyError):
        ral.reg("NOTHING")


def test_a_mirror_that_differs_is_noted():
    ral = TopRegisters(REGS)
    register = ral.reg("IRQ_ENABLE")
    register.predict(5, kind=uvm_predict_e.UVM_PREDICT_WRITE, path=uvm_door_e.UVM_FRONTDOOR)
    assert register.do_check(register.get_mirrored_value(), 5, ral.bus)
    assert (ral.checked, ral.differences) == (1, [])
    assert not register.do_check(register.get_mirrored_value(), 4, ral.bus)
    assert ral.differences == [(0, "IRQ_ENABLE", 4, 5)]


def test_times_and_order():
    # A write and a read of one register that become complete in the same cycle: the write is first.
    _, order = run([access(True, "SEED", 10, 7, taken=14)], [access(False, "SEED", 10, taken=17)])
    assert [(one.write, one.chosen, one.requested, one.valid, one.value) for one in order] == [
        (True, 11, 12, 14, 0), (False, 14, 15, 17, 7),
    ]  # fmt: skip
    # A cycle earlier the read is.
    _, order = run([access(True, "SEED", 10, 7)], [access(False, "SEED", 9)])
    assert [one.write for one in order] == [False, True]
    assert order[0].value == 1
    # A write waits for the answer before it to be taken; the read after it passes.
    writes = [access(True, "SEED", 10, 7, taken=40), access(True, "SEED", 12, 8)]
    _, order = run(writes, [access(False, "SEED", 20)])
    assert [(one.write, one.chosen) for one in order] == [(True, 11), (False, 21), (True, 40)]
    # Refused at the port.
    bad = access(True, "SEED", 10, 7)
    bad.strobe = 7
    registers, order = run([bad])
    assert (order[0].code, order[0].valid, order[0].requested) == (Resp.SLVERR, 12, -1)
    assert registers.caused.pulses == []


def test_events_in_the_cycle_of_their_clear_are_kept():
    clear = [access(True, "IRQ_STATUS", 10, 0xF, taken=14), access(True, "ERROR_CLEAR", 20)]
    failure = {1: Failure(3, 4, 5), 2: Failure(6, 7, 8)}
    events = [(5, EventRecord(done=3)), (12, EventRecord(done=4)), (15, EventRecord(failures={0: Failure(1, 1, 1)}))]
    events.append((22, EventRecord(failures=failure)))
    registers, order = run(clear, [access(False, "IRQ_STATUS", 30, taken=34), access(False, "ERROR", 40)], events)
    assert order[2].value == 4 | 8
    error = REGS.register("ERROR")
    assert order[3].value == error.pack(code=3, engine=1, detail=4, id=5, count=2)
    assert registers.caused.irq == []  # nothing is enabled


def test_the_answer_of_a_gemm_does_not_end_the_wait():
    ready = READY.copy()
    ready[:30] = False  # LAPS takes the host's update at 30
    events = [(at, EventRecord(answer=Answer(fl=at))) for at in (20, 30, 31)]
    reads = [access(False, "UPD_ANSWER", at, taken=at + 4) for at in (21, 29, 40)]
    registers, order = run([access(True, "UPD_PUSH", 10)], reads, events, ready)
    pending = 1 << 18
    assert [one.value for one in order if not one.write] == [20 | pending, 30 | pending, 31]
    assert registers.caused.updates[0][:2] == (30, 13)


def test_levels_and_bad_pushes():
    events = [(5, EventRecord(levels=Levels(full=2, busy=5)))]
    writes = [access(True, "PUSH", 10, 1, taken=14), access(True, "PUSH", 20, 256, taken=24)]
    writes += [access(True, "CMD", 30, 4, taken=34), access(True, "PUSH", 40, 9)]
    registers, order = run(writes, [access(False, "STATUS", 50)], events)
    assert [one.code for one in order] == [Resp.SLVERR, Resp.SLVERR, Resp.OKAY, Resp.OKAY, Resp.OKAY]
    assert registers.caused.pushes == [(43, 2, 9, 4, *[0] * 15)]
    assert order[-1].value == 5


def _push(engine, *words):
    return np.array([(9, engine, 4, (*words, *[0] * (16 - len(words))))], PUSH_DTYPE)


@pytest.mark.parametrize(
    ("got", "want", "said"),
    [
        (_push(1, 0x12), _push(1, 0x32), "push 0: cmd[0].target 0x1 expected 0x3"),
        (_push(1, 2, 0x7_0005), _push(1, 2, 0x6_0005), "push 0: cmd[1].m 0x7 expected 0x6"),
        (
            _push(1, 2, *[0] * 7, 1 << 31 | 1 << 12),
            _push(1, 2),
            "cmd[8].reduce_factor 0x1 expected 0x0, cmd[8].biases 0x1 expected 0x0",
        ),
        (_push(2, 1, 0xA_0000), _push(0, 1, 0x2_0000), "engine STORE expected LOAD, cmd[1].cores 0xa expected 0x2"),
        (_push(1, 3, 0, 0, 7), _push(1, 3), "push 0: cmd[3] 0x7 expected 0x0"),
        (_push(1, 15, 1), _push(1, 15), "push 0: cmd[1] 0x1 expected 0x0"),
        (_push(1, 0x6000_0002), _push(1, 2), "cmd[0].wait_store 0x60 expected 0x0"),
    ],
)
def test_a_push_is_told_by_its_fields(got, want, said):
    verdict = Verdict()
    assert not compare_tables(verdict, "push", "push", got, want, layouts=push_layouts)
    assert said in verdict.first.line()


@pytest.mark.late
def test_a_port_that_does_not_answer_ends_the_run(tmp_path):
    block = get_block("regs")
    fault = next(fault for fault in faults.load_faults(block) if fault.name == "answer_lost")
    faults.plant(fault, tmp_path / "copy")
    result = faults._run(block, fault.test, fault.seed, {}, tmp_path / "copy")
    drained = [each for each in result.result["divergences"] if each["boundary"] == "drain"]
    assert drained
    assert "within 1000 cycles" in drained[0]["observed"]
