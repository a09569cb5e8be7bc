"""How many cycles a core takes for a loop: its units, its front end, and how far it looks ahead.

`pressure` is the bound of the units and the front end. `scheduled` runs the loop through a model
of an out-of-order core, cycle by cycle, until it is steady: instructions enter in order, `width` a
cycle, and wait for their operands in a scheduler of so many places; units take the oldest of those
that are ready; they leave in order, and no more than `window` are inside. It knows what the bound
leaves out: chains that the window does not reach across, and units that are busy when they are
needed. Cores do not always take the oldest: `slack` is what that costs where units share work.
Left out: mispredicted branches, bypass delays, banks.
"""

import heapq
import itertools
from collections import defaultdict, deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from codegen.machine.code import Instruction
from codegen.machine.core import Core, Effect

__all__ = ["path", "pressure", "scheduled", "share"]

INSTRUCTIONS: Final = 3000
"""So many are run, after as many as a window to fill it."""
PASSES: Final = (4, 400)
"""So many passes at least and at most; one of a body that is longer than that."""


_GENERAL: Final = frozenset("alu compare branch".split())


@dataclass(frozen=True, slots=True)
class _Step:
    """One instruction with what it needs of this core."""

    slots: int
    loads: int
    load: Effect
    effect: Effect
    source: Instruction
    vector: bool
    """Whether it takes a vector register."""
    waits: bool
    """Whether it takes a place in the vector scheduler: what is no load, and not general."""


def _steps(body: Sequence[Instruction], core: Core) -> list[_Step]:
    """Look up each instruction; a comparison and the branch after it are one."""
    made: list[_Step] = []
    before = ""
    for this in body:
        if this.kind in ("nop", "return", "call", "jump"):
            continue
        pure = this.kind == "load"
        effect = core.effect("alu" if this.kind == "compare" else this.kind, this.bits)
        fused = this.kind == "branch" and before in ("compare", "alu")
        slots = 0 if fused else max(1, effect.parts)
        vector = any(name.startswith("v") for name in this.writes)
        loads = 0 if pure else this.loads
        waits = bool(effect.ports) and not pure and this.kind not in _GENERAL
        load = core.effect("load", this.bits)
        made.append(_Step(slots, loads, load, effect, this, vector, waits))
        before = this.kind
    return made


def pressure(body: Sequence[Instruction], core: Core) -> float:
    """Return the cycles that the units and the front end need for one pass, however it overlaps."""
    steps = _steps(body, core)
    work, slots = _work(steps), sum(step.slots for step in steps)
    bound = slots / core.width
    groups = list(work)
    sets = {"".join(sorted(set().union(*some))) for n in range(1, min(len(groups), 5) + 1)
            for some in itertools.combinations(groups, n)}  # fmt: skip
    for ports in sets:  # what only these units can do
        bound = max(bound, sum(w for g, w in work.items() if set(g) <= set(ports)) / len(ports))
    return bound


def share(body: Sequence[Instruction], core: Core) -> float:
    """Return the work over the number of units that can do it, added up, without loads."""
    effects = [step.effect for step in _steps(body, core) if step.effect.ports]
    return sum(e.cycles * e.parts / len(e.ports) for e in effects)


def path(body: Sequence[Instruction], core: Core) -> float:
    """Return the cycles of the longest chain of operands in one pass."""
    ready: dict[str, float] = {}
    longest = 0.0
    for step in _steps(body, core):
        this = step.source
        address = max((ready.get(name, 0.0) for name in this.address), default=0.0)
        operands = max((ready.get(name, 0.0) for name in this.reads), default=0.0)
        loaded = address + (step.load.latency if step.loads else 0.0)
        done = max(operands, loaded) + step.effect.latency
        for name in (*this.writes, *([this.stored] if this.stored else ())):
            ready[name] = done
        longest = max(longest, done)
    return longest


def scheduled(body: Sequence[Instruction], core: Core) -> float:
    """Return the cycles of one pass of a loop that runs long."""
    steps = _steps(body, core)
    if not steps:
        return 0.0
    # the first passes fill the window, and the last ones run beside fewer others
    ends = -(-core.window // len(steps))
    least = PASSES[0] if len(steps) <= INSTRUCTIONS else 1
    passes = min(max(INSTRUCTIONS // len(steps), least), PASSES[1])
    times = _Run(core, steps, passes + 2 * ends).run()
    cycles = (times[passes + ends - 1] - times[ends - 1]) / passes
    alone = max((work for ports, work in _work(steps).items() if len(ports) == 1), default=0.0)
    return max(cycles, alone) if alone > 0.95 * cycles else core.slack * cycles


def _work(steps: Sequence[_Step]) -> dict[str, float]:
    """Return the cycles of work for each group of units."""
    work: dict[str, float] = defaultdict(float)
    for step in steps:
        for effect, times in ((step.effect, 1), (step.load, step.loads)):
            work["".join(sorted(effect.ports))] += effect.cycles * effect.parts * times
            work["".join(sorted(effect.beside))] += effect.beside_cycles * times
    work.pop("", None)
    return work


@dataclass(slots=True, eq=False)
class _Job:
    """An instruction on its way, or the load that is part of one."""

    effect: Effect
    age: int
    vector: bool = False
    waits: bool = False
    """Whether it takes a place in the scheduler."""
    missing: int = 0
    """Operands whose instruction has not begun, and one for the place."""
    known: int = 0
    """When its operands are there, of those that have begun."""
    parts: int = 1
    done: int = -1
    users: "list[_Job]" = field(default_factory=list)


class _Run:
    """The state of the core, cycle by cycle."""

    def __init__(self, core: Core, steps: list[_Step], passes: int) -> None:
        self.core, self.steps = core, steps
        self.total = len(steps) * passes
        self.time = 0
        self.free = dict.fromkeys(core.ports, 0)
        self.ready: dict[str, list[tuple[int, int, _Job]]] = {}
        self.wanted = dict.fromkeys(core.ports, 0.0)
        for step in steps:
            for effect, times in ((step.effect, 1), (step.load, step.loads)):
                for port in effect.ports:
                    self.wanted[port] += effect.cycles * effect.parts * times / len(effect.ports)
        self.later: dict[int, list[_Job]] = {}
        self.last: dict[str, _Job] = {}
        self.window: deque[_Job] = deque()
        self.queue: deque[_Job] = deque()
        self.places = core.waiting
        self.vectors = self.owed = 0
        self.count = itertools.count()

    def run(self) -> list[int]:
        """Run all passes, and return when each has left."""
        ends: list[int] = []
        entered = left = 0
        window, length = self.window, len(self.steps)
        while left < self.total:
            for job in self.later.pop(self.time, ()):
                self.offer(job)
            self.issue()
            while window and 0 <= window[0].done <= self.time:
                self.vectors -= window.popleft().vector
                left += 1
                if left % length == 0:
                    ends.append(self.time)
            while self.queue and self.places:
                self.places -= 1
                self.settle(self.queue.popleft())
            entered = self.enter(entered)
            self.time += 1
        return ends

    def enter(self, entered: int) -> int:
        """Let instructions in, as the front end and the room of each sort allow."""
        core, slots = self.core, self.core.width - self.owed
        while slots > 0 and entered < self.total and len(self.window) < core.window:
            step = self.steps[entered % len(self.steps)]
            full = step.vector and self.vectors >= core.registers
            if full or len(self.queue) > core.queue or (self.queue and not core.queue):
                break
            slots -= step.slots
            self.begin(step, entered)
            entered += 1
        self.owed = max(0, -slots)
        return entered

    def begin(self, step: _Step, age: int) -> None:
        """Link an instruction to those that it waits for."""
        this, effect = step.source, step.effect
        job = _Job(effect, age, step.vector, step.waits, missing=1, parts=effect.parts)
        for name in this.reads:
            self.link(job, name)
        first = job
        if step.loads:
            first = _Job(step.load, age, missing=1)
            job.missing += 1
            first.users.append(job)
        for name in this.address:
            self.link(first, name)
        for name in this.writes:
            if name in this.address:  # a base that moves on does not wait for what is loaded
                self.last.pop(name, None)
            else:
                self.last[name] = job
        if this.stored:
            self.last[this.stored] = job
        self.window.append(job)
        self.vectors += step.vector
        if first is not job:
            self.settle(first)
        if step.waits and (self.queue or not self.places):
            self.queue.append(job)
        elif step.waits:
            self.places -= 1
            self.settle(job)
        else:
            self.settle(job)

    def link(self, job: _Job, name: str) -> None:
        """Make a job wait for what a register or place will hold."""
        source = self.last.get(name)
        if source is None:
            return
        if source.done >= 0:
            job.known = max(job.known, source.done)
        else:
            job.missing += 1
            source.users.append(job)

    def settle(self, job: _Job) -> None:
        """Count one operand, or the place, as known; with the last the job has its time."""
        job.missing -= 1
        if job.missing == 0:
            at = max(job.known, self.time + 1)
            self.later.setdefault(at, []).append(job)

    def offer(self, job: _Job) -> None:
        """Put a job where its units look, or end it where it needs none."""
        if not job.effect.ports:
            self.end(job)
            return
        heap = self.ready.setdefault(job.effect.ports, [])
        for _ in range(job.parts):
            heapq.heappush(heap, (job.age, next(self.count), job))

    def issue(self) -> None:
        """Let units take what is ready, the oldest first, each the least wanted of those free."""
        free = {port for port, at in self.free.items() if at <= self.time}
        groups = [
            (heap[0][0], heap[0][1], ports, heap) for ports, heap in self.ready.items() if heap
        ]
        heapq.heapify(groups)
        while groups and free:
            _, _, ports, heap = heapq.heappop(groups)
            open_ = [port for port in ports if port in free]
            if not open_:
                continue
            port = min(open_, key=self.wanted.__getitem__)
            free.discard(port)
            job = heapq.heappop(heap)[2]
            self.free[port] = max(self.free[port], self.time) + job.effect.cycles
            job.parts -= 1
            if job.parts == 0:
                self.end(job)
            if heap:
                heapq.heappush(groups, (heap[0][0], heap[0][1], ports, heap))

    def end(self, job: _Job) -> None:
        """Note when a job's result is there, and tell those that wait for it."""
        effect = job.effect
        job.done = self.time + int(effect.latency)
        if effect.beside:
            port = min(effect.beside, key=self.free.__getitem__)
            self.free[port] = max(self.free[port], self.time) + effect.beside_cycles
        self.places += job.waits
        for user in job.users:
            user.known = max(user.known, job.done)
            self.settle(user)
        job.users.clear()
