"""Functions with loops as kernels: each stretch between two loops is optimised by itself."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from codegen.forms import parameters_of
from codegen.instruction import Instruction
from codegen.kernel import Kernel, float_name
from codegen.lower import Parameter, Result, lower
from codegen.optimize import optimized
from codegen.program import Program, ProgramBuilder
from codegen.runnable import runnable
from codegen.target import Target
from rewrite.collector import uncollected
from rewrite.dag import Dag
from rewrite.debug import emit
from rewrite.egraph.limits import Report
from rewrite.errors import ArgumentError
from rewrite.fastmath import FastMath, licence
from rewrite.flow.body import Body, Flow, Loop
from rewrite.flow.invariants import hoisted
from rewrite.options import OPTIONS
from rewrite.term import Term
from rewrite.tracing import leaves

if TYPE_CHECKING:
    from codegen.cuda.auto import AutoKernel
    from codegen.cuda.kernel import CudaKernel

__all__ = ["compile_flow"]

_REFUSED = ("strategy", "autotune", "max_error")


@uncollected()
def compile_flow(
    args: Sequence[Any], flow: Flow, *, target: str | Target = "native", dtype: Any = None,
    math: str | FastMath = "strict", cost: Any = None, limits: Any = None, parallel: int = 1,
    name: str = "kernel", optimize_terms: bool = True, batch_axis: Any = 0, **others: Any,
) -> "Kernel | CudaKernel | AutoKernel":  # fmt: skip
    """Compile a function with loops to a kernel: lanes that are done wait for the others.

    Raise `ArgumentError` for options of `rw.compile` that loops do not have, `TargetError` for
    targets that this machine cannot run.
    """
    for option, value in others.items():
        known = OPTIONS.get(option)  # options in force come as what they are without a word
        if (known is None and option in _REFUSED) or value != (known.default if known else None):
            raise ArgumentError(f"{option}= is not for functions with loops")
    if target == "auto":
        from codegen.cuda.auto import AutoKernel

        again: Any = partial(
            compile_flow, args, flow, dtype=dtype, math=math, cost=cost, limits=limits, name=name,
            optimize_terms=optimize_terms, batch_axis=batch_axis,
        )  # fmt: skip
        return AutoKernel(again(parallel=parallel), partial(again, target="cuda"))
    machine = runnable(target)
    allowed = licence(math)
    options = {
        "target": machine, "math": math, "cost": cost, "strategy": None, "limits": limits,
        "dtype": None if dtype is None else float_name(dtype), "autotune": 0,
    }  # fmt: skip
    writer = _Writer(
        options if optimize_terms else None,
        FastMath.REASSOC not in allowed,
        FastMath.AFN in allowed,
    )
    parameters = parameters_of(list(args))
    names = [path for path, _ in leaves(flow.result)]
    program = writer.whole(parameters, flow, name)
    emit("program", lambda: str(program))
    kept: dict[str, Any] = {
        "name": name, "doc": "\n".join(names), "terms": flow.body.results,
        "report": writer.report(), "dtype": options["dtype"],
        "results": "tuple" if len(names) > 1 else None, "parallel": parallel,
        "batch_axis": batch_axis, "math": math,
    }  # fmt: skip
    if machine.is_cuda:
        from codegen.cuda.build import cuda_kernel

        made = cuda_kernel(program, machine, kept)
        emit("ptx", lambda: made.device_text)
        return made
    kernel = Kernel(program, machine, **kept)
    emit("llvm", lambda: kernel.llvm)
    emit("asm", lambda: kernel.asm)
    return kernel


@dataclass
class _Writer:
    """Writes the parts of a flow into programs."""

    options: dict[str, Any] | None
    strict: bool
    approximate: bool
    count: int = 1
    notes: list[str] = field(default_factory=list)

    def whole(self, parameters: Sequence[Parameter], flow: Flow, name: str) -> Program:
        """Return the program of a function."""
        at = _Place(ProgramBuilder(name))
        for parameter in parameters:
            at.declare(parameter)
        values = self.body(at, flow.body)
        for place, value in enumerate(values):
            at.builder.output("out" if len(values) == 1 else f"out{place}", value)
        return at.builder.finish()

    def body(self, at: "_Place", body: Body) -> list[int]:
        """Write loops and results; return the values of the results."""
        for loop in body.loops:
            self.loop(at, loop)
        return self.stretch(at, body.results)

    def loop(self, at: "_Place", loop: Loop) -> None:
        """Write a loop; the values that it leaves have the names of its end."""
        fixed_terms, loop = hoisted(loop)
        state = self.stretch(at, (*loop.start, *fixed_terms.values()))
        at.values.update(zip(map(_name, fixed_terms), state[len(loop.start) :], strict=True))
        state = state[: len(loop.start)]
        inner = _Place(ProgramBuilder("step"))
        for symbol in loop.state:
            inner.declare(Parameter(_name(symbol), (), (symbol,)))
        fixed = [name for name in _outer(loop) if name in at.values]
        for name in fixed:
            inner.values[name] = inner.builder.load(
                inner.builder.argument(name, (), at.builder.type_of(at.values[name]))
            )
        go, *rest = loop.step.results
        if loop.step.loops:  # what decides is written before them
            first = self.stretch(inner, (go,))
            made = [*first, *self.body(inner, replace(loop.step, results=tuple(rest)))]
        else:
            made = self.stretch(inner, loop.step.results)
        for place, value in enumerate(made):
            inner.builder.output("go" if not place else f"next{place}", value)
        ends = at.builder.repeat(inner.builder.finish(), state, [at.values[n] for n in fixed])
        at.values.update(zip(map(_name, loop.end), ends, strict=True))

    def stretch(self, at: "_Place", terms: Sequence[Term]) -> list[int]:
        """Write terms, optimised together; return their values."""
        found = tuple(terms)
        if not found:
            return []
        if self.options is not None and any(term.op.arity for term in found):
            dag = Dag.of(found[0].store, [term.id for term in found])
            best = optimized(dag, list(found), tuple, **self.options)
            costs = f"{best.cost_before:.3g} -> {best.cost_after:.3g} {best.model.unit}"
            self.notes += [f"stretch {self.count}: {note}" for note in (costs, *best.report.notes)]
            self.count += 1
            found = best.terms
        symbols = {s.symbol.name: s for term in found for s in term.free_symbols if s.symbol}
        parameters = [Parameter(name, (), (symbol,)) for name, symbol in symbols.items()]
        results = [Result(f"r{place}", (), (term,)) for place, term in enumerate(found)]
        options: Any = {"strict": self.strict, "approximate": self.approximate}
        return at.included(lower(parameters, results, **options))

    def report(self) -> Report:
        """Return what was found of all stretches."""
        return Report(notes=self.notes)


class _Place:
    """A program while it is written, and the values that names have in it."""

    def __init__(self, builder: ProgramBuilder) -> None:
        self.builder = builder
        self.values: dict[str, int] = {}
        self._known: dict[Instruction, int] = {}

    def declare(self, parameter: Parameter) -> None:
        """Take an argument."""
        number = self.builder.argument(parameter.name, parameter.shape, parameter.kind)
        for component, symbol in enumerate(parameter.symbols):
            self.values[_name(symbol)] = self.builder.load(number, component)

    def included(self, program: Program) -> list[int]:
        """Write straight-line code whose arguments are names; return the values of its outputs."""
        place: list[int] = []
        for this in program.instructions:
            if this.op == "load":
                assert isinstance(this.payload, tuple)
                place.append(self.values[program.arguments[this.payload[0]].name])
            elif this.op == "const":
                place.append(self.builder.const(this.payload))  # type: ignore[arg-type]
            else:
                moved = replace(this, args=tuple(place[arg] for arg in this.args))
                if moved not in self._known:
                    self._known[moved] = self.builder.emit(moved.op, *moved.args)
                place.append(self._known[moved])
        return [place[output.values[0]] for output in program.outputs]


def _name(symbol: Term) -> str:
    assert symbol.symbol is not None
    return symbol.symbol.name


def _outer(loop: Loop) -> Mapping[str, None]:
    """Return the names that a step uses and its state does not bring."""
    found: dict[str, None] = {}
    waiting = [loop.step]
    own = {*map(_name, loop.state)}
    while waiting:
        body = waiting.pop()
        terms = [*body.results]
        for inner in body.loops:
            terms += inner.start
            own.update(map(_name, (*inner.state, *inner.end)))
            waiting.append(inner.step)
        for term in terms:
            found.update((_name(symbol), None) for symbol in term.free_symbols)
    return {name: None for name in found if name not in own}
