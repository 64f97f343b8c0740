"""What one simulation runs: read once from the environment that who starts it sets up (docs/environment.md)."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

CLOCK_NS = 10
OUT_OF_BOUND = "no end within"  # a failure of a run with a bound begins so
OUT_NAME = "out.npy"  # in the run's folder: the result that a user asked for


@dataclass(frozen=True)
class RunInfo:
    """Block, simulator, test, seed, parameters and configuration of this run, and the folder that it writes to;
    `bound`: cycles after which it fails (0: none beside the test's own)."""

    block: str
    sim: str
    test: str
    seed: int
    params: Mapping[str, int] = field(default_factory=dict)
    config: Mapping[str, Any] = field(default_factory=dict)
    run_dir: Path = Path()
    check: str = "cycle"  # or `value`: values and order at the outputs alone
    bound: int = 0

    @classmethod
    def from_environment(cls) -> RunInfo:
        """The run that TS_BLOCK, TS_SIM, TS_TEST, TS_SEED, TS_PARAMS, TS_CONFIG, TS_RUN_DIR, TS_CHECK
        and TS_BOUND describe."""
        env = os.environ
        return cls(
            block=env["TS_BLOCK"],
            sim=env["TS_SIM"],
            test=env["TS_TEST"],
            seed=int(env["TS_SEED"]),
            params=json.loads(env["TS_PARAMS"]),
            config=json.loads(Path(env["TS_CONFIG"]).read_text(encoding="utf-8")),
            run_dir=Path(env["TS_RUN_DIR"]),
            check=env.get("TS_CHECK", "cycle"),
            bound=int(env.get("TS_BOUND", 0)),
        )

    def environment(self) -> dict[str, str]:
        """The variables that `from_environment` reads, for a runner of one's own; the configuration is written to
        config.json in the run's folder."""
        config = self.run_dir / "config.json"
        config.write_text(json.dumps(dict(self.config)), encoding="utf-8")
        return {
            "TS_BLOCK": self.block,
            "TS_SIM": self.sim,
            "TS_TEST": self.test,
            "TS_SEED": str(self.seed),
            "TS_PARAMS": json.dumps(dict(self.params)),
            "TS_CONFIG": str(config),
            "TS_RUN_DIR": str(self.run_dir),
            "TS_CHECK": self.check,
            "TS_BOUND": str(self.bound),
        }

    def rng(self, purpose: str = "") -> np.random.Generator:
        """A generator of this run's random numbers: the same for the same test, seed and purpose on every simulator."""
        return np.random.default_rng([self.seed, *self.test.encode(), 0, *purpose.encode()])
