"""Look into an e-graph: which forms the laws find, how it grew, and a picture of it."""

import tempfile
from pathlib import Path

import rewrite as rw
from rewrite.rules.arithmetic import CANCELLATION, COMMUTATIVITY, FACTORING

a = rw.symbol("a", low=1, high=2)
x, y = rw.symbols("x y")
source = (a * x + a * y) / a

found = rw.egraph(source, [FACTORING, CANCELLATION, COMMUTATIVITY])
print(found)
print(found.table())

print("\nforms of the numerator:", *found.forms(a * x + a * y), sep="\n  ")
print("cheapest programs:", found.best(2))
assert found.extract() == x + y
assert found.equal(source, x + y) and not found.equal(x, y)

print("\nthe same laws without cancellation keep the division:")
print(rw.egraph(source, [FACTORING, COMMUTATIVITY]).extract())

picture = found.show()  # a notebook draws it; what is chosen is blue, a dashed box holds equals
with tempfile.TemporaryDirectory() as folder:
    picture.save(Path(folder) / "egraph.svg")
    print(f"\n{picture}")
