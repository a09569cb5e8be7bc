"""`export`: a kernel as a C header and an object file or shared library, without any Python."""

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

from codegen.engine import linked_object
from codegen.llvm.body import emit_module
from codegen.llvm.driver import emit_driver
from codegen.llvm.entry import body_name, emit_entries
from codegen.loops.driver import emit_rolled_driver
from codegen.loops.program import Rolled
from codegen.native.header import CInterface, header
from codegen.native.tables import TableTexts
from codegen.target import NAMES, Float, Target, get, host
from rewrite.errors import ArgumentError, TargetError

if TYPE_CHECKING:
    from codegen.kernel import Kernel

__all__ = ["Exported", "Kind", "export"]

type Kind = Literal["object", "shared"]

_BASELINE: Final = {"x86_64": "sse2", "aarch64": "neon"}
"""What every machine of an architecture runs."""


class Exported(NamedTuple):
    """The files that were written."""

    header: Path
    binary: Path


def export(
    kernel: "Kernel", name: str, folder: "str | Path", targets: "Sequence[str] | str", kind: Kind,
    dtypes: tuple[Float, ...],
) -> Exported:  # fmt: skip
    """Write the files; see `Kernel.export`."""
    if kind not in ("object", "shared"):
        raise ArgumentError(f"kind={kind!r}: choose 'object' or 'shared'")
    if not isinstance(name, str) or not name:
        raise ArgumentError(f"name={name!r} is no name for C functions")
    machines = _machines((targets,) if isinstance(targets, str) else tuple(targets))
    linker = _linker(machines[-1]) if kind == "shared" else ""
    interface = CInterface(kernel.program, name, dtypes, kernel.batch_axis == -1)
    shown = [machine.name for machine in machines]
    place = Path(folder)
    place.mkdir(parents=True, exist_ok=True)
    head = place / f"{interface.name}.h"
    code, kept = _object(interface, machines)
    text = header(interface, kernel.expression, kernel.grade, shown, kept)
    head.write_text(text, encoding="utf-8")
    if kind == "object":
        binary = place / f"{interface.name}.o"
        binary.write_bytes(code)
    else:
        binary = place / f"lib{interface.name}.so"
        _link(linker, code, binary)
    return Exported(head, binary)


def _object(interface: CInterface, machines: Sequence[Target]) -> tuple[bytes, int]:
    """Put the loops of all targets, the driver and the C functions into one object.

    Return it and how many bytes of memory calls keep.
    """
    program = interface.program
    entries = emit_entries(
        program, machines, interface.functions, interface.teller, batch_last=interface.batch_last
    )
    if isinstance(program, Rolled):
        made = TableTexts(program)
        driver = emit_rolled_driver(machines[-1], team=False)
        texts = [entries, driver, *made.texts(interface.dtypes, machines)]
        return linked_object(texts, interface.symbols, machines[-1]), made.scratch
    texts = [entries, emit_driver(machines[-1])]
    for dtype in interface.dtypes:
        for machine in machines:
            part = body_name(dtype, machine)
            texts.append(emit_module(program, dtype, machine, part=part))
    return linked_object(texts, interface.symbols, machines[-1]), 0


def _machines(names: tuple[str, ...]) -> tuple[Target, ...]:
    """Return the targets, widest vectors first, with the baseline of their architecture last.

    An object is for any machine of an instruction set, so that "native" stands for the one that
    this machine has.
    """
    if not names:
        raise ArgumentError("targets=(): name at least one target")
    for name in names:
        if not isinstance(name, str):
            raise TargetError(f"objects are for targets by name, not {name!r}: {', '.join(NAMES)}")
    found = {get(host().name if name == "native" else name) for name in names}
    first = min(found, key=lambda target: target.name)
    for other in found:
        if not first.same_architecture(other):
            raise TargetError(
                f"targets {first.name!r} and {other.name!r} are of different architectures, which "
                "cannot be in one file: export them apart, into folders of their own"
            )
    found.add(get(_BASELINE[first.triple.partition("-")[0]]))
    widest = sorted(found, key=lambda t: (-t.vector_bits, -len(t.features)))
    if host().same_architecture(first):  # the format of object files is that of this system
        widest = [replace(target, triple=host().triple) for target in widest]
    return tuple(widest)


def _linker(target: Target) -> str:
    """Find the C compiler that links for a target."""
    name = "cc" if host().same_architecture(target) else "aarch64-linux-gnu-gcc"
    if target.triple.startswith("x86_64") and name != "cc":
        name = "x86_64-linux-gnu-gcc"
    found = shutil.which(name)
    if found is None:
        raise TargetError(
            f"a shared library for {target.name!r} is linked by {name!r}, which is not in PATH: "
            "install it, or export kind='object' and link that where it is used"
        )
    return found


def _link(linker: str, code: bytes, binary: Path) -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "kernel.o"
        file.write_bytes(code)
        options = [] if sys.platform == "darwin" else [f"-Wl,-soname,{binary.name}"]
        command: list[Any] = [linker, "-shared", *options, "-o", binary.absolute(), file, "-lm"]
        run = subprocess.run(command, capture_output=True, text=True)
    if run.returncode:
        raise TargetError(f"{linker} cannot link {binary.name}: {run.stderr.strip()[:2000]}")
