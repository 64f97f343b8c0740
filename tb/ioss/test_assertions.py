"""The IOSS core's assertions fail when what they forbid happens."""

from __future__ import annotations

from pathlib import Path

import pytest

from flow.commands import faults
from flow.core.blocks import get_block


@pytest.mark.late
def test_a_bank_that_loads_is_not_read(tmp_path: Path) -> None:
    block = get_block("ioss")
    fault = next(fault for fault in faults.load_faults(block) if fault.name == "bank_read_while_loading")
    faults.plant(fault, tmp_path / "copy")
    result = faults._run(block, fault.test, fault.seed, fault.params, tmp_path / "copy")
    assert not result.passed
    log = (result.run_dir / "sim.log").read_text(encoding="utf-8")
    assert "TS_ASSERT LoadingBankIsNotRead" in log
