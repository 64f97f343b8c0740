"""When what happens inside the processor must happen, to the cycle (docs/top/reference.md, Timing).

Everything is computed from what a consumer or a part did (cycles in which words were taken, answers of the parts, ends
of other commands) and compared with what the engines did: starts and ends of commands, offers of words, words taken.
Cycles are the bench's. What did not happen lies at `NEVER`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from models.common.slices import values_per_beat
from models.ioss.config import tile_beats, vec_beats
from models.ran.config import TAGS
from models.top.config import (
    BIAS_WORDS,
    CMD_BEATS,
    LANES,
    MASKS_A_WORD,
    OPT_LANES,
    PSUM_WORDS,
    QUEUE_DEPTH,
    STATES,
    Buffer,
    Code,
    Command,
    Engine,
    Gemm,
    Load,
    Opt,
    Plan,
    Store,
    TopParams,
    Update,
    reached,
)
from models.top.config import Issue as IssueAction
from tb.lib.scoreboard import Verdict, compare_tables, cycle_table
from tb.lib.streams import SourceLog
from tb.top.windows import Walk, run_pass

I64 = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
NEVER = 1 << 40
FEED_WORDS = LANES // OPT_LANES  # of a result that feeds a pass
REFUSED = (Code.OPERATION, Code.SIZE)
CARRIED_OUT = (Code.OK, Code.RANGE, Code.UPDATE)


# ---- recurrences -----------------------------------------------------------------------------------------------------
def behind(accept: I64, count: int, by: int) -> I64:
    """For each of `count` words the cycle in which the one `by` before it was taken; -1: there is none, `NEVER`: it was
    not taken."""
    out = np.full(count, NEVER, np.int64)
    out[:by] = -1
    have = min(len(accept), max(0, count - by))
    out[by : by + have] = np.where(accept[:have] < 0, NEVER, accept[:have])
    return out


def one_a_cycle(earliest: I64) -> I64:
    """Cycles of requests in order, one per cycle, none before its `earliest`."""
    at = np.arange(len(earliest))
    return at + np.maximum.accumulate(earliest - at)


def offers(request: I64, accept: I64) -> I64:
    """When fetched words are offered: a cycle after the request, and after the word before."""
    return np.maximum(request, behind(accept, len(request), 1)) + 1


def granted(
    earliest: I64, accept: I64, blocked: Bools, free: Bools | None = None, chained: bool = True
) -> tuple[I64, I64]:
    """Requests at a port that others have in cycles `blocked`: (first cycle asked for, cycle granted).

    `free` words need no port. `chained`: the one after waits for room in the fetch, two words.
    """
    room = behind(accept, len(earliest), 2) if chained else np.full(len(earliest), -1, np.int64)
    asked, got = np.empty_like(earliest), np.empty_like(earliest)
    before = -1
    for at, least in enumerate(np.maximum(earliest, room).tolist()):
        cycle = asked[at] = max(least, before + 1)
        if free is None or not free[at]:
            while cycle < len(blocked) and blocked[cycle]:
                cycle += 1
        before = got[at] = cycle
    return asked, got


def starts(
    engines: Sequence[int], waits: Sequence[Sequence[int]], pushed: Sequence[int], done: Sequence[Sequence[int]]
) -> list[list[int]]:
    """Of every engine, when its commands start: the oldest, the engine idle, done counters reached.

    Args:
        engines: of every command, in order of pushing.
        waits: its done counters (load, compute, store).
        pushed: the first cycle in which its queue has it, that of the answer to its PUSH.
        done: of every engine, when its commands were done.
    """
    out: list[list[int]] = [[], [], []]
    changes = np.sort(np.array([cycle + 1 for each in done for cycle in each], np.int64))
    ends = [np.asarray(each, np.int64) for each in done]
    for engine, wait, push in zip(engines, waits, pushed, strict=False):
        number = len(out[engine])
        before = ends[engine][number - 1] + 1 if 0 < number <= len(ends[engine]) else NEVER if number else 0
        least = max(push, int(before))
        for cycle in (least, *changes[changes > least].tolist()):
            counters = [int(np.searchsorted(each, cycle)) for each in ends]
            if all(reached(count, want) for count, want in zip(counters, wait, strict=True)):
                out[engine].append(cycle)
                break
        else:
            out[engine].append(NEVER)
    return out


# ---- a run -----------------------------------------------------------------------------------------------------------
@dataclass
class PairLog:
    """What was seen at a pair: streams, jobs in each beat and whether the beat is their last, tags of requests and of
    beats (their first job's), cycles of tensors' records."""

    streams: dict[str, SourceLog]
    jobs: I64
    last: Bools
    tags: I64
    out_tags: I64
    stats: I64

    def beats(self, first: int, end: int) -> slice:
        """Beats of jobs number `first` .. `end` - 1, of which each has beats of its own, as far as they were seen."""
        done = np.concatenate([[0], np.cumsum(np.where(self.last, self.jobs, 0))])
        last = int(np.searchsorted(done, end)) if done[-1] >= end else len(self.last)
        return slice(int(np.searchsorted(done, first)), last)

    def idle(self, jobs: int, records: int) -> int:
        """The first cycle in which nothing is left of the first so many jobs and records: the last beat was taken, and
        the record, in an earlier one."""
        done = np.cumsum(np.where(self.last, self.jobs, 0))
        at = int(np.searchsorted(done, jobs))
        taken = self.streams["out"].accept[: len(done)]
        out = int(taken[at]) if at < len(taken) and taken[at] >= 0 else NEVER
        stat = int(self.stats[records - 1]) if records <= len(self.stats) else NEVER
        return max(out, stat) + 1


@dataclass
class PartLog:
    """What was seen at LAPS or the OPTC: streams, cycles of answers and of further records by name."""

    streams: dict[str, SourceLog]
    answers: dict[str, I64]


@dataclass
class Sources:
    """Where commands came from, and the stream in by what its words are.

    `pushed`: of every command, in order, the first cycle in which its queue had it; `streamed`: whether it came from
    the stream in; `runs`: of every one that did, when its RUN was in force; `words` and `data`: words of commands, and
    those that belong to loads.
    """

    pushed: list[int]
    streamed: list[bool]
    runs: list[int]
    words: SourceLog
    data: SourceLog


@dataclass
class Run:
    """Everything that is needed of a run between reset and `end`.

    `commands`: of every engine, as carried out (planned fields resolved); `codes`: how they must end; `begun`, `done`:
    when they were seen to start and end.
    """

    params: TopParams
    end: int
    issues: list[IssueAction]
    sources: Sources
    commands: list[list[Command]]
    codes: list[list[int]]
    begun: list[I64]
    done: list[I64]
    pairs: list[PairLog]
    laps: PartLog
    optc: PartLog
    m: SourceLog
    host_updates: list[int]  # when the host's updates of LAPS became pending
    m_ready: Bools | None = None  # the sink of the stream out, (cycles,); None: always
    told: list[int] = field(init=False, default_factory=list)  # when those of GEMMs and UPDATEs did
    told_offer: list[int] = field(init=False, default_factory=list)  # and when LAPS saw it
    lost: list[tuple[str, int, int]] = field(init=False, default_factory=list)  # who waited for a port, since, cycles
    held: list[tuple[Engine, str]] = field(init=False, default_factory=list)  # of every streamed command, what for
    beside: set[str] = field(init=False, default_factory=set)  # loads and stores of Sv beside a momentum pass
    y_read: Bools = field(init=False)  # cycles in which compute has a port
    y_write: Bools = field(init=False)
    s_read: dict[Buffer, Bools] = field(init=False)
    s_write: dict[Buffer, Bools] = field(init=False)

    def __post_init__(self) -> None:
        for name in ("y_read", "y_write"):
            setattr(self, name, np.zeros(self.end + 1, bool))
        for name in ("s_read", "s_write"):
            setattr(self, name, {buffer: np.zeros(self.end + 1, bool) for buffer in STATES})

    def note_lost(self, who: str, asked: I64, got: I64) -> None:
        """Notes words that were granted later than asked for."""
        for at in np.flatnonzero((got > asked) & (got < self.end)):
            self.lost.append((who, int(asked[at]), int(got[at] - asked[at])))

    def note_beside(self, who: str, ports: dict[Buffer, Bools], got: I64) -> None:
        """Notes words of Sv that were granted while a momentum pass had the port of Sw."""
        cycles = got[got < self.end]
        if (ports[Buffer.SW][cycles] & ~ports[Buffer.SV][cycles]).any():
            self.beside.add(who)

    def carried_out(self, engine: Engine) -> list[tuple[Any, int, int]]:
        """(command, code, start) of the engine's commands, those that were seen to start."""
        return list(zip(self.commands[engine], self.codes[engine], self.begun[engine].tolist(), strict=False))


def kept_passes(commands: Sequence[Command], codes: Sequence[int]) -> list[Opt | None]:
    """The pass that each of the compute engine's commands found kept, to be fed by a product."""
    out, kept = [], None
    for command, code in zip(commands, codes, strict=True):
        out.append(kept)
        if isinstance(command, Opt) and command.fed and code == Code.OK:
            kept = command
    return out


class Feed(NamedTuple):
    """A pass that a product feeds: the pass, when it was accepted, its first beat at the OPTC and its beats."""

    command: Opt
    rsp: int
    first: int
    count: int


class Checker:
    """Compares a run with what the page says, as boundary `sequence`."""

    def __init__(self, verdict: Verdict, run: Run) -> None:
        self.verdict, self.run = verdict, run
        self._taken: dict[int, I64] = {}  # when beats that feed a pass were, by the product's start

    def check(self) -> None:
        """Everything."""
        run = self.run
        want = starts(
            [int(each.command.engine) for each in run.issues],
            [each.command.waits for each in run.issues],
            run.sources.pushed,
            [each.tolist() for each in run.done],
        )
        for engine in Engine:
            self._same(f"start of {engine.name.lower()}", run.begun[engine], np.array(want[engine], np.int64))
        self._commands()
        self._compute()
        self._load()
        self._store()

    def _same(self, what: str, got: npt.ArrayLike, want: npt.ArrayLike) -> None:
        """Compares cycles; what would come past the end is not awaited."""
        expected = np.asarray(want, np.int64)
        tables = (cycle_table(np.asarray(got, np.int64)), cycle_table(expected[expected < self.run.end]))
        compare_tables(self.verdict, "sequence", what, *tables)

    # ---- commands from the stream in ---------------------------------------------------------------------------------
    def _commands(self) -> None:
        """A command's words are taken while RUN is in force and no load waits or is carried out, the fourth one when
        there is room in its queue."""
        run, sources = self.run, self.run.sources
        offered = iter(np.split(sources.words.offer, range(CMD_BEATS, len(sources.words.offer), CMD_BEATS)))
        in_force = iter(sources.runs)
        number = dict.fromkeys(Engine, 0)
        want: list[int] = []

        def end(engine: Engine, at: int) -> int:
            """The first cycle in which a command of an engine is no longer there."""
            done = run.done[engine]
            return 0 if at < 0 else int(done[at]) + 1 if at < len(done) else NEVER

        for issue, streamed in zip(run.issues, sources.streamed, strict=True):
            engine = issue.command.engine
            if streamed:
                offer = next(offered, np.zeros(0, np.int64)).tolist()
                causes = {"run": next(in_force, NEVER), "load": end(Engine.LOAD, number[Engine.LOAD] - 1)}
                room = end(engine, number[engine] - QUEUE_DEPTH)
                want += [max(cycle, *causes.values(), room * (at == CMD_BEATS - 1)) for at, cycle in enumerate(offer)]
                if len(offer) == CMD_BEATS and want[-1] < run.end:
                    late = max(causes, key=lambda name: causes[name])
                    cause = "queue" if room > offer[-1] else late if causes[late] > offer[0] else "none"
                    run.held.append((engine, cause))
            number[engine] += 1
        accept = sources.words.accept
        self._same("word of a command", accept[accept >= 0], want)

    # ---- compute -----------------------------------------------------------------------------------------------------
    def _compute(self) -> None:
        run = self.run
        carried = run.carried_out(Engine.COMPUTE)
        self._feeds = self._fed(carried)
        gemms = [
            (command, begun) for command, code, begun in carried if isinstance(command, Gemm) and code in CARRIED_OUT
        ]
        ends = np.zeros(len(gemms), np.int64)  # the last core is done
        for core in range(run.params.cores):
            ends = np.maximum(ends, self._pair(core, gemms))
        left = iter(ends.tolist())
        beats = answered = 0
        ops = run.optc.streams
        want, asked, passes, fed = [], [], [], []
        cfg = 0
        for command, code, begun in carried:
            if isinstance(command, Gemm) and command.feeds and code in (*CARRIED_OUT, Code.OPTC):
                passes.append(begun + 1)
                rsp = self._rsp(cfg)
                cfg += 1
                if code == Code.OPTC:
                    want.append(rsp + 2)
                    continue
            if isinstance(command, Gemm) and code in CARRIED_OUT:
                at = next(left)
                if command.feeds:
                    feed = self._feeds[begun]
                    fed.append(offers(self._taken[begun], ops["in"].accept[beats : beats + feed.count]))
                    beats += feed.count
                    stats = run.optc.answers["stat"]
                    at = max(at, int(stats[answered]) + 1 if answered < len(stats) else NEVER)
                    answered += 1
                want.append((self._told(at + 1) if command.update else at) + 1)
            elif isinstance(command, Update) and code != Code.OPERATION:
                want.append(self._told(begun + 1) + 1)
            elif isinstance(command, Plan) and code != Code.OPERATION:
                asked.append(begun + 1)
                want.append(self._answer("ord_rsp", begun) + 1)
            elif isinstance(command, Opt) and not command.fed and code != Code.OPERATION:
                passes.append(begun + 1)
                rsp = self._rsp(cfg)
                cfg += 1
                if code == Code.OPTC:
                    want.append(rsp + 2)
                    continue
                count = -(-command.config.n // 4)
                fed.append(self._pass(command, rsp, beats, count))
                beats += count
                stats = run.optc.answers["stat"]
                want.append(int(stats[answered]) + 2 if answered < len(stats) else NEVER)
                answered += 1
            else:
                want.append(begun + 1)
        self._same("end of compute", run.done[Engine.COMPUTE][: len(want)], want)
        self._same("query of LAPS", run.laps.streams["ord"].offer, asked)
        updates = np.sort(np.array(run.told_offer + self._host_updates(), np.int64))
        self._same("update of LAPS", run.laps.streams["upd"].offer, updates)
        self._same("configuration of the OPTC", ops["cfg"].offer, passes)
        self._same("parameters to the OPTC", ops["in"].offer, np.concatenate(fed) if fed else [])

    def _rsp(self, number: int) -> int:
        """When the OPTC answered a configuration."""
        answers = self.run.optc.answers["rsp"]
        return int(answers[number]) if number < len(answers) else NEVER

    def _fed(self, carried: Sequence[tuple[Any, int, int]]) -> dict[int, Feed]:
        """Passes that products feed, by the product's start."""
        out: dict[int, Feed] = {}
        cfg = beats = 0
        kept = kept_passes([each[0] for each in carried], [each[1] for each in carried])
        for (command, code, begun), of in zip(carried, kept, strict=True):
            feeds = isinstance(command, Gemm) and command.feeds and code in (*CARRIED_OUT, Code.OPTC)
            own = isinstance(command, Opt) and not command.fed and code != Code.OPERATION
            if code in CARRIED_OUT and (feeds or own):
                of = of if feeds else command
                assert of is not None
                count = -(-of.config.n // OPT_LANES)
                if feeds:
                    out[begun] = Feed(of, self._rsp(cfg), beats, count)
                beats += count
            cfg += feeds or own
        return out

    def _told(self, wanted: int) -> int:
        """When LAPS answers an update of the compute engine that is there from `wanted` on; notes it."""
        self.run.told.append(wanted)
        offer, taken = self._asked(wanted)
        self.run.told_offer.append(offer)
        return self._answer("upd_rsp", taken)

    def _asked(self, wanted: int) -> tuple[int, int]:
        """When a GEMM's update that is there from `wanted` on is offered to LAPS, and taken: after a host's that was
        offered before and waits."""
        log = self.run.laps.streams["upd"]
        for offer, accept in zip(log.offer.tolist(), np.where(log.accept < 0, NEVER, log.accept).tolist(), strict=True):
            if offer < wanted <= accept:
                wanted = accept + 1
            elif offer == wanted:
                return wanted, accept
        return wanted, NEVER

    def _host_updates(self) -> list[int]:
        """When the host's updates are offered: a GEMM's that is there goes before."""
        run = self.run
        spans = []
        for offer in run.told_offer:
            log = run.laps.streams["upd"]
            at = np.flatnonzero(log.offer == offer)
            taken = int(log.accept[at[0]]) if len(at) and log.accept[at[0]] >= 0 else NEVER
            spans.append((offer, taken))
        return [next((taken + 1 for offer, taken in spans if offer <= at <= taken), at) for at in run.host_updates]

    def _answer(self, name: str, after: int) -> int:
        """The first answer of LAPS after a cycle."""
        answers = self.run.laps.answers[name]
        at = int(np.searchsorted(answers, after, "right"))
        return int(answers[at]) if at < len(answers) else NEVER

    def _pass(self, command: Opt, rsp: int, first: int, count: int) -> I64:
        """A pass' parameters: offers; notes the ports that it has."""
        run = self.run
        accept = run.optc.streams["in"].accept[first : first + count]
        request = one_a_cycle(np.maximum(behind(accept, count, 2), rsp + 1))
        at = np.arange(count)
        inside = request < run.end
        run.y_read[request[inside & (command.gradients + at < run.params.y_words)]] = True
        self._note_ports(command, at, request, first)
        return offers(request, accept)

    def _note_ports(self, command: Opt, at: I64, request: I64, first: int) -> None:
        """A pass' ports of state and copies: beats number `at` of its parameters were requested in this order."""
        run = self.run
        inside = request < run.end
        for buffer in command.states:
            run.s_read[buffer][request[inside & (command.state + at < run.params.s_words)]] = True
        out = run.optc.answers["out"][first : first + len(at)]
        at = at[: len(out)]
        for buffer in command.states:
            run.s_write[buffer][out[command.state + at < run.params.s_words]] = True
        beats = values_per_beat(command.config.copy_format + 1) // OPT_LANES  # in a word
        run.y_write[out[command.copies + at // beats < run.params.y_words]] = True

    def _pair(self, core: int, gemms: list[tuple[Gemm, int]]) -> I64:
        """A pair's part of the products: when it was done with each."""
        params, log = self.run.params, self.run.pairs[core]
        place = dict.fromkeys(log.streams, 0)
        want: dict[str, list[I64]] = {name: [] for name in log.streams}
        requests: list[I64] = []  # partial sums: when each job's were asked for
        outside: list[Bools] = []
        ends = []
        spans: list[tuple[int, Feed, slice, int]] = []  # beats that feed passes: the product's start, jobs until then
        first_tag = records = 0

        def take(name: str, count: int) -> I64:
            begin = place[name]
            place[name] += count
            out = np.full(count, NEVER, np.int64)
            seen = log.streams[name].accept[begin : begin + count]
            out[: len(seen)] = np.where(seen < 0, NEVER, seen)
            return out

        for command, begun in gemms:
            tiles = len(command.tiles_of(core, params.cores))
            if not tiles:
                ends.append(begun)
                continue
            feed = self._feeds.get(begun)
            begin = (feed.rsp if feed else begun) + 1
            for index in range(len(command.chunks(params))):
                desc, _ = command.descriptors(params, index)
                accept = take("desc", tiles)
                want["desc"].append(np.concatenate([[begin + 1], accept[:-1] + 2]))
                last = [int(accept[-1]) + 3]
                last.append(self._tiles(command, index, accept + 2, tile_beats(desc, params.core), take, want))
                last.append(self._vectors(command, index, begin, accept + 2, vec_beats(desc), take, want))
                if index:
                    jobs = tiles * command.m
                    requests.append(take("req", jobs))
                    tags = log.tags[place["req"] - jobs : place["req"]]
                    rel = unwrapped(tags, first_tag)
                    where = command.psum_first + core * command.psum_step + PSUM_WORDS * rel
                    far = np.zeros((jobs, PSUM_WORDS), bool)
                    far[: len(where)] = where[:, None] + np.arange(PSUM_WORDS) >= params.y_words
                    outside.append(far.reshape(-1))
                first_tag += tiles * command.m
                if feed and index == len(command.chunks(params)) - 1:
                    spans.append((begun, feed, log.beats(first_tag - tiles * command.m, first_tag), first_tag))
                records += 1
                end = max(*last, log.idle(first_tag, records))
                begin = end + 1
            ends.append(end)
        self._sums(core, requests, outside)
        self._results(core, spans)
        for name in ("desc", "tile", "vec", "bias"):
            cycles = np.concatenate(want[name]) if want[name] else np.zeros(0, np.int64)
            self._same(f"core {core} {name}", log.streams[name].offer, cycles)
        return np.array(ends, np.int64)

    def _tiles(self, command: Gemm, index: int, known: I64, beats: int, take: Any, want: Any) -> int:
        """Biases and tiles of a chunk; the cycle after the last request."""
        bias = BIAS_WORDS if command.biases and index == 0 else 0
        tiles = len(known)
        accepts = {"bias": take("bias", tiles * bias), "tile": take("tile", tiles * beats)}
        if command.w_windows:
            return self._tile_windows(command, index, known, bias, accepts, want)
        room = np.empty((tiles, bias + beats), np.int64)
        room[:, :bias] = behind(accepts["bias"], tiles * bias, 2).reshape(tiles, bias)
        room[:, bias:] = behind(accepts["tile"], tiles * beats, 2).reshape(tiles, beats)
        request = one_a_cycle(np.maximum(room, known[:, None]).reshape(-1)).reshape(tiles, -1)
        want["bias"].append(offers(request[:, :bias].reshape(-1), accepts["bias"]))
        want["tile"].append(offers(request[:, bias:].reshape(-1), accepts["tile"]))
        return int(request[-1, -1]) + 1

    def _vectors(self, command: Gemm, index: int, begin: int, known: I64, beats: int, take: Any, want: Any) -> int:
        """Vectors of a chunk, held until their masks are there; the cycle after the last request."""
        jobs = len(known) * command.m
        count = jobs * beats
        accept = take("vec", count)
        if command.x_windows:
            walk = Walk(command, command.chunks(self.run.params)[index], tile=False)
            filled, end = self._windows(walk, accept.reshape(len(known), -1), known.tolist())
            offer, end = np.minimum(filled + 1, NEVER), end + 1
        else:
            request = one_a_cycle(np.maximum(behind(accept, count, 2), np.repeat(known, command.m * beats)))
            offer, end = offers(request, accept), int(request[-1]) + 1
        if command.masks:
            words = -(-jobs // MASKS_A_WORD)
            used = accept.reshape(jobs, beats)[MASKS_A_WORD - 1 :: MASKS_A_WORD, -1]
            asked = one_a_cycle(np.maximum(behind(used, words, 2), begin + 1))
            offer = np.maximum(offer, np.repeat(offers(asked, used), MASKS_A_WORD * beats)[:count])
        want["vec"].append(offer)
        return end

    def _windows(self, walk: Walk, accept: I64, active: Sequence[int]) -> tuple[I64, int]:
        """Passes one after the other that may go on from cycles `active` on: when beats were filled, when the last
        piece moved."""
        filled, end, before = [], -1, -1
        for number, (accepts, first) in enumerate(zip(accept.tolist(), active, strict=True)):
            done = run_pass(walk, number, max(first, end + 1), accepts, before, NEVER)
            filled += done.filled
            end, before = done.end, accepts[-1]
        return np.array(filled, np.int64), end

    def _tile_windows(
        self, command: Gemm, index: int, known: I64, bias: int, accepts: dict[str, I64], want: Any
    ) -> int:
        """Biases, and tiles whose rows are windows; the cycle after the last piece."""
        walk = Walk(command, command.chunks(self.run.params)[index], tile=True)
        tiles = len(known)
        room = behind(accepts["bias"], tiles * bias, 2).reshape(tiles, bias)
        asked, filled, end, before = [np.full(0, -1, np.int64)], [], -1, -1
        for number, tile in enumerate(accepts["tile"].reshape(tiles, -1).tolist()):
            active = max(int(known[number]), end + 1)
            if bias:
                asked.append(one_a_cycle(np.maximum(room[number], active)))
                active = int(asked[-1][-1]) + 1
            done = run_pass(walk, number, active, tile, before, NEVER)
            filled += done.filled
            end, before = done.end, tile[-1]
        want["bias"].append(offers(np.concatenate(asked), accepts["bias"]))
        want["tile"].append(np.minimum(np.array(filled, np.int64) + 1, NEVER))
        return end + 1

    def _sums(self, core: int, requests: list[I64], outside: list[Bools]) -> None:
        """Partial sums: when words are offered, and the next job's request is taken."""
        run, log = self.run, self.run.pairs[core]
        accept = np.concatenate(requests) if requests else np.zeros(0, np.int64)
        free = np.concatenate(outside) if outside else np.zeros(0, bool)
        earliest = np.repeat(accept + 1, PSUM_WORDS)
        asked, got = granted(earliest, log.streams["psum"].accept, run.y_read, free)
        run.note_lost("core partial sums", asked, got)
        for first, last, other in zip(asked.tolist(), got.tolist(), free.tolist(), strict=True):
            if not other and first < run.end:
                run.y_read[first : last + 1] = True  # of the cores after this one, of a store
        self._same(f"core {core} partial sums", log.streams["psum"].offer, offers(got, log.streams["psum"].accept))
        ready = np.concatenate([[0], got[PSUM_WORDS - 1 :: PSUM_WORDS] + 1])[: len(accept)]
        offered = log.streams["req"].offer
        taken = np.full(len(offered), NEVER, np.int64)
        taken[: len(ready)] = ready[: len(offered)]
        taken = np.maximum(taken, offered)
        self._same(f"core {core} request of partial sums", accept[accept < NEVER], taken)

    def _results(self, core: int, spans: Sequence[tuple[int, Feed, slice, int]]) -> None:
        """Results: a beat is taken when no core before this one has one, of two jobs in two such cycles; one that feeds
        a pass when there is room for its state."""
        run, log = self.run, self.run.pairs[core]
        out = log.streams["out"]
        want = []
        mine = np.zeros_like(run.y_write)
        fed = self._feeding(log, spans)
        for at, offer in enumerate(out.offer.tolist()):
            if at in fed:
                want.append(fed[at])
                continue
            cycle = offer - 1
            for _ in range(2 if at >= len(log.jobs) or log.jobs[at] == 2 else 1):  # not taken: two at most
                cycle += 1
                first = cycle
                while cycle < run.end and run.y_write[cycle]:
                    cycle += 1
                if cycle > first:
                    run.lost.append(("core results", first, cycle - first))
            want.append(cycle)
            mine[offer : cycle + 1] = True
        run.y_write |= mine
        self._same(f"core {core} results", out.accept[out.accept >= 0], want)

    def _feeding(self, log: PairLog, spans: Sequence[tuple[int, Feed, slice, int]]) -> dict[int, int]:
        """Of every beat that feeds a pass, by number, when it is taken; notes the ports that the passes have."""
        run, out = self.run, {}
        for begun, feed, beats, jobs in spans:
            offer, tags = log.streams["out"].offer[beats], log.out_tags[beats]
            accept = run.optc.streams["in"].accept[feed.first : feed.first + feed.count]
            room = behind(accept, feed.count, 2)[: len(offer)]
            taken = one_a_cycle(np.maximum(room, offer[: len(room)]))
            self._taken[begun] = np.concatenate([taken, np.full(feed.count - len(taken), NEVER)])
            words = feed.count // FEED_WORDS
            number = unwrapped(tags[::FEED_WORDS], (jobs - words) % TAGS)
            at = (number[:, None] * FEED_WORDS + np.arange(FEED_WORDS)).reshape(-1)[: len(taken)]
            self._note_ports(feed.command, at, taken, feed.first)
            out |= dict(zip(range(beats.start, beats.start + len(taken)), taken.tolist(), strict=True))
        return out

    # ---- load, store -------------------------------------------------------------------------------------------------
    def _load(self) -> None:
        run = self.run
        streams = [
            np.asarray(each.stream).reshape(-1, 16) if each.stream is not None else None
            for each in run.issues
            if each.command.engine == Engine.LOAD
        ]
        words, ends, at = [], [], 0
        nothing = np.zeros_like(run.y_write)
        for (command, code, begun), stream in zip(run.carried_out(Engine.LOAD), streams, strict=False):
            assert isinstance(command, Load)
            if code in REFUSED or stream is None:
                ends.append(begun + 1)
                continue
            count = len(stream)
            offer = run.sources.data.offer[at : at + count]
            at += count
            blocked = run.y_write if command.target == Buffer.Y else run.s_write.get(Buffer(command.target), nothing)
            swallowed = np.arange(len(offer)) >= command.count
            asked, got = granted(np.maximum(offer, begun + 1), offer, blocked, swallowed, chained=False)
            run.note_lost("load Y" if command.target == Buffer.Y else "load state", asked, got)
            if command.target == Buffer.SV:
                run.note_beside("load", run.s_write, got)
            words.append(got)
            ends.append(int(got[-1]) + 1 if len(got) == count else NEVER)
        accept = run.sources.data.accept
        self._same("word loaded", accept[accept >= 0], np.concatenate(words) if words else [])
        self._same("end of load", run.done[Engine.LOAD][: len(ends)], ends)

    def _store(self) -> None:
        run = self.run
        words, ends, at = [], [], 0
        nothing = np.zeros_like(run.y_read)
        states: dict[int, Bools] = {**run.s_read}
        for command, code, begun in run.carried_out(Engine.STORE):
            assert isinstance(command, Store)
            if code in REFUSED:
                ends.append(begun + 1)
                continue
            accept = run.m.accept[at : at + command.count]
            at += command.count
            buffer = command.target
            blocked = run.y_read if buffer == Buffer.Y else states.get(buffer, nothing)
            outside = command.first + np.arange(command.count) >= run.params.words_of(buffer)
            asked, got = granted(np.full(command.count, begun + 1, np.int64), accept, blocked, outside)
            run.note_lost("store Y" if buffer == Buffer.Y else "store state", asked, got)
            if buffer == Buffer.SV:
                run.note_beside("store", run.s_read, got)
            words.append(offers(got, accept))
            ends.append(int(accept[-1]) + 1 if len(accept) == command.count else NEVER)
        offered = np.concatenate(words) if words else np.zeros(0, np.int64)
        if run.m_ready is not None:  # of a word that was not taken nothing is seen
            ready = np.append(np.flatnonzero(run.m_ready), NEVER)
            offered = offered[offered < run.end]
            offered = offered[ready[np.searchsorted(ready, offered)] < run.end]
        self._same("word stored", run.m.offer, offered)
        self._same("end of store", run.done[Engine.STORE][: len(ends)], ends)


def unwrapped(tags: I64, first: int) -> I64:
    """Numbers of jobs, from 0, of which the first has tag `first`: each tag is nearest to the one before it."""
    return np.unwrap(np.concatenate([[first % TAGS], tags]).astype(np.int64), period=TAGS)[1:] - first % TAGS
