"""`Kernel`: a compiled program as a callable that behaves like a NumPy ufunc."""

import copy
import inspect
import pickle
from dataclasses import replace
from functools import cached_property, partial
from keyword import iskeyword
from typing import TYPE_CHECKING, Any, Final, Literal, Self

import numpy as np

from codegen.content import Content, Known, key_of, packed_terms, portable, read_terms
from codegen.engine import assembly
from codegen.failure import Failure
from codegen.llvm.body import emit_module
from codegen.llvm.loop import Loop
from codegen.loops.loop import RolledLoop, with_argument
from codegen.loops.program import Result, Rolled
from codegen.loops.text import rolled_assembly, rolled_llvm
from codegen.native.outside import Outside
from codegen.numpywords import Counted
from codegen.program import Argument, Output, Program
from codegen.store.later import Later
from codegen.target import Float, Target, get, host
from codegen.timing import Timing, check_count, timed
from codegen.ufunc import make_ufunc
from codegen.uniform.loop import uniform
from codegen.wrapped import wrapped
from rewrite.contentcache import digest
from rewrite.display import Code, Displayed
from rewrite.errors import ArgumentError, TargetError
from strategies.calculus.pattern import Pattern

if TYPE_CHECKING:
    from codegen.predict import Prediction

__all__ = ["MOST_OPERANDS", "Kernel", "float_name"]

type Results = Literal["single", "tuple", "dict"]

MOST_OPERANDS: Final = 64  # NPY_MAXARGS
_UNUSED: Final = Argument("unused")
_OPTIONS: Final = (
    "report",
    "cost",
    "dtype",
    "results",
    "parallel",
    "batch_axis",
    "patterns",
    "math",
)
"""Attributes that a pickle holds beside program, target and terms."""


class Kernel(Displayed, partial[Any], Outside, Counted):
    """Machine code for a program, called like a NumPy ufunc.

    Broadcasting, `out=`, `where=`, `dtype=`, casting, scalars, strides and empty arrays are
    NumPy's own, as `ufunc` is a true `numpy.ufunc` (a gufunc where an argument or a result has a
    shape; those have no `where=`). float32 arguments are computed in float32, all others that
    NumPy can cast safely in float64, but for the small integers and float16 that float32 holds.
    Results never raise floating-point warnings, and have the same bits for any length, stride,
    position and number of threads.

    Raise `ArgumentError` for integers that float64 would round (beyond 2^53), and for arguments
    that are no real numbers; `casting="unsafe"` takes what NumPy takes.
    """

    # Python enters a `partial` in C and goes on to what it holds: half a call for 1,000 elements
    # would go into a `__call__` of our own.

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        """Make what `__init__` fills."""
        return super().__new__(cls, _not_compiled)

    def __init__(
        self,
        program: Program | Rolled,
        target: Target | None = None,
        *,
        name: str | None = None,
        doc: str = "",
        terms: Any = None,
        report: Any = None,
        cost: Any = None,
        dtype: Any = None,
        results: Results | None = None,
        parallel: int = 1,
        batch_axis: Literal[0, -1] = 0,
        patterns: tuple[Pattern | None, ...] = (),
        math: Any = None,
    ) -> None:
        """Compile the program.

        Without `dtype`, float64 code is made at once and float32 code on its first use; with it
        there is only that loop. `results` says how outputs are returned: one by itself, several
        as a tuple, or a dictionary by name. `batch_axis=-1` puts the axes of array operands first.
        `patterns` are those of outputs that are sparse matrices, None for the others.
        `math` is kept for those who read it: the licence that the program was found under.
        """
        self.certificate: Any = None
        """What `rw.compile(verify=True)` compared; of a kernel that was loaded or copied, None."""
        self.program: Program | Rolled = replace(program, name=name or program.name).verify()
        self.target = target or host()
        self.report, self.cost = report, cost
        if isinstance(terms, Later):
            self._terms = terms
        else:
            self.terms = terms
        self.dtype = None if dtype is None else float_name(dtype)
        self.results = results or ("single" if len(program.outputs) == 1 else "tuple")
        self.parallel, self.batch_axis, self.math = parallel, batch_axis, math
        self.patterns = patterns
        self._check()
        self.__name__ = self.__qualname__ = self.program.name
        self._doc = doc
        self.__doc__ = f"{self.__name__}{self.__signature__}" + (f"\n\n{doc}" if doc else "")
        self.failure = Failure(self.program.name)
        self.quiet = self._compile()
        """What runs the code, with NaN as the results of code that could not be made."""
        self._hold()

    @property
    def ufunc(self) -> np.ufunc:
        """The kernel as NumPy sees it, once there is the code of its widest type.

        Raise `CompilationError` where that could not be made. Code of other types, of many points
        and of rare arguments is made in the first call that needs it; where that fails, the ufunc
        cannot raise: its results are NaN, and the error is reported as one that was ignored. A call
        of the kernel itself raises it.
        """
        self.failure.look()
        self.loop().ready()
        return self.quiet

    def _hold(self) -> None:
        """Give `partial` what it calls."""
        state: tuple[Any, ...] = wrapped(self, self._loops), (), {}, self.__dict__
        super().__setstate__(state)  # type: ignore[misc]

    @property
    def func(self) -> Content:
        """The kernel as what looks into partial objects should see it."""
        return Content(self.__name__, self.key, self)

    def __repr__(self) -> str:
        """Show name, arguments, results, float types and target."""
        arguments = ", ".join(map(_shown, self.program.arguments))
        results = ", ".join(map(_shown, self.program.outputs))
        types = self.dtype or "f64, f32"
        return f"<Kernel {self.__name__}({arguments}) -> {results}; {types}; {self.target.name}>"

    def _repr_html_(self) -> str:
        from codegen.look import kernel_html

        return kernel_html(self)

    @cached_property
    def key(self) -> str:
        """A digest of the program, the target and the way of calling, the same in all processes."""
        return key_of(self)

    def __eq__(self, other: object) -> bool:
        """Compare what is computed, for which target, and how it is called."""
        return self.key == other.key if isinstance(other, Kernel) else NotImplemented

    def __hash__(self) -> int:
        """Hash what is compared."""
        return hash(self.key)

    def __dask_tokenize__(self) -> tuple[str, str]:
        """Return what names of results in a Dask graph are made from."""
        return self.func.__dask_tokenize__()

    def __copy__(self) -> "Kernel":
        """Share the machine code."""
        return self.again()

    def __deepcopy__(self, memo: dict[int, Any]) -> "Kernel":
        """Share the machine code and the terms, which are immutable."""
        return self.again(
            report=copy.deepcopy(self.report, memo), cost=copy.deepcopy(self.cost, memo)
        )

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle the program and the options: machine code is made anew where it is loaded.

        Once in a process, whatever number of pickles of it are loaded there.
        """
        options = {name: getattr(self, name) for name in _OPTIONS} | {"doc": self._doc}
        program, terms = pickle.dumps(self.program), packed_terms(self.terms)
        return _rebuild, (self.key, program, portable(self.target), terms, options)

    def again(self, **options: Any) -> "Kernel":
        """Return a kernel of the same machine code, with other options that do not change it."""
        made = type(self).__new__(type(self))
        vars(made).update({name: value for name, value in vars(self).items() if name != "key"})
        if "terms" in options:
            vars(made).pop("terms", None)
            made._terms = options.pop("terms")
        vars(made).update(options)
        made._hold()
        return made

    def measure(self, n: int = 4096, *, seconds: float = 0.1) -> Timing:
        """Time it here on arrays of n elements; `cost` shows the cycles beside those predicted.

        Values are drawn from the domains of its symbols, between 0.5 and 2 where they have none.
        Raise `ArgumentError` for an n that is no number of elements, or without arguments.
        """
        if not self.program.arguments:
            raise ArgumentError(f"kernel {self.__name__!r} takes no arguments to measure it with")
        found = timed(self, n, seconds)
        if self.cost is not None:
            self.cost = replace(self.cost, measured=found.cycles)
            from codegen.predict import core_for

            if core_for(self.target) is not None:
                self.predict(n)
        return found

    def predict(self, n: int = 4096) -> "Prediction":
        """Predict the cycles an element of a call with n elements, from its loop's machine code.

        Remainders and what packs strided arrays are left out; of a program of loops over tables
        an element is a point, n of them, the tables are counted with what memory moves, and the
        call is left out.
        `cost` shows the figure too. Raise `TargetError` for a CPU whose core is not described.
        """
        check_count(n)
        dtype: Float = self.dtype or "f64"
        if isinstance(self.program, Rolled):
            from codegen.loops.predict import predict_rolled

            found = predict_rolled(self.program, self.target, dtype=dtype, n=n)
        else:
            from codegen.predict import predict_text

            found = predict_text(self.asm, self.program, self.target, dtype=dtype, n=n)
        if self.cost is not None:
            self.cost = replace(self.cost, predicted=found.cycles)
        return found

    @cached_property
    def terms(self) -> Any:
        """The terms that are computed, as they were chosen."""
        return self._terms.make()

    @cached_property
    def llvm(self) -> Code:
        """The LLVM text of the vector loop (of float64 unless `dtype` says otherwise).

        Of a program of loops it is that of the pieces for one point, with those of the batch after
        them, and is cut off where it is long.
        """
        return self.llvm_ir(self.target)

    @cached_property
    def asm(self) -> Code:
        """The assembly text of the vector loop, cut off where `llvm` is."""
        return self.assembly(self.target)

    def llvm_ir(self, target: str | Target = "native", dtype: Any = None) -> Code:
        """Return the LLVM text of the loop for a CPU, whether it runs here or not.

        `dtype` is float64 or float32, without it the kernel's own (float64 where it has both).
        Raise `TargetError` for a GPU, which has PTX.

        >>> import rewrite as rw
        >>> x = rw.symbol("x")
        >>> "fmul <2 x double>" in rw.compile([x], x * x).llvm_ir("neon")
        True
        """
        floats, machine = self.floats(dtype)[0], get(target)
        if machine.is_cuda:
            raise TargetError(
                f"{machine.name!r} has PTX, kernel.assembly('cuda'), and no LLVM text"
            )
        if isinstance(self.program, Rolled):
            return Code(rolled_llvm(self.program, floats, machine), "llvm")
        return Code(emit_module(self.program, floats, machine), "llvm")

    def assembly(self, target: str | Target = "native", dtype: Any = None) -> Code:
        """Return the assembly text of the loop for a target, whether it runs here or not.

        Of a GPU ("cuda", "cuda-sm80") it is PTX, for which numba-cuda has to be installed, but
        there need be no GPU; the form is the one that was found for this kernel's own target.

        >>> import rewrite as rw
        >>> x = rw.symbol("x")
        >>> "v0.4s" in rw.compile([x], x * x).assembly("neon", "float32")
        True
        """
        floats, machine = self.floats(dtype)[0], get(target)
        if machine.is_cuda:
            from codegen.cuda.kernel import ptx_text

            return Code(ptx_text(self.program, floats, machine.capability), "ptx")
        if isinstance(self.program, Rolled):
            return Code(rolled_assembly(self.program, floats, machine), "gas")
        return Code(assembly(self.llvm_ir(machine, dtype), machine), "gas")

    @property
    def expression(self) -> str:
        """What is computed, a line for each result."""
        return self._doc or str(self.program)

    @property
    def grade(self) -> str:
        """The licence and the error of elementary functions, in words."""
        quick = any(op.startswith("fast_") for op in self.program.ops)
        given = "" if self.math is None else f"math={self.math!r}: "
        return f"{given}elementary functions are within {4 if quick else 1} ulp."

    def floats(self, dtype: Any) -> tuple[Float, ...]:
        """Return the float types that code is asked for in: the kernel's own without `dtype`."""
        if dtype is not None:
            return (float_name(dtype),)
        return (self.dtype,) if self.dtype else ("f64", "f32")

    def loop(self) -> Loop | RolledLoop:
        """Return the loop of the kernel's widest float type: what NumPy and others call."""
        widest: Loop | RolledLoop = self._loops.get("d") or self._loops["f"]
        return widest

    @cached_property
    def __signature__(self) -> inspect.Signature:
        """The argument names for `inspect.signature` and help."""
        names = [argument.name for argument in self.program.arguments]
        if not all(name.isidentifier() and not iskeyword(name) for name in names):
            names = [f"x{number}" for number in range(1, len(names) + 1)]
        only = inspect.Parameter.POSITIONAL_ONLY
        return inspect.Signature([inspect.Parameter(name, only) for name in names])

    def _check(self) -> None:
        """Refuse at once what NumPy or this machine would refuse later."""
        self.target.require_host()
        count = len(self.program.operands)
        if count > MOST_OPERANDS:
            raise ArgumentError(
                f"kernel {self.program.name!r} has {count} arguments and results, and NumPy takes "
                f"at most {MOST_OPERANDS}: pass arrays of symbols, or return an array"
            )
        if self.results == "single" and len(self.program.outputs) != 1:
            raise ArgumentError(
                f"kernel {self.program.name!r} has several results, not a single one"
            )
        if not isinstance(self.parallel, (int, np.integer)) or self.parallel < 1:
            raise ArgumentError(f"parallel={self.parallel!r}: the number of threads is at least 1")
        if self.batch_axis not in (0, -1):
            raise ArgumentError(
                f"batch_axis={self.batch_axis!r}: the batch is first (0) or last (-1)"
            )

    def _compile(self) -> np.ufunc:
        program = self.program
        # NumPy takes the first loop that arguments cast to safely: the narrow type comes first
        wanted: tuple[Float, ...] = (self.dtype,) if self.dtype else ("f32", "f64")
        lazy = [dtype == "f32" != self.dtype for dtype in wanted]
        made = zip(wanted, lazy, strict=True)
        # NumPy has no ufuncs without inputs
        if isinstance(program, Rolled):
            rolled = program if program.arguments else with_argument(program, _UNUSED)
            loops = [
                RolledLoop(rolled, dtype, self.target, self.failure, lazy=late)
                for dtype, late in made
            ]
            self._loops: dict[str, Any] = {_letter(loop): loop for loop in loops}
            self.called: dict[str, Any] = self._loops
            """The loops as NumPy calls them, by its letters."""
            return make_ufunc(rolled, loops, str(self.__doc__))
        if not program.arguments:
            program = replace(program, arguments=(_UNUSED,))
        plain = [Loop(program, dtype, self.target, self.failure, lazy=late) for dtype, late in made]
        self._loops = {_letter(loop): loop for loop in plain}
        self.called = {
            letter: uniform(loop, program, self.target, self.failure)
            for letter, loop in self._loops.items()
        }
        return make_ufunc(program, list(self.called.values()), str(self.__doc__))


def _letter(loop: Loop | RolledLoop) -> str:
    """Return NumPy's letter of a loop's type."""
    return "d" if loop.dtype == "f64" else "f"


def _not_compiled(*args: Any, **kwargs: Any) -> Any:
    raise TypeError("this kernel was never compiled")


def float_name(dtype: Any) -> Float:
    """Return 'f64' or 'f32' for a NumPy dtype or one of these names."""
    names: dict[str, Float] = {"float64": "f64", "float32": "f32"}
    if dtype in ("f64", "f32"):
        return "f64" if dtype == "f64" else "f32"
    try:
        return names[np.dtype(dtype).name]
    except (TypeError, KeyError):
        raise TargetError(f"kernels compute in float64 or float32, not in {dtype!r}") from None


def _shown(part: Argument | Output | Result) -> str:
    return part.name + (f"[{', '.join(map(str, part.shape))}]" if part.shape else "")


_KNOWN: Final[Known[Kernel]] = Known()


def _rebuild(
    key: str, program: bytes, target: Target | str, terms: bytes, options: dict[str, Any]
) -> Kernel:
    def made() -> Kernel:
        machine = get(target) if isinstance(target, str) else target
        return Kernel(pickle.loads(program), machine, terms=read_terms(terms), **options)

    found = _KNOWN.get(digest(key, options["doc"]), made)
    return found.again(terms=read_terms(terms), **{name: options[name] for name in _OPTIONS})
