"""Python functions whose control flow depends on data, as terms and loops of terms.

`interpret` reads the source of a function and runs it on symbols: choices become `where`, loops
whose length is not known become `Loop`.
"""

from rewrite.flow.body import Body, Flow, Loop
from rewrite.flow.statements import interpret

__all__ = ["Body", "Flow", "Loop", "interpret"]
