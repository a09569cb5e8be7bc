"""Functions of C in several threads by OpenMP, whose threads wait for the next call in a loop."""

import subprocess
import tempfile
from ctypes import CDLL
from functools import cache
from typing import Any

__all__ = ["in_threads"]


@cache
def in_threads(arrays: tuple[bool, ...], single: bool, threads: int) -> Any:
    """Return `share(function, ...)`, which calls `function(..., out, n)` for a part by each thread.

    `arrays` says which arguments before `out` are arrays and not numbers. Parts begin at multiples
    of 64 elements.
    """
    real = "float" if single else "double"
    kinds = [f"{real} *" if array else f"{real} " for array in (*arrays, True)]
    declared = ", ".join(f"{kind}a{k}" for k, kind in enumerate(kinds))
    moved = ", ".join(f"a{k} + begin" if "*" in kind else f"a{k}" for k, kind in enumerate(kinds))
    text = f"""
    #include <omp.h>
    void share(void (*function)({declared}, long), {declared}, long n) {{
    #pragma omp parallel num_threads({threads})
        {{
            long k = omp_get_thread_num(), all = omp_get_num_threads();
            long begin = n * k / all & -64, end = k + 1 == all ? n : n * (k + 1) / all & -64;
            if (begin < end) function({moved}, end - begin);
        }}
    }}
    """
    folder = tempfile.mkdtemp()
    command = ["gcc", "-O2", "-shared", "-fPIC", "-fopenmp", "-x", "c", "-", "-o"]
    subprocess.run(
        [*command, f"{folder}/share.so"], input=text, text=True, check=True, capture_output=True
    )
    return CDLL(f"{folder}/share.so").share
