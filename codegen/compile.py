"""`compile_kernel` (`rw.compile`): from terms to a kernel.

Read it as the table of contents of the project: one line a stage, each shown by
`rewrite.debug.emit` where it is asked for.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, Any, Literal, TypedDict, Unpack, overload

from codegen.forms import check_symbols, form_of, parameters_of, patterns_of, replaced, results_of
from codegen.kernel import Kernel, float_name
from codegen.kernelcost import KernelCost
from codegen.loops.program import Rolled
from codegen.lower import Parameter, Result
from codegen.program import Program
from codegen.runnable import runnable
from codegen.store.request import Request, request
from codegen.target import Target
from rewrite.collector import uncollected
from rewrite.cost import CostModel
from rewrite.dag import Dag
from rewrite.debug import emit
from rewrite.egraph.limits import Limits, Report
from rewrite.fastmath import FastMath, licence
from rewrite.options import configured
from rewrite.progress import followed, stage
from rewrite.term import Term

# what searches and emits is loaded by those who do: a kernel that is kept on disk needs none of it
if TYPE_CHECKING:
    from codegen.bounded import Compiled
    from codegen.cuda.auto import AutoKernel
    from codegen.cuda.kernel import CudaKernel

__all__ = ["compile_kernel"]


class Options(TypedDict, total=False):
    """What `compile_kernel` takes beside the target."""

    dtype: Any
    math: str | FastMath
    parallel: int
    cost: "str | CostModel | None"
    strategy: Any
    limits: Limits | None
    batch_axis: Literal[0, -1]
    name: str
    optimize_terms: bool
    autotune: int
    max_error: float | str | None
    progress: bool | None
    verify: bool


@overload
def compile_kernel(
    args: Any, exprs: Any, *, target: Literal["cuda"], **options: Unpack[Options]
) -> "CudaKernel": ...
@overload
def compile_kernel(
    args: Any, exprs: Any, *, target: Literal["auto"], **options: Unpack[Options]
) -> "AutoKernel": ...
@overload
def compile_kernel(
    args: Any, exprs: Any, *, target: str | Target = "native", **options: Unpack[Options]
) -> Kernel: ...


@uncollected()
@followed
@configured
def compile_kernel(
    args: Any,
    exprs: Any = ...,
    *,
    target: str | Target = "native",
    dtype: Any = None,
    math: str | FastMath = "guarded",
    parallel: int = 1,
    cost: "str | CostModel | None" = None,
    strategy: Any = None,
    limits: Limits | None = None,
    batch_axis: Literal[0, -1] = 0,
    name: str = "kernel",
    optimize_terms: bool = True,
    autotune: int = 0,
    max_error: float | str | None = None,
    progress: bool | None = None,
    verify: bool = False,
) -> "Kernel | CudaKernel | AutoKernel":
    """Optimise terms and compile them to native SIMD code, called like a NumPy ufunc.

    `args` lists the arguments: symbols, or (nested) lists or `TermArray`s of symbols, each of which
    is one array argument with its axes last. `exprs` is a term, a nested list or `TermArray` (one
    array result), a sparse matrix of terms (the result is SciPy's sparse array), a tuple (several
    results) or a dictionary (named results). `math` is "strict", "guarded", "fast" or a `FastMath`;
    `strategy`, `autotune` and `progress` are what `optimize` takes.

    "strict" computes what is written, in its order, with NumPy's bits in + - * / and sqrt. An
    `np.sum` over terms is written as one sum from left to right; NumPy adds long arrays pairwise,
    so that its own bits may differ there.

    `max_error` is a number of ulps, or "2ulp", that no result may be off at sample points in the
    domains of the symbols, in any float type that the kernel has. Where what `math` gives is worse,
    elementary functions within 1 ulp are tried, then the form that was measured to be the most
    accurate, then what is written.

    With `verify` the kernel is validated before it is returned, at points that no search has seen:
    against exact values, against its own scalar calls for every length up to twice the lanes and
    one more, strided, backwards and at an offset, and on both sides of each `where`. What was
    compared is `kernel.certificate`.

    With `target="cuda"` it is a `CudaKernel`, cheapest on a GPU, which takes arrays of CuPy,
    PyTorch, JAX and Numba where they are, and copies NumPy's; "auto" runs where its arguments are.

    What was compiled before on this machine is loaded from disk (`rw.cache`), where the options are
    data: a strategy of your own and a cost model of your own are applied anew each time.

    Raise `ArgumentError` for a symbol that no argument brings or that two bring, and for two
    symbols of one name, `TargetError` for a target that this machine cannot run, `AccuracyError`
    where `max_error` cannot be met or `verify` finds a wrong result. Kernels raise no
    floating-point warnings.

    >>> import numpy as np, rewrite as rw
    >>> x = rw.symbol("x")
    >>> rw.compile([x], x * x + 1)(np.array([1.0, 2.0]))
    array([2., 5.])
    """
    if exprs is ...:
        names = [str(symbol) for symbol in getattr(args, "free_symbols", ())] or ["x", "y"]
        raise TypeError(
            "rw.compile takes a list of arguments, whose order is that of the kernel's, and then "
            f"what to compute: rw.compile([{', '.join(names)}], ...)"
        )
    shared: dict[str, Any] = {
        "dtype": dtype, "math": math, "cost": cost, "strategy": strategy, "limits": limits,
        "name": name, "optimize_terms": optimize_terms, "max_error": max_error,
    }  # fmt: skip
    if verify and target != "auto":
        plain = compile_kernel(
            args, exprs, target=target, parallel=parallel, batch_axis=batch_axis,
            autotune=autotune, progress=progress, **shared,
        )  # fmt: skip
        from codegen.certify import certificate

        plain.certificate = certificate(plain, parameters_of(args), results_of(exprs)[0])
        return plain
    if target == "auto":
        from codegen.cuda.auto import AutoKernel

        shared["verify"] = verify
        again: Any = partial(
            compile_kernel, args, exprs, batch_axis=batch_axis, progress=progress, **shared
        )
        host = again(target="native", parallel=parallel, autotune=autotune)
        return AutoKernel(host, partial(again, target="cuda", autotune=0, parallel=1))
    machine = runnable(target)
    if dtype is not None:
        dtype = shared["dtype"] = float_name(dtype)  # refuses what kernels cannot compute in
    parameters = parameters_of(args)
    results, _ = results_of(exprs)
    dag = check_symbols(parameters, results)
    asked = request(machine, parameters, results, dag, {**shared, "autotune": autotune})
    if max_error is not None:
        once: Any = partial(
            compile_kernel, args, exprs, target=machine, dtype=dtype, parallel=parallel, cost=cost,
            limits=limits, batch_axis=batch_axis, name=name, autotune=autotune, progress=progress,
        )  # fmt: skip
        from codegen.bounded import attempts, ulps

        ways = attempts(once, math, strategy, optimize_terms)
        return _bounded(asked, ulps(max_error), ways, parameters, results)
    options: dict[str, Any] = {
        "name": name, "dtype": dtype, "results": form_of(exprs), "parallel": parallel,
        "batch_axis": batch_axis, "patterns": patterns_of(exprs), "math": math,
    }  # fmt: skip
    if not machine.is_cuda and (known := asked.kernel(options)) is not None:
        return known
    if not machine.is_cuda:
        _begun(parameters, results, dag)
    found = _Found(tuple(chain.from_iterable([result.terms for result in results])))
    if optimize_terms and found.terms:
        found = _searched(dag, found.terms, target=machine, math=math, cost=cost,
            strategy=strategy, limits=limits, dtype=dtype, autotune=autotune)  # fmt: skip
    from codegen.balance import balanced
    from codegen.cost import table_for
    from codegen.loops.choice import program_of

    stage("writing the program")
    best = replaced(results, found.terms)
    program, note = program_of(parameters, best, licence(math), name)
    report = replace(found.report, notes=[*found.report.notes, note]) if note else found.report
    if isinstance(program, Program) and not machine.is_cuda:
        program = balanced(program, table_for(machine), "f32" if dtype == "f32" else "f64")
    emit("program", lambda: str(program))
    return _compiled(program, machine, asked, {
        "doc": _doc(best), "terms": found.terms, "report": report, "cost": found.cost, **options
    })  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Found:
    """The terms that are compiled, and how they were found."""

    terms: tuple[Term, ...]
    report: Report = field(default_factory=Report)
    cost: KernelCost | None = None


def _begun(parameters: Sequence[Parameter], results: Sequence[Result], dag: Dag) -> None:
    """Have what all such kernels call compiled meanwhile."""
    from codegen.ahead import ahead
    from codegen.loops.choice import has_arrays, may_be_rolled

    ahead(
        arrays=has_arrays(parameters, results),
        rolled=may_be_rolled(parameters, results, len(dag) + len(dag.roots)),
    )


def _searched(source: Dag, terms: tuple[Term, ...], **options: Any) -> _Found:
    """Optimise the terms of a program."""
    from codegen.optimize import optimized

    best = optimized(source, list(terms), tuple, **options)
    model = best.model
    cost = KernelCost(best.cost_before, best.cost_after, model.unit, model.name)
    return _Found(best.terms, best.report, cost)


def _compiled(
    program: Program | Rolled, machine: Target, asked: Request, options: dict[str, Any]
) -> "Kernel | CudaKernel":
    """Make the kernel of a program, keep it, and show its last stages."""
    if machine.is_cuda:
        from codegen.cuda.build import cuda_kernel

        found = cuda_kernel(program, machine, options)
        emit("ptx", lambda: found.device_text)
        return found
    stage("generating code")
    kernel = Kernel(program, machine, **options)
    asked.keep(kernel, options["doc"])
    emit("llvm", lambda: kernel.llvm)
    emit("asm", lambda: kernel.asm)
    return kernel


def _bounded(
    asked: Request, bound: float, ways: "Sequence[Callable[[], Compiled]]",
    parameters: Sequence[Parameter], results: Sequence[Result],
) -> "Compiled":  # fmt: skip
    """Return the first kernel within the bound: the one that was it before, where that is known."""
    known = asked.choice()
    if known is not None:
        kernel = ways[known[0]]()
        kernel.report.notes.append(known[1])
        return kernel
    from codegen.bounded import first_within

    made: list[Compiled] = []

    def noted(make: "Callable[[], Compiled]") -> "Compiled":
        made.append(make())
        return made[-1]

    kernel = first_within(bound, [partial(noted, make) for make in ways], parameters, results)
    if all(each.report.settled for each in made):
        asked.keep_choice(len(made) - 1, kernel.report.notes[-1])
    return kernel


def _doc(results: Sequence[Result]) -> str:
    return "\n".join(f"{r.name} = {t!r}" for r in results for t in r.terms[:4])[:2000]
