"""The functional coverage of a run as a UVM component: it hears of the run that a scoreboard has judged."""

from __future__ import annotations

from typing import Any

from pyuvm import ConfigDB, uvm_subscriber

from tb.lib.runinfo import RunInfo


class CoverageCollector(uvm_subscriber):
    """Samples a judged run; a block's collector gives `sample`. This one, of a block without coverage, counts
    nothing."""

    def build_phase(self) -> None:
        """Gets to know the run."""
        self.run_info: RunInfo = ConfigDB().get(self, "", "RUN")

    def write(self, tt: Any) -> None:
        """Takes a scoreboard that has judged."""
        self.sample(tt)

    def sample(self, board: Any) -> None:
        """Fills the bins from the scoreboard of the run; of a run that diverged, none."""
