"""What the compiled passes write: sums, products and partial derivatives, interned at once.

So equal derivatives are one node wherever they arise. Three tuples are handed around:

* `S`, a store: its columns, its table, the types; `st[USED]` counts its nodes;
* `D`, a program: code, first, args, ids of its positions, what is active, constant exponents;
* `T`, tables and scratch: heads and steps of partial derivatives, the nodes `K` of constants, the
  products of a long product's ends, results of steps, children of the node that is made, masks.

A *mask* is a choice of which one side is 0: adjoints of the branches of a `where` have them. What
an adjoint is multiplied by goes inside, and may be infinite or undefined where the mask is 0.
"""

from typing import Any, Final

from rewrite import ops
from rewrite.bulk import find_or_make
from rewrite.native import inlined, native

__all__ = [
    "CONST", "CONSTANTS", "DIRECT", "EACH", "MASKS", "MINUS", "ONE", "TEMP", "USED", "VALUE",
    "ZERO", "chained", "choice", "collected", "ends", "negated", "product", "selected", "times",
    "total",
]  # fmt: skip

_ADD: Final = ops.ADD.code
_SUB: Final = ops.SUB.code
_MUL: Final = ops.MUL.code
_DIV: Final = ops.DIV.code
_NEG: Final = ops.NEG.code
_POW: Final = ops.POW.code
_WHERE: Final = ops.WHERE.code
_CONST: Final = ops.CONST.code
_EQ: Final = ops.EQ.code

USED: Final = 0
"""The cell of the state that counts the store's nodes."""

EACH: Final = 7
"""The cell with the number of nodes that the derivative in one argument may need."""

_ALIKE: Final = 16
"""Up to so many summands are compared with each other."""
CONSTANTS: Final = (0, 1, -1, *range(2, _ALIKE + 1))
"""The integers whose nodes `K` has, in this order; those of the table come after them."""
ZERO, ONE, MINUS = 0, 1, 2
"""Where they are; n from 2 on is at n + 1."""

# references in the steps of a partial derivative: an argument below VALUE, and
VALUE: Final = 16
CONST: Final = 32
TEMP: Final = 4096

MASKS: Final = 8
"""So many masks around each other are taken off."""
DIRECT: Final = 6
"""Up to so many factors, the product of the others is written out for each."""


@native
def make(code: int, buf: Any, low: int, high: int, st: Any, S: Any) -> int:
    """Intern a node whose children are `buf[low:high]`."""
    op, start, pool, payload, sort, slots, types = S
    used = st[USED]
    node = find_or_make(
        code, buf, low, high, op, start, pool, payload, sort, used, slots, types
    )  # fmt: skip
    if node == used:
        st[USED] = used + 1
    return int(node)


@inlined
def _binary(code: int, a: int, b: int, T: Any, st: Any, S: Any) -> int:
    T[5][0], T[5][1] = a, b
    return int(make(code, T[5], 0, 2, st, S))


@native
def choice(condition: int, a: int, b: int, T: Any, st: Any, S: Any) -> int:
    """Return a where the condition holds, else b."""
    if a == b:
        return a
    buf = T[5]
    buf[0], buf[1], buf[2] = condition, a, b
    return int(make(_WHERE, buf, 0, 3, st, S))


@native
def negated(a: int, T: Any, st: Any, S: Any) -> int:
    """Return -a."""
    K, buf = T[2], T[5]
    if a == K[ZERO]:
        return a
    if a == K[ONE]:
        return int(K[MINUS])
    if a == K[MINUS]:
        return int(K[ONE])
    if S[0][a] == _NEG:
        return int(S[2][S[1][a]])
    buf[0] = a
    return int(make(_NEG, buf, 0, 1, st, S))


@native
def _small(a: int, T: Any, S: Any) -> int:
    """Return a node's number, where it is an integer from 2 on that `K` has, else 0."""
    if S[0][a] == _CONST:
        for n in range(2, _ALIKE + 1):
            if a == T[2][n + 1]:
                return n
    return 0


@native
def _quotient(a: int, b: int, T: Any, st: Any, S: Any) -> int:
    """Return a / b; of a known integer times a number, divided by a known one, what is left."""
    K, below = T[2], _small(b, T, S)
    if below:
        if a == b:
            return int(K[ONE])
        base = S[1][a]
        if S[0][a] == _MUL and S[1][a + 1] - base == 2:
            above, rest = _small(S[2][base], T, S), S[2][base + 1]
            if above == below:
                return int(rest)
            if above and above % below == 0:
                return int(_binary(_MUL, K[above // below + 1], rest, T, st, S))
    return int(_binary(_DIV, a, b, T, st, S))


@inlined
def _masked(a: int, T: Any, S: Any) -> int:
    """Return 1 or 2 for a choice whose other side is 0, by the side that is not; else 0."""
    if S[0][a] != _WHERE:
        return 0
    base, zero = S[1][a], T[2][ZERO]
    if S[2][base + 2] == zero:
        return 1
    return 2 if S[2][base + 1] == zero else 0


@native
def _remasked(made: int, count: int, T: Any, st: Any, S: Any) -> int:
    """Put masks that were taken off around a number again, the last one first."""
    masks, zero = T[6], T[2][ZERO]
    for n in range(count - 1, -1, -1):
        left = made if masks[n, 1] == 1 else zero
        right = zero if masks[n, 1] == 1 else made
        made = choice(masks[n, 0], left, right, T, st, S)
    return made


@native
def product(a: int, b: int, T: Any, st: Any, S: Any) -> int:
    """Return a * b, with signs in front and divisors behind."""
    op, start, pool, K = S[0], S[1], S[2], T[2]
    if a == K[ZERO] or b == K[ZERO]:
        return int(K[ZERO])
    negative = False
    if op[a] == _NEG or a == K[MINUS]:
        a, negative = negated(a, T, st, S), True
    if op[b] == _NEG or b == K[MINUS]:
        b, negative = negated(b, T, st, S), not negative
    made = a
    if a == K[ONE]:
        made = b
    elif b != K[ONE]:
        code = _MUL
        if op[b] == _DIV and pool[start[b]] == K[ONE]:
            b, code = pool[start[b] + 1], _DIV
        elif op[a] == _DIV and pool[start[a]] == K[ONE]:
            a, b, code = b, pool[start[a] + 1], _DIV
        elif op[b] == _CONST:
            a, b = b, a
        if code == _DIV:
            made = _quotient(a, b, T, st, S)
            return int(negated(made, T, st, S)) if negative else int(made)
        side = _masked(b, T, S)
        condition = pool[start[b]] if side else 0
        inner = _binary(_MUL, a, pool[start[b] + side] if side else b, T, st, S)
        left, right = (inner, K[ZERO]) if side == 1 else (K[ZERO], inner)
        made = choice(condition, left, right, T, st, S) if side else inner
    return int(negated(made, T, st, S)) if negative else int(made)


@native
def selected(g: int, part: int, T: Any, st: Any, S: Any) -> int:
    """Return g * part, where the part may choose between two numbers."""
    pool, base = S[2], S[1][part]
    if S[0][part] != _WHERE:
        return int(product(g, part, T, st, S))
    condition, left, right = pool[base], pool[base + 1], pool[base + 2]
    left = product(g, left, T, st, S)
    right = product(g, right, T, st, S)
    return int(choice(condition, left, right, T, st, S))


@native
def _counted(terms: Any, low: int, high: int, T: Any, st: Any, S: Any) -> int:
    """Put equal summands together, and those of other sign; return the end of what is left."""
    kept = low
    for k in range(low, high):
        this = terms[k]
        if this < 0:
            continue
        known = S[0][this] == _NEG or this == T[2][ONE] or this == T[2][MINUS]
        opposite = negated(this, T, st, S) if known else -1
        count = 1
        for other in range(k + 1, high):
            that = terms[other]
            if that == this:
                count, terms[other] = count + 1, -1
            elif that >= 0 and (
                that == opposite or (S[0][that] == _NEG and S[2][S[1][that]] == this)
            ):
                count, terms[other] = count - 1, -1
        if count < 0:
            this, count = negated(this, T, st, S), -count
        if count > 1:
            this = product(T[2][count + 1], this, T, st, S)
        if count:
            terms[kept] = this
            kept += 1
    return kept


@inlined
def _unmasked(terms: Any, low: int, end: int, T: Any, S: Any) -> int:
    """Take masks off that all summands share; return how many."""
    start, pool, masks = S[1], S[2], T[6]
    count = 0
    while end - low > 1 and count < MASKS:
        side = _masked(terms[low], T, S)
        condition = pool[start[terms[low]]] if side else -1
        for k in range(low + 1, end):
            if side == 0 or _masked(terms[k], T, S) != side or pool[start[terms[k]]] != condition:
                side = 0
        if side == 0:
            break
        for k in range(low, end):
            terms[k] = pool[start[terms[k]] + side]
        masks[count, 0], masks[count, 1] = condition, side
        count += 1
    return count


@native
def _added(terms: Any, low: int, end: int, T: Any, st: Any, S: Any) -> int:
    """Return the sum of summands that differ."""
    op, start, pool = S[0], S[1], S[2]
    if end == low:
        return int(T[2][ZERO])
    if end == low + 1:
        return int(terms[low])
    code = _ADD
    if end == low + 2:
        one, other = terms[low], terms[low + 1]
        sides = _masked(one, T, S), _masked(other, T, S)
        both = sides[0] > 0 and sides[1] > 0 and sides[0] != sides[1]
        if both and pool[start[one]] == pool[start[other]]:
            left, right = (one, other) if sides[0] == 1 else (other, one)
            condition = pool[start[one]]
            left, right = pool[start[left] + 1], pool[start[right] + 2]
            return int(choice(condition, left, right, T, st, S))
        if op[terms[low + 1]] == _NEG:
            terms[low + 1], code = pool[start[terms[low + 1]]], _SUB
        elif op[terms[low]] == _NEG:
            terms[low], terms[low + 1] = terms[low + 1], pool[start[terms[low]]]
            code = _SUB
    return int(make(code, terms, low, end, st, S))


@native
def total(terms: Any, low: int, high: int, T: Any, st: Any, S: Any) -> int:
    """Return the sum of `terms[low:high]`, which are overwritten."""
    zero, end = T[2][ZERO], low
    for k in range(low, high):
        if terms[k] != zero:
            terms[end] = terms[k]
            end += 1
    if 1 < end - low <= _ALIKE:
        end = _counted(terms, low, end, T, st, S)
    count = _unmasked(terms, low, end, T, S)
    if count and end - low <= _ALIKE:
        end = _counted(terms, low, end, T, st, S)
    return int(_remasked(_added(terms, low, end, T, st, S), count, T, st, S))


@inlined
def collected(cell: int, cells: Any, terms: Any, T: Any, st: Any, S: Any) -> int:
    """Return the sum of what was contributed, the first one first; the last one is in the cell.

    A cell holds a node and the number of the cell before, -1 for none.
    """
    low = len(terms)
    while cell >= 0:
        low -= 1
        terms[low] = cells[cell, 0]
        cell = cells[cell, 1]
    return int(total(terms, low, len(terms), T, st, S))


@inlined
def _referred(ref: int, at: int, D: Any, T: Any) -> int:
    """Return the node that steps call so."""
    if ref >= TEMP:
        return int(T[4][ref - TEMP])
    if ref >= CONST:
        return int(T[2][ref - CONST])
    if ref == VALUE:
        return int(D[3][at])
    return int(D[3][D[2][D[1][at] + ref]])


@native
def _by_table(g: int, at: int, k: int, D: Any, T: Any, st: Any, S: Any) -> int:
    """Return g times a partial derivative of the table."""
    heads, steps, K, _, temps, buf, _ = T
    row = D[0][at] * 8 + k
    for step in range(heads[row, 0], heads[row, 1]):
        count = steps[step, 1]
        for place in range(count):
            buf[place] = _referred(steps[step, 2 + place], at, D, T)
        temps[step - heads[row, 0]] = make(steps[step, 0], buf, 0, count, st, S)
    made = selected(g, _referred(heads[row, 2], at, D, T), T, st, S)
    negative = heads[row, 4] == 1
    if heads[row, 3] >= 0 and made != K[ZERO]:
        if S[0][made] == _NEG:
            made, negative = S[2][S[1][made]], not negative
        made = _quotient(made, _referred(heads[row, 3], at, D, T), T, st, S)
    return int(negated(made, T, st, S)) if negative else int(made)


@native
def _others(k: int, at: int, D: Any, T: Any, st: Any, S: Any) -> int:
    """Return the product of all factors but one; of many, from products of those at each end."""
    args, ids, prefix, buf = D[2], D[3], T[3], T[5]
    first, count = D[1][at], D[1][at + 1] - D[1][at]
    if count == 2:
        return int(ids[args[first + 1 - k]])
    if count > DIRECT and k == 0:
        return int(prefix[1, 1])
    if count > DIRECT and k == count - 1:
        return int(prefix[0, count - 2])
    used = 0
    if count > DIRECT:
        buf[0], buf[1], used = prefix[0, k - 1], prefix[1, k + 1], 2
    else:
        for other in range(count):
            if other != k:
                buf[used] = ids[args[first + other]]
                used += 1
    return int(make(_MUL, buf, 0, used, st, S))


@native
def ends(at: int, D: Any, T: Any, st: Any, S: Any) -> None:
    """Prepare for a long product: the products of its first and of its last factors."""
    args, ids, prefix = D[2], D[3], T[3]
    first, count = D[1][at], D[1][at + 1] - D[1][at]
    if D[0][at] != _MUL or count <= DIRECT:
        return
    prefix[0, 0], prefix[1, count - 1] = ids[args[first]], ids[args[first + count - 1]]
    for k in range(1, 2 * count - 1):  # one call in the text: it is compiled into this
        up = k < count
        place = k if up else 2 * count - 2 - k
        left = prefix[0, place - 1] if up else ids[args[first + place]]
        right = ids[args[first + place]] if up else prefix[1, place + 1]
        prefix[0 if up else 1, place] = _binary(_MUL, left, right, T, st, S)


@native
def _plain_times(g: int, at: int, k: int, D: Any, T: Any, st: Any, S: Any) -> int:
    """Return g times the derivative of a node in an argument, g without masks."""
    op, exponent = D[0][at], D[5]
    if op == _POW and k == 0 and exponent[at, 0] >= 0:
        inner = D[3][D[2][D[1][at]]]
        if exponent[at, 2] == 1:
            inner = T[2][ONE]
        elif exponent[at, 2] != 2:
            inner = _binary(_POW, inner, exponent[at, 1], T, st, S)
        inner = product(exponent[at, 0], inner, T, st, S)
    elif op == _MUL:
        inner = _others(k, at, D, T, st, S)
    else:
        return int(_by_table(g, at, k, D, T, st, S))
    return int(product(g, inner, T, st, S))


@inlined
def _may_vanish(g: int, T: Any, S: Any) -> bool:
    """Tell whether a sum is of masked summands alone, so that it is 0 where no mask is open."""
    op, start, pool = S[0], S[1], S[2]
    if op[g] != _ADD and op[g] != _SUB:
        return False
    for k in range(start[g], start[g + 1]):
        part = pool[k]
        if op[part] == _NEG:
            part = pool[start[part]]
        if _masked(part, T, S) == 0:
            return False
    return True


@inlined
def _bare(g: int, count: int, T: Any, st: Any, S: Any) -> tuple[int, int, bool]:
    """Take masks and a sign off; return what is left, the masks that are off, and the sign."""
    op, start, pool, masks = S[0], S[1], S[2], T[6]
    negative = False
    while count < MASKS:
        side = _masked(g, T, S)
        if side:
            masks[count, 0], masks[count, 1] = pool[start[g]], side
            g, count = pool[start[g] + side], count + 1
        elif op[g] == _NEG:
            g, negative = pool[start[g]], not negative
        else:
            break
    return g, count, negative


@inlined
def _vanishing(made: int, g: int, T: Any, st: Any, S: Any) -> int:
    """Return what was made of a factor, 0 where that is 0 by masks."""
    zero = T[2][ZERO]
    if made == zero or not _may_vanish(g, T, S):
        return made
    return int(choice(_binary(_EQ, g, zero, T, st, S), zero, made, T, st, S))


@native
def times(g: int, at: int, k: int, D: Any, T: Any, st: Any, S: Any) -> int:
    """Return g times the derivative of the node at a position in its argument k.

    Where g is 0 by a mask, so is the result, whatever the derivative is there.
    """
    g, count, negative = _bare(g, 0, T, st, S)
    made = _vanishing(_plain_times(g, at, k, D, T, st, S), g, T, st, S)
    if negative:
        made = negated(made, T, st, S)
    return int(_remasked(made, count, T, st, S))


@native
def chained(g: int, part: int, T: Any, st: Any, S: Any) -> int:
    """Return the product of two derivatives; where one is 0 by a mask, so is the result."""
    g, count, negative = _bare(g, 0, T, st, S)
    part, count, other = _bare(part, count, T, st, S)
    made = _vanishing(selected(g, part, T, st, S), g, T, st, S)
    made = _vanishing(made, part, T, st, S)
    if negative != other:
        made = negated(made, T, st, S)
    return int(_remasked(made, count, T, st, S))
