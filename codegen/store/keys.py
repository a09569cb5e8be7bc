"""What all keys depend on: versions of everything that makes code, and the machine it is for."""

import sys
from functools import cache
from pathlib import Path

import llvmlite
import llvmlite.binding as llvm
import numpy as np

from codegen.target import Target
from rewrite.contentcache import digest, folder, stamp
from rewrite.parcels import Parcels

__all__ = ["key_for", "parcels", "versions"]


@cache
def versions() -> tuple[str, ...]:
    """Return the versions of this library, by its sources, and of what it is built on."""
    from importlib.metadata import PackageNotFoundError, version  # loaded by those who keep

    try:
        egglog = version("egglog")
    except PackageNotFoundError:
        egglog = ""
    python = ".".join(map(str, sys.version_info[:3]))
    native = ".".join(map(str, llvm.llvm_version_info))
    return stamp(), python, np.__version__, llvmlite.__version__, native, egglog


def key_for(target: Target, *parts: str | bytes) -> str:
    """Return the key of what depends on these parts, on the target, and on all versions."""
    machine = (target.name, target.triple, target.cpu, target.features, str(target.vector_bits))
    return digest(digest(*versions()), digest(*machine), *parts)


def parcels() -> Parcels | None:
    """Return where kernels are kept, by the environment as it is now; None where they are not."""
    where = folder()
    return None if where is None else _at(str(where))


@cache
def _at(where: str) -> Parcels:
    return Parcels(Path(where) / "code")
