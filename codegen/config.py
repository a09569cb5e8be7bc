"""`show_config`: versions, the machine, the cache, options in force, and what is not installed."""

import os
import platform
import shutil
from importlib import metadata
from typing import Any, Final, Literal

import llvmlite.binding as llvm

from codegen.cost import table_for
from codegen.cuda import runtime
from codegen.target import cache_bytes, host
from rewrite import cache
from rewrite.errors import ArgumentError
from rewrite.options import OPTIONS, in_force

__all__ = ["show_config"]

LIBRARIES: Final = ("rewrite", "numpy", "numba", "llvmlite", "egglog", "sympy", "python-flint")
# fmt: off
PARTS: Final = {
    "scipy":         "sparse Jacobians and Hessians, SciPy's solvers in rw.ode",
    "scikit-sundae": 'the solver "CVODE" in rw.ode',
    "numba-cuda":    "kernels of NVIDIA GPUs and PTX text",
    "matplotlib":    "rw.plot",
    "pygments":      "LLVM and assembly in colour",
    "ipywidgets":    "the slider over an e-graph's iterations",
}
# fmt: on
"""Distributions that some parts ask for -> what they give."""
VARIABLES: Final = frozenset({"CACHE", "DEBUG", *(name.upper() for name in OPTIONS)})
"""What may follow `REWRITE_`."""


def show_config(mode: Literal["stdout", "dicts"] = "stdout") -> dict[str, Any] | None:
    """Print versions, the CPU and its features, the cache, options, and what is not installed.

    With mode="dicts" nothing is printed, and the same is returned as nested dictionaries, as
    `numpy.show_config` does. Raise `ArgumentError` for another mode.

    >>> import rewrite as rw
    >>> sorted(rw.show_config(mode="dicts"))
    ['cache', 'environment', 'machine', 'optional', 'options', 'versions']
    """
    if mode not in ("stdout", "dicts"):
        raise ArgumentError(f'mode={mode!r} is neither "stdout" nor "dicts"')
    found = {
        "versions": _versions(), "machine": _machine(), "cache": _cache(), "options": in_force(),
        "environment": _environment(), "optional": _optional(),
    }  # fmt: skip
    if mode == "dicts":
        return found
    for title, rows in found.items():
        print(f"{title}:" if rows else f"{title}: none")
        width = max(map(len, rows), default=0)
        for name, value in rows.items():
            shown = " ".join(value) if isinstance(value, list) else value
            print(f"  {name.ljust(width)}  {shown}")
    return None


def _version(distribution: str) -> str | None:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None


def _versions() -> dict[str, Any]:
    found = {name: _version(name) or "not installed as a package" for name in LIBRARIES}
    llvm_version = ".".join(map(str, llvm.llvm_version_info))
    return {"python": platform.python_version(), **found, "LLVM": llvm_version}


def _machine() -> dict[str, Any]:
    target = host()
    features = [f[1:] for f in target.features.split(",") if f.startswith("+")]
    return {
        "system": platform.platform(), "triple": target.triple, "cpu": target.cpu,
        "cores": os.cpu_count(), "largest cache [bytes]": cache_bytes(),
        "native target": f"{target.name}, vectors of {target.vector_bits} bits",
        "cycle costs": table_for(target).name, "features": sorted(features),
        "gpu": runtime.missing() or "there is one",
    }  # fmt: skip


def _cache() -> dict[str, Any]:
    found = cache.info()
    if found.folder is None:
        return {"folder": "turned off by REWRITE_CACHE"}
    return {
        "folder": str(found.folder), "kernels": found.kernels, "forms": found.forms,
        "bytes": found.kernel_bytes + found.form_bytes,
        "most bytes of kernels": found.most_kernel_bytes,
    }  # fmt: skip


def _environment() -> dict[str, Any]:
    """Return the variables that begin like ours, and tell which mean nothing."""
    given = {name: value for name, value in os.environ.items() if name.startswith("REWRITE_")}
    return {
        name: value if name.removeprefix("REWRITE_") in VARIABLES else f"{value} (means nothing)"
        for name, value in sorted(given.items())
    }


def _optional() -> dict[str, Any]:
    found = {}
    for name, gives in PARTS.items():
        version = _version(name)
        found[name] = version or f"not installed; gives {gives}"
    linker = shutil.which("cc")
    found["cc"] = linker or 'not found; gives shared libraries, kernel.export(kind="shared")'
    return found
