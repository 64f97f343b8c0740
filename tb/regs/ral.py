"""Register layer of the processor: pyuvm's register classes, built from the register map (flow/commands/regmap.py).

Registers that there are several of have a name each: CMD_0 .. CMD_15. Every register can be accessed in every way
through the map, so that tests can see what a refused access answers: the policies are those of the fields.
"""

from __future__ import annotations

from collections.abc import Callable

from pyuvm import uvm_access_e as Access
from pyuvm import (
    uvm_endianness_e,
    uvm_reg,
    uvm_reg_adapter,
    uvm_reg_block,
    uvm_reg_bus_op,
    uvm_reg_data_t,
    uvm_reg_field,
    uvm_reg_map,
    uvm_sequence_item,
    uvm_sequencer,
)
from pyuvm import uvm_status_e as Status

from models.common.axil import Resp
from models.regs.map import WORD_BITS, WORD_BYTES, Register, RegisterMap
from tb.lib.axil import AxilItem

MAP = "bus"


class AxilAdapter(uvm_reg_adapter):
    """Between register accesses and items of the AXI4-Lite agent: whatever is not OKAY is UVM_NOT_OK.

    `addr_delay`, `data_delay` and `hold` are given to every item; `last` is the item of the last access.
    """

    def __init__(self, name: str = "adapter") -> None:
        super().__init__(name)
        self.addr_delay = self.data_delay = self.hold = 0
        self.last: AxilItem | None = None

    def reg2bus(self, rw: uvm_reg_bus_op) -> AxilItem:
        write = rw.kind == Access.UVM_WRITE
        delays = {"addr_delay": self.addr_delay, "data_delay": self.data_delay, "hold": self.hold}
        self.last = AxilItem(write, rw.addr, rw.data if write else 0, **delays)
        return self.last

    def bus2reg(self, bus_item: uvm_sequence_item, rw: uvm_reg_bus_op) -> None:
        assert isinstance(bus_item, AxilItem)
        rw.kind = Access.UVM_WRITE if bus_item.write else Access.UVM_READ
        rw.addr, rw.data = bus_item.addr, bus_item.data
        rw.status = Status.UVM_IS_OK if bus_item.code == Resp.OKAY else Status.UVM_NOT_OK


class TopRegister(uvm_reg):
    """One register; `of` is its entry in the map. `block.checked` and `block.differences` note what `mirror` compared
    and found."""

    def __init__(self, name: str, of: Register) -> None:
        super().__init__(name, WORD_BITS)
        self.of = of

    def do_check(self, expected: uvm_reg_data_t, actual: uvm_reg_data_t, map: uvm_reg_map) -> bool:
        same = super().do_check(expected, actual, map)
        block = self.get_block()
        block.checked += 1
        if not same:
            block.differences.append((block.now(), self.get_name(), actual, expected))
        return same


class TopRegisters(uvm_reg_block):
    """The processor's registers by name. Call `connect` with the agent's sequencer, then use them.

    `params` gives the reset value of PARAMS, by field; without it that value is that of the map.
    """

    def __init__(self, regs: RegisterMap, params: dict[str, int] | None = None, name: str = "registers") -> None:
        super().__init__(name)
        self.regs = regs
        self.checked = 0
        self.differences: list[tuple[int, str, int, int]] = []  # cycle, register, read, mirrored
        self.now: Callable[[], int] = lambda: 0  # the bench's cycle
        self.adapter = AxilAdapter()
        self.bus = self.create_map(MAP, 0, WORD_BYTES, uvm_endianness_e.UVM_LITTLE_ENDIAN)
        self.set_default_map(self.bus)
        for entry in regs.registers:
            reset = entry.pack(**params) if params and entry.name == "PARAMS" else entry.reset
            for index, address in enumerate(entry.addresses):
                register = TopRegister(entry.name if entry.count == 1 else f"{entry.name}_{index}", entry)
                register.configure(self)
                for bits in entry.fields:
                    field = uvm_reg_field(bits.name)
                    field.configure(
                        register,
                        bits.width,
                        bits.low,
                        entry.access.upper(),
                        entry.volatile,
                        bits.get(reset),
                        True,
                        False,
                        True,
                    )
                self.bus.add_reg(register, address, "RW")
        self.lock_model()
        self.reset()

    def connect(self, sequencer: uvm_sequencer, now: Callable[[], int]) -> None:
        """Sends accesses through an AXI4-Lite agent; `now` gives the cycle that differences are noted with."""
        self.now = now
        self.bus.set_sequencer(sequencer, self.adapter)
        self.bus.set_auto_predict(True)

    def reg(self, name: str, index: int = 0) -> TopRegister:
        """A register by its name in the map; `KeyError` if there is none."""
        entry = self.regs.register(name)
        register = self.get_reg_by_name(name if entry.count == 1 else f"{name}_{index}")
        assert isinstance(register, TopRegister)
        return register
