"""A crew in machine code: helpers that wait for work, and the call that shares its own with them.

The caller never depends on a helper: it begins at once, and what no helper has taken it does
itself; it waits only for those that are in the middle of something. Waking a sleeping thread costs
the caller about 10 us and takes 20 to 80 us more until it runs (KVM, Zen 4), a thread that still
looks for work comes within 0.5 us. So helpers look for a while before they sleep, and are woken
where there is enough work, in one call or in several that follow each other closely.
"""

from collections.abc import Sequence
from typing import Final

from llvmlite import ir

from codegen.crew.layout import MEMBER_BYTES, MEMBERS_AT, PROCESSORS, CrewData, Member
from codegen.llvm.scribe import I32, I64, POINTER, VOID
from codegen.llvm.words import Words
from codegen.target import Target

__all__ = ["BEGIN", "END", "SHARE", "emit_crew"]

BEGIN: Final = "rewrite_crew_begin"
END: Final = "rewrite_crew_end"
SHARE: Final = "rewrite_crew_share"
_OPEN: Final = 1 << 16
"""The bit of the gate that lets helpers in; below it they are counted."""
_JOB: Final = 17
"""From this bit on the gate has the number of the job."""
_WAKING: Final = 100_000
"""Nanoseconds of work that are worth to wake helpers."""
_LOOKS: Final = 32
"""Looks at the gate before the clock is read."""


def emit_crew(module: ir.Module, target: Target) -> ir.Function:
    """Write what a helper runs, and return `share(crew, function, context, wanted, work)`.

    That calls `function(context, number)`, with number 0 here and from 1 on in helpers, of which
    so many are `wanted`. Each call has to take parts of the work, of `work` nanoseconds in all,
    until there are none. `begin(..., opened)` lets helpers in, writes down whether it did, and
    returns: then there has to be a call of `end(crew)`.
    """
    module.triple = target.triple
    now = _emit_now(module)
    wake = _emit_wake(module)
    helper = _Help(module, now, wake)
    helper.emit()
    begin = _Begin(module, (now, wake, _emit_start(module, helper.function)))
    begin.emit()
    _emit_noted(module, begin.function)
    return _emit_share(module, now, begin.function, _emit_end(module, now))


def _function(
    module: ir.Module, name: str, result: ir.Type, kinds: list[ir.Type]
) -> tuple[ir.Function, Words]:
    function = ir.Function(module, ir.FunctionType(result, kinds), name)
    return function, Words(function.append_basic_block("entry"))


def _emit_now(module: ir.Module) -> ir.Function:
    """Write `now(crew)`: the time in nanoseconds."""
    function, code = _function(module, "now", I64, [POINTER])
    function.linkage = "internal"
    found = code.room(16)
    clock = code.trunc(code.get(function.args[0], CrewData, "clock"), I32)
    code.outside("clock_gettime", I32, [clock, found])
    seconds, rest = code.read(found, I64(0)), code.read(found, I64(1))
    code.ret(code.add(code.mul(seconds, I64(10**9)), rest))
    return function


def _emit_wake(module: ir.Module) -> ir.Function:
    """Write `wake(crew, number)`, which wakes a helper if it is wanted and sleeps.

    A helper that lies down after this look sees the new number of the job before it sleeps.
    """
    function, code = _function(module, "wake", VOID, [POINTER, I64])
    function.linkage = "internal"
    crew, number = function.args
    most = code.smaller(
        code.get(crew, CrewData, "wanted"), code.get(crew, CrewData, "helpers")
    )  # fmt: skip
    with code.if_then(code.less(number, most)):
        member = _member(code, crew, number)
        asleep = code.load_atomic(code.word(member, Member, "asleep"), "seq_cst", 8, typ=I64)
        with code.if_then(code.equal(asleep, I64(1))):
            if "linux" in str(module.triple):
                _avoid(code, crew, member)
            mutex, condition = (code.word(member, Member, x) for x in ("mutex", "condition"))
            code.outside("pthread_mutex_lock", I32, [mutex])
            code.outside("pthread_cond_signal", I32, [condition])
            code.outside("pthread_mutex_unlock", I32, [mutex])
    code.ret_void()
    return function


def _member(code: Words, crew: ir.Value, number: ir.Value) -> ir.Value:
    """Return where a member of a crew is."""
    return code.at(crew, code.add(I64(MEMBERS_AT), code.mul(number, I64(MEMBER_BYTES))))


def _avoid(code: Words, crew: ir.Value, member: ir.Value) -> None:
    """Keep a helper off the processor that this thread is on.

    Linux may wake it there, in a virtual machine whose processors share no cache that it knows of:
    then one of the two waited 3 ms for the other, or was interrupted by it.
    """
    here = code.sext(code.outside("sched_getcpu", I32, []), I64)
    known = code.icmp_unsigned("<", here, I64(PROCESSORS))
    new = code.icmp_signed("!=", code.get(member, Member, "avoided"), code.add(here, I64(1)))
    with code.goto_entry_block():
        mask = code.room(PROCESSORS // 8)
    with code.if_then(code.and_(known, new)):
        allowed = code.word(crew, CrewData, "processors")
        with code.counted(I64(0), I64(PROCESSORS // 64)) as word:
            code.store(code.read(allowed, word), code.slot(mask, word))
        place = code.slot(mask, code.lshr(here, I64(6)))
        bit = code.shl(I64(1), code.and_(here, I64(63)))
        code.store(code.and_(code.load(place, typ=I64), code.not_(bit)), place)
        thread = code.get(member, Member, "thread")
        code.outside("pthread_setaffinity_np", I32, [thread, I64(PROCESSORS // 8), mask])
        code.put(code.add(here, I64(1)), member, Member, "avoided")


class _Help:
    """What a helper runs: look for work, take part, sleep when there is none for long."""

    def __init__(self, module: ir.Module, now: ir.Function, wake: ir.Function) -> None:
        self.function, self.code = _function(module, "help", POINTER, [POINTER])
        self.function.linkage = "internal"
        self.now, self.wake = now, wake
        self.member = self.function.args[0]

    def emit(self) -> None:
        """Write it."""
        code = self.code
        self.crew = code.get(self.member, Member, "crew", POINTER)
        self.number = code.get(self.member, Member, "number")
        self.gate = code.word(self.crew, CrewData, "gate")
        seen, begin, looks = (code.alloca(I64) for _ in range(3))
        code.store(I64(0), seen)
        code.store(I64(0), looks)
        code.store(code.call(self.now, [self.crew]), begin)
        look = code.append_basic_block("look")
        code.branch(look)
        code.position_at_end(look)
        state = code.load_atomic(self.gate, "acquire", 8, typ=I64)
        job = code.lshr(state, I64(_JOB))
        with code.if_else(code.equal(job, code.load(seen, typ=I64))) as (idle, new):
            with new:
                self.take_part(state, look)
                code.store(job, seen)
                code.store(code.call(self.now, [self.crew]), begin)
            with idle:
                code.pause()
                count = code.add(code.load(looks, typ=I64), I64(1))
                code.store(count, looks)
                with code.if_then(code.equal(code.and_(count, I64(_LOOKS - 1)), I64(0))):
                    time = code.call(self.now, [self.crew])
                    waited = code.sub(time, code.load(begin, typ=I64))
                    patience = code.get(self.crew, CrewData, "patience")
                    with code.if_then(code.less(patience, waited)):
                        self.sleep(code.load(seen, typ=I64))
        code.branch(look)

    def take_part(self, state: ir.Value, look: ir.Block) -> None:
        """Do a part of an open job; look again where the gate has changed meanwhile."""
        code, crew = self.code, self.crew
        with code.if_then(code.icmp_signed("!=", code.and_(state, I64(_OPEN)), I64(0))):
            entered = code.cmpxchg(
                self.gate, state, code.add(state, I64(1)), "acq_rel", "monotonic"
            )
            inside = code.append_basic_block("inside")
            code.cbranch(code.extract_value(entered, 1), inside, look)
            code.position_at_end(inside)
            twice = code.mul(self.number, I64(2))
            for more in (1, 2):
                code.call(self.wake, [crew, code.add(twice, I64(more))])
            function, context = (code.get(crew, CrewData, x) for x in ("function", "context"))
            given = [code.inttoptr(context, POINTER), code.add(self.number, I64(1))]
            code.called(function, VOID, given)
            code.atomic_rmw("sub", self.gate, I64(1), "release")

    def sleep(self, seen: ir.Value) -> None:
        """Sleep until there is another job."""
        code, member = self.code, self.member
        asleep = code.word(member, Member, "asleep")
        mutex, condition = (code.word(member, Member, x) for x in ("mutex", "condition"))
        code.outside("pthread_mutex_lock", I32, [mutex])
        code.atomic_rmw("xchg", asleep, I64(1), "seq_cst")
        head, wait, up = (code.append_basic_block(name) for name in ("asleep", "wait", "up"))
        code.branch(head)
        code.position_at_end(head)
        state = code.load_atomic(self.gate, "seq_cst", 8, typ=I64)
        code.cbranch(code.equal(code.lshr(state, I64(_JOB)), seen), wait, up)
        code.position_at_end(wait)
        code.outside("pthread_cond_wait", I32, [condition, mutex])
        code.branch(head)
        code.position_at_end(up)
        code.atomic_rmw("xchg", asleep, I64(0), "seq_cst")
        code.outside("pthread_mutex_unlock", I32, [mutex])


def _emit_start(module: ir.Module, help_: ir.Function) -> ir.Function:
    """Write `start(crew)`, which starts helpers that take no signals."""
    function, code = _function(module, "start", VOID, [POINTER])
    function.linkage = "internal"
    (crew,) = function.args
    old, running, made = code.room(PROCESSORS // 8), code.alloca(I64), code.alloca(I64)
    code.store(I64(1), running)
    code.store(I64(0), made)
    how = code.trunc(code.get(crew, CrewData, "set_mask"), I32)
    code.outside("pthread_sigmask", I32, [how, code.word(crew, CrewData, "signals"), old])
    last = code.sub(code.get(crew, CrewData, "threads"), I64(1))
    with code.counted(I64(0), last) as number:
        with code.if_then(code.equal(code.load(running, typ=I64), I64(1))):
            member = _member(code, crew, number)
            nothing = code.inttoptr(I64(0), POINTER)
            given = [code.word(member, Member, "thread"), nothing]
            where = code.inttoptr(code.ptrtoint(help_, I64), POINTER)
            failed = code.outside("pthread_create", I32, [*given, where, member])
            fine = code.zext(code.equal(failed, I32(0)), I64)
            code.store(fine, running)
            code.store(code.add(code.load(made, typ=I64), fine), made)
    code.outside("pthread_sigmask", I32, [how, old, code.inttoptr(I64(0), POINTER)])
    count = code.load(made, typ=I64)
    helpers = code.select(code.equal(count, I64(0)), I64(-1), count)
    code.put(helpers, crew, CrewData, "helpers")
    code.ret_void()
    return function


class _Begin:
    """`begin(crew, function, context, wanted, work)`: let helpers in, or return 0."""

    def __init__(self, module: ir.Module, called: Sequence[ir.Function]) -> None:
        kinds = [POINTER, POINTER, POINTER, I64, I64]
        self.function, self.code = _function(module, "begin", I64, kinds)
        self.function.linkage = "internal"
        self.crew, self.job, self.context, self.wanted, self.work = self.function.args
        self.now, self.wake, self.start = called

    def emit(self) -> None:
        """Write it."""
        code, crew = self.code, self.crew
        busy = code.word(crew, CrewData, "busy")
        taken = code.atomic_rmw("xchg", busy, I64(1), "acquire")
        with code.if_then(code.icmp_signed("!=", taken, I64(0)), likely=False):
            code.ret(I64(0))
        with code.if_then(code.equal(code.get(crew, CrewData, "helpers"), I64(0)), likely=False):
            code.call(self.start, [crew])
        with code.if_then(self.pays()):
            self.open()
            code.ret(I64(1))
        code.atomic_rmw("xchg", busy, I64(0), "release")
        code.ret(I64(0))

    def pays(self) -> ir.Value:
        """Tell whether helpers are awake, or worth to be woken."""
        code, crew = self.code, self.crew
        asleep = code.load_atomic(
            code.word(_member(code, crew, I64(0)), Member, "asleep"), "seq_cst", 8, typ=I64
        )  # fmt: skip
        pause = code.sub(code.call(self.now, [crew]), code.get(crew, CrewData, "last"))
        close = code.less(pause, code.get(crew, CrewData, "patience"))
        before = code.select(close, code.get(crew, CrewData, "streak"), I64(0))
        streak = code.add(before, self.work)
        code.put(streak, crew, CrewData, "streak")
        ready = code.or_(code.equal(asleep, I64(0)), code.less(I64(_WAKING), streak))
        return code.and_(ready, code.less(I64(0), code.get(crew, CrewData, "helpers")))

    def open(self) -> None:
        """Let helpers in."""
        code, crew = self.code, self.crew
        code.put(code.ptrtoint(self.job, I64), crew, CrewData, "function")
        code.put(code.ptrtoint(self.context, I64), crew, CrewData, "context")
        code.put(self.wanted, crew, CrewData, "wanted")
        gate = code.word(crew, CrewData, "gate")
        job = code.lshr(code.load_atomic(gate, "monotonic", 8, typ=I64), I64(_JOB))
        opened = code.or_(code.shl(code.add(job, I64(1)), I64(_JOB)), I64(_OPEN))
        code.atomic_rmw("xchg", gate, opened, "seq_cst")
        code.call(self.wake, [crew, I64(0)])


def _emit_noted(module: ir.Module, begin: ir.Function) -> None:
    """Write `begin` for Python, which writes down whether helpers were let in.

    Python may raise what a signal asks for before it has seen a value that is returned.
    """
    function, code = _function(module, BEGIN, VOID, [POINTER, POINTER, POINTER, I64, I64, POINTER])
    *given, opened = function.args
    code.store(code.call(begin, given), opened)
    code.ret_void()


def _emit_end(module: ir.Module, now: ir.Function) -> ir.Function:
    """Write `end(crew)`: let no more helpers in, wait for those who are, and leave the crew."""
    function, code = _function(module, END, VOID, [POINTER])
    (crew,) = function.args
    gate = code.word(crew, CrewData, "gate")
    code.atomic_rmw("and", gate, I64(~_OPEN), "acq_rel")
    code.wait_while(lambda: _inside(code, gate))
    code.put(code.call(now, [crew]), crew, CrewData, "last")
    code.atomic_rmw("xchg", code.word(crew, CrewData, "busy"), I64(0), "release")
    code.ret_void()
    return function


def _inside(code: Words, gate: ir.Value) -> ir.Value:
    """Tell whether helpers are at work."""
    state = code.load_atomic(gate, "acquire", 8, typ=I64)
    return code.icmp_signed("!=", code.and_(state, I64(_OPEN - 1)), I64(0))


def _emit_share(
    module: ir.Module, now: ir.Function, begin: ir.Function, end: ir.Function
) -> ir.Function:
    """Write `share`, which takes part itself.

    Other Python threads run meanwhile: a helper may need the lock to compile code.
    """
    function, code = _function(module, SHARE, VOID, [POINTER, POINTER, POINTER, I64, I64])
    crew, job, context, _, _ = function.args
    place = code.ptrtoint(job, I64)
    alone = code.equal(code.call(begin, list(function.args)), I64(0))
    with code.if_then(alone):
        code.called(place, VOID, [context, I64(0)])
        code.put(code.call(now, [crew]), crew, CrewData, "last")
        code.ret_void()
    state = code.called(code.get(crew, CrewData, "thread_state"), I64, [])
    locked = code.icmp_signed("!=", state, I64(0))
    with code.if_then(locked):
        code.called(code.get(crew, CrewData, "save_thread"), I64, [])
    code.called(place, VOID, [context, I64(0)])
    code.call(end, [crew])
    with code.if_then(locked):
        code.called(code.get(crew, CrewData, "restore_thread"), VOID, [state])
    code.ret_void()
    return function
