"""FPCore, the format of FPBench: `read` or `parse` benchmarks into terms, `write` terms back.

The standard is FPCore 2.0, https://fpbench.org/spec/fpcore-2.0.html.
"""

from rewrite.io.fpcore.core import FPCore
from rewrite.io.fpcore.reader import parse, read
from rewrite.io.fpcore.writer import write

__all__ = ["FPCore", "parse", "read", "write"]
