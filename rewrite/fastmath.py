"""`FastMath`: the licence to change rounding, in LLVM's words."""

from enum import Flag

from rewrite.errors import UnsupportedOp

__all__ = ["FastMath", "licence"]


class FastMath(Flag):
    """What a rewrite may change; a group of rules states what it needs, a caller what is allowed.

    `NONE` means the same bits on every input, NaN payloads aside.

    >>> FastMath.CONTRACT in licence("guarded"), FastMath.AFN in licence("guarded")
    (True, False)
    """

    NONE = 0
    REASSOC = 1
    """Reassociate and distribute: real-number algebra with other roundings."""
    CONTRACT = 2
    """Fuse a multiplication and an addition, which rounds once instead of twice."""
    ARCP = 4
    """Multiply by a reciprocal instead of dividing."""
    NNAN = 8
    """Assume that no operand and no result is a NaN."""
    NINF = 16
    """Assume that no operand and no result is infinite."""
    NSZ = 32
    """Ignore the sign of a zero."""
    AFN = 64
    """Use approximate elementary functions (4 ulp)."""
    FAST = 127
    """Everything."""
    GUARDED = REASSOC | CONTRACT | ARCP | NNAN | NINF | NSZ
    """Real-number algebra; what it finds is checked for accuracy before it is used."""


def licence(math: "str | FastMath") -> FastMath:
    """Return the licence that a `math=` argument grants.

    >>> licence("strict")
    <FastMath.NONE: 0>
    """
    if isinstance(math, FastMath):
        return math
    named = {"strict": FastMath.NONE, "guarded": FastMath.GUARDED, "fast": FastMath.FAST}
    if math not in named:
        raise UnsupportedOp(f"math={math!r}; choose 'strict', 'guarded', 'fast' or a FastMath")
    return named[math]
