"""Event records (models/regs/events.py) as the bench's event source takes them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from models.regs.events import EVENT_BYTES, EventRecord
from tb.lib.agents import BurstItem
from tb.lib.streams import source_records


def event_burst(records: Sequence[EventRecord]) -> BurstItem:
    """The records for the bench's event source."""
    payload = np.frombuffer(b"".join(record.payload.to_bytes(EVENT_BYTES, "big") for record in records), np.uint8)
    gaps = [record.gap for record in records]
    return BurstItem("event", source_records(gaps, payload.reshape(-1, EVENT_BYTES)), len(records))
