"""A Dask cluster that simulations run on: worker processes of this machine, or an existing scheduler's.

`connect` opens one; every wait is bounded. Its worker processes start with core/worker.py.
"""

from __future__ import annotations

import contextlib
import logging
import queue
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TypeVar

import dask
from distributed import Client, Future, KilledWorker, LocalCluster

from flow.core.jobs import check_sources
from tb.lib.contract import Block
from tb.lib.errors import UserError

K = TypeVar("K")
CONNECT_SECONDS = 10.0  # to reach a scheduler
WORKER_SECONDS = 60.0  # until a first worker is there
GONE_SECONDS = 120.0  # without a scheduler, or any worker, until a command gives up
POLL_SECONDS = 0.5
ASK_SECONDS = 5.0  # between questions to the scheduler


class ClusterLost(Exception):
    """The cluster went away; one line says how."""


class Cluster:
    """A client with bounded waits."""

    def __init__(self, client: Client, threads: int, name: str) -> None:
        self.client, self.threads, self.name = client, threads, name

    def alive(self) -> int:
        """Threads of all workers; raises `ClusterLost` if the scheduler does not answer."""
        try:
            return sum(self.client.sync(self.client.scheduler.ncores, callback_timeout=CONNECT_SECONDS).values())
        except Exception as error:
            raise ClusterLost(f"the scheduler {self.name} does not answer ({type(error).__name__})") from error

    def drain(
        self,
        futures: Mapping[K, Future],
        done: Callable[[K, Future], None],
        tick: Callable[[], None],
        more: Callable[[], tuple[K, Future] | None] = lambda: None,
    ) -> None:
        """Calls `done` for every future as it ends, and then `more`, which may give another one. `ClusterLost` if
        scheduler or workers stay away."""
        ended: queue.Queue[K] = queue.Queue()
        left = dict[K, Future]()

        def add(key: K, future: Future) -> None:
            left[key] = future
            future.add_done_callback(lambda _: ended.put(key))

        for key, future in futures.items():
            add(key, future)
        seen = asked = time.monotonic()
        while left:
            with contextlib.suppress(queue.Empty):
                key = ended.get(timeout=POLL_SECONDS)
                done(key, left[key])
                left.pop(key).release()
                if (another := more()) is not None:
                    add(*another)
                seen = time.monotonic()
            tick()
            now = time.monotonic()
            if now - asked < ASK_SECONDS:
                continue
            asked, reason = now, "no worker is left"
            try:
                if self.alive():
                    seen = now
            except ClusterLost as error:
                reason = str(error)
            if now - seen > GONE_SECONDS:
                raise ClusterLost(reason)


@contextlib.contextmanager
def connect(scheduler: str | None, workers: int, store: Path) -> Iterator[Cluster]:
    """The existing cluster at `scheduler`, or one of so many worker processes here, which keep files in `store`.
    `UserError` if it cannot be reached or has no worker."""
    quiet = {
        "distributed.worker.memory.terminate": False,
        "distributed.worker.memory.pause": False,
        # Such a job gets two more tries alone.
        "distributed.scheduler.allowed-failures": 1,
        "distributed.admin.low-level-log-length": 0,
        "temporary-directory": str(store / "dask"),
        "distributed.comm.timeouts.connect": f"{CONNECT_SECONDS}s",
    }
    store.mkdir(parents=True, exist_ok=True)
    with dask.config.set(quiet), contextlib.ExitStack() as stack:
        for name in ("distributed", "tornado", "asyncio"):
            logger = logging.getLogger(name)
            stack.callback(logger.setLevel, logger.level)
            logger.setLevel(logging.CRITICAL)
        if scheduler is None:
            try:
                local = stack.enter_context(
                    LocalCluster(
                        n_workers=max(1, workers),
                        threads_per_worker=1,
                        processes=True,
                        host="127.0.0.1",
                        dashboard_address="127.0.0.1:0",
                        memory_limit=None,
                        silence_logs=logging.CRITICAL,
                        preload=["flow.core.worker"],
                    )
                )
            except (OSError, RuntimeError, TimeoutError) as error:
                raise UserError(f"worker processes do not start on this machine: {error}") from error
            address = local.scheduler_address
        else:
            address = scheduler
        name = scheduler or "of this machine"
        try:
            client = stack.enter_context(Client(address, timeout=CONNECT_SECONDS, set_as_default=False))
        except (OSError, ValueError, TimeoutError) as error:
            raise UserError(
                f"SCHEDULER={address} cannot be reached: start 'dask scheduler' there, or leave it out"
            ) from (error)
        try:
            client.wait_for_workers(1, timeout=WORKER_SECONDS)
        except TimeoutError as error:
            raise UserError(
                f"the scheduler {name} has had no worker for {WORKER_SECONDS:.0f} s: start 'dask worker'"
            ) from (error)
        cluster = Cluster(client, 0, name)
        cluster.threads = cluster.alive()
        yield cluster


def check_workers(cluster: Cluster, block: Block, sim: str, digest: str) -> None:
    """Raises `UserError` unless the worker that answers first can import the flow and sees our sources."""
    future = cluster.client.submit(check_sources, block, sim, digest, pure=False)
    try:
        future.result(timeout=WORKER_SECONDS)
    except UserError:
        raise
    except ModuleNotFoundError as error:
        raise UserError(f"a worker cannot import {error.name}: start it in the clone, with PYTHONPATH=.") from error
    except Exception as error:
        raise UserError(f"no worker of {cluster.name} answers: {type(error).__name__} {error}") from error


def why(problem: Exception, what: str) -> str:
    """One line for what went wrong around a simulation."""
    if isinstance(problem, KilledWorker):
        return f"the {what} killed its worker every time it was tried ({problem.allowed_failures + 1} times)"
    if isinstance(problem, UserError):
        return str(problem)
    first = (str(problem).strip().splitlines() or [""])[0]
    return f"the {what} could not be made: {type(problem).__name__} {first}".strip()
