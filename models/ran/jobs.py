"""Parts of the RAN's cycle model: jobs, slots, inputs as they are offered, cycles in which an output is ready."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from models.ran.config import TAGS, RanDescriptor

NEVER = 1 << 48
I64 = npt.NDArray[np.int64]
U8 = npt.NDArray[np.uint8]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Rest:
    """What a RAN at rest keeps: the reduce factor and the number of the next job."""

    reduce_factor: int = 1
    jobs: int = 0


AFTER_RESET = Rest()


@dataclass(slots=True, eq=False)
class Slot:
    """An accepted descriptor."""

    index: int  # of the descriptor
    desc: RanDescriptor
    first: int  # number of its first job
    left: int
    loaded: bool
    since: int  # first cycle in which it is occupied
    jobs: list[int] = field(default_factory=list)

    def covers(self, tag: int) -> bool:
        """Whether the job with this tag is one of its own."""
        return (tag - self.first) % TAGS < self.desc.n_jobs


@dataclass(slots=True, eq=False)
class Job:
    """A job, from its first product (or its bypass) on."""

    tag: int
    mask: int
    complete: int = NEVER
    byp: bool = False
    entry: int = 0
    bank: int = 0
    group: int = 0
    rf: int = 1
    members: int = 0  # whose last product's cycle is known
    last: int = -1
    slot: Slot | None = None
    desc: int = -1
    select: int = -1
    swap: int = -1
    quant: int = -1
    done: int = -1
    psum: list[U8] = field(default_factory=list)

    @property
    def work(self) -> RanDescriptor:
        """Its descriptor, once it is selected."""
        assert self.slot is not None
        return self.slot.desc


@dataclass(slots=True)
class Stream:
    """Offers of an input; those before `at` are taken."""

    offer: list[int]
    at: int = 0

    def there(self, t: int) -> bool:
        """Whether an item is offered."""
        return self.at < len(self.offer) and 0 <= self.offer[self.at] <= t

    def take(self) -> int:
        """Takes the item; its index."""
        self.at += 1
        return self.at - 1

    @property
    def over(self) -> bool:
        """Whether every item was taken."""
        return self.at == len(self.offer)

    def wakes(self) -> list[int]:
        """The offer that comes, if any."""
        return self.offer[self.at : self.at + 1]


def next_ready(ready: Flags | None, horizon: int) -> I64:
    """For every cycle the first one from there on that is ready."""
    out = np.full(horizon + 1, NEVER, np.int64)
    if ready is None:
        out[:horizon] = np.arange(horizon)
        return out
    at = np.flatnonzero(ready[:horizon])
    where = np.searchsorted(at, np.arange(horizon))
    inside = where < len(at)
    out[:horizon][inside] = at[where[inside]]
    return out
