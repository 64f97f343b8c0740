"""The UVM environment of every block: one agent a stream, one monitor a trace, the block's scoreboard behind them.

Every component is made by UVM's factory, so that a type override puts a user's agent, driver, monitor, scoreboard or
coverage collector in its place (docs/guide/own_rtl.md).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pyuvm import ConfigDB, uvm_env, uvm_sequencer

from tb.lib.agents import StreamAgent, StreamConfig, TapConfig, TapMonitor, TraceConfig, TraceMonitor
from tb.lib.collector import CoverageCollector
from tb.lib.scoreboard import Scoreboard


@dataclass(frozen=True)
class EnvConfig:
    """Configuration of an environment: the block's parameters, its agents', its monitors', and the classes of its
    scoreboard and of its collector of coverage."""

    params: Any
    streams: tuple[StreamConfig, ...]
    traces: tuple[TraceConfig, ...]
    scoreboard: type[Scoreboard]
    taps: tuple[TapConfig, ...] = ()
    coverage: type[CoverageCollector] = CoverageCollector


class BlockEnv(uvm_env):
    """The environment that its `EnvConfig` (in the ConfigDB as CFG) describes."""

    def build_phase(self) -> None:
        self.cfg: EnvConfig = ConfigDB().get(self, "", "CFG")
        self.agents: dict[str, StreamAgent] = {}
        self.traces: list[TraceMonitor | TapMonitor] = []
        for stream in self.cfg.streams:
            ConfigDB().set(self, f"{stream.name}_agent", "CFG", stream)
            self.agents[stream.name] = StreamAgent.create(f"{stream.name}_agent", self)
        for trace in self.cfg.traces:
            ConfigDB().set(self, f"{trace.name}_monitor", "CFG", trace)
            self.traces.append(TraceMonitor.create(f"{trace.name}_monitor", self))
        for tap in self.cfg.taps:
            ConfigDB().set(self, f"{tap.name}_tap", "CFG", tap)
            self.traces.append(TapMonitor.create(f"{tap.name}_tap", self))
        ConfigDB().set(self, "scoreboard", "PARAMS", self.cfg.params)
        self.scoreboard: Any = self.cfg.scoreboard.create("scoreboard", self)
        self.coverage = self.cfg.coverage.create("coverage", self)

    def connect_phase(self) -> None:
        for monitor in (*(agent.monitor for agent in self.agents.values()), *self.traces):
            monitor.ap.connect(self.scoreboard.imp)
        self.scoreboard.judged.connect(self.coverage.analysis_export)

    @property
    def sequencers(self) -> dict[str, uvm_sequencer]:
        """The agents' sequencers by stream."""
        return {name: agent.sequencer for name, agent in self.agents.items()}

    def collect(self, cycles: int) -> None:
        """Lets every monitor publish what was seen in `cycles` cycles."""
        for monitor in (*self.agents.values(), *self.traces):
            monitor.collect(cycles)
