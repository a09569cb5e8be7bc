"""`Request`: what `compile_kernel` is asked for, and the kernel that it led to before.

The key is a digest of the terms as they are written, the arguments, all options that change what is
found, the target and all versions. What is kept are the program, the terms and what was reported,
as arrays; machine code is kept by the program that it is of (`codegen.store.objects`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, is_dataclass
from typing import Any, Final

from codegen.kernel import Kernel
from codegen.kernelcost import KernelCost
from codegen.lower import Parameter, Result
from codegen.store.keys import key_for, parcels
from codegen.store.later import Later
from codegen.store.leaves import pack_symbols, pack_terms, unpack_terms
from codegen.store.programs import pack, unpack
from codegen.target import Target
from rewrite.dag import Dag
from rewrite.debug import shown
from rewrite.egraph.limits import IterationStats, Report, StopReason
from rewrite.fastmath import FastMath
from rewrite.parcel import Parcel
from rewrite.parcels import Parcels
from rewrite.store import Store

__all__ = ["Request", "request"]

_OWN: Final = ("rewrite", "strategies", "codegen")


@dataclass(frozen=True, slots=True)
class Request:
    """A key on disk, where there is one."""

    store: Store
    target: Target
    key: str = ""
    disk: Parcels | None = None

    def kernel(self, options: Mapping[str, Any]) -> Kernel | None:
        """Return the kernel that was kept, with options that do not change its code.

        There is none where stages are shown: they would not be passed.
        """
        found = None if self.disk is None or shown() else self.disk.get(self.key)
        if found is None:
            return None
        header = found.header

        def terms() -> Any:
            return unpack_terms(header["terms"], found.part("terms."), self.store)

        return Kernel(
            unpack(header["program"], found.part("program.")), self.target, doc=header["doc"],
            terms=Later(terms), report=_report(header["report"]),
            cost=None if header["cost"] is None else KernelCost(**header["cost"]), **options,
        )  # fmt: skip

    def keep(self, kernel: Kernel, doc: str) -> None:
        """Keep a kernel, unless an accident ended its search: another try may find more."""
        if self.disk is None or not kernel.report.settled:
            return
        chosen = Dag.of(kernel.terms[0].store, [term.id for term in kernel.terms])
        try:
            parts = {"program": pack(kernel.program), "terms": pack_terms(chosen)}
        except TypeError:  # constants of a user's own types
            return
        header = {
            "doc": doc,
            "report": _written(kernel.report),
            "cost": None if kernel.cost is None else asdict(kernel.cost),
            **{name: part.header for name, part in parts.items()},
        }
        blocks = {
            f"{name}.{at}": block
            for name, part in parts.items()
            for at, block in part.blocks.items()
        }
        self.disk.put(self.key, Parcel(header, blocks))

    def choice(self) -> tuple[int, str] | None:
        """Return which attempt met a bound on the error, and what was noted of it."""
        found = None if self.disk is None or shown() else self.disk.get(self.key)
        return None if found is None else (found.header["attempt"], found.header["note"])

    def keep_choice(self, attempt: int, note: str) -> None:
        """Keep which attempt met a bound."""
        if self.disk is not None:
            self.disk.put(self.key, Parcel({"attempt": attempt, "note": note}))


def request(
    target: Target, parameters: Sequence[Parameter], results: Sequence[Result], dag: Dag,
    options: Mapping[str, Any],
) -> Request:  # fmt: skip
    """Return a request for the results, which are this program.

    It has no key where options hold what only their maker knows.
    """
    store, disk = results[0].terms[0].store, parcels()
    if disk is None:
        return Request(store, target)
    try:
        terms = pack_terms(dag)
        chosen = [f"{name}={_text(options[name])}" for name in sorted(options)]
    except TypeError:
        return Request(store, target)
    symbols = pack_symbols([symbol for p in parameters for symbol in p.leaves if symbol])
    shapes = [(part.name, part.shape) for side in (parameters, results) for part in side]
    text = repr((len(parameters), shapes, chosen))
    data = [
        part
        for parcel in (symbols, terms)
        for name, block in parcel.blocks.items()
        for part in (name, block.tobytes())
    ]
    key = key_for(target, text, repr(symbols.header), repr(terms.header), *data)
    return Request(store, target, key, disk)


def _text(value: Any) -> str:
    """Write a value so that it says all of itself; raise `TypeError` where it cannot.

    What is made of functions or rules is known to its maker alone. A dataclass may be written by
    its own rules, which leave something out: its fields are asked.
    """
    if value is None or isinstance(value, (bool, int, float, str, FastMath)):
        return f"{type(value).__name__} {value!r}"
    kind = type(value)
    if isinstance(value, (tuple, list)):
        return f"{kind.__name__}({', '.join(map(_text, value))})"
    if is_dataclass(kind) and kind.__module__.partition(".")[0] in _OWN:
        parts = (f"{each.name}={_text(getattr(value, each.name))}" for each in fields(kind))
        return f"{kind.__module__}.{kind.__qualname__}({', '.join(parts)})"
    raise TypeError(f"{value!r} does not say all of itself")


def _written(report: Report) -> dict[str, Any]:
    found = asdict(report)
    return {**found, "stop": None if report.stop is None else report.stop.name}


def _report(found: Mapping[str, Any]) -> Report:
    stop = None if found["stop"] is None else StopReason[found["stop"]]
    iterations = [IterationStats(**each) for each in found["iterations"]]
    return Report(**{**found, "stop": stop, "iterations": iterations})
