"""Canonical algebra: sums, products, polynomials and rational functions as strategies.

>>> import rewrite as rw
>>> x, y = rw.symbols("x y")
>>> (factor_terms() >> expand())(x * y + x)
x*y + x
"""

from strategies.algebra.collecting import collect, horner
from strategies.algebra.counting import narrow
from strategies.algebra.factoring import factor, factor_terms
from strategies.algebra.fractions import apart
from strategies.algebra.normal import normalize
from strategies.algebra.rational import cancel, expand, together
from strategies.algebra.replacing import substitute
from strategies.algebra.spelling import spell

__all__ = [
    "apart", "cancel", "collect", "expand", "factor", "factor_terms", "horner", "narrow",
    "normalize", "spell", "substitute", "together",
]  # fmt: skip
