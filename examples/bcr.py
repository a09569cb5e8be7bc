"""The B cell receptor network, 1,122 equations: what each part of the engine gains."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from scipy.sparse import csr_array

import rewrite as rw


def report(what: str, call: Callable[[], Any], states: int = 1) -> None:
    """Print the time of the fastest of many calls."""
    marks = [(time.perf_counter(), call())[0] for _ in range(300)]
    print(f"  {what:<40}{1e6 * np.diff(marks).min() / states:8.1f} us a state")


network = rw.io.bionetgen.read(Path(__file__).with_name("bcr.net.gz"))
u, state, two = network.symbols, network.initial + 1.0, network.reactions.reactants
print(network)

# what one writes with SciPy: gathered rates times the matrix of changes
species, reaction, amount = network.reactions.changes()
changes = csr_array((amount.astype(float), (species, reaction)))
k = rw.compile([u], network.rate_constants(), optimize_terms=False)(state)
first, second = two.pool[two.start[:-1]], two.pool[two.start[1:] - 1]
alone = np.diff(two.start) == 1
report("SciPy", lambda: changes @ (k * state[first] * np.where(alone, 1.0, state[second])))

terms, many = network.rhs(u), np.repeat(state[:, None], 256, 1)
best = rw.optimize(terms).terms  # once for two kernels
as_they_are: Any = {"optimize_terms": False}
plain, kernel = (rw.compile([u], x, **as_they_are) for x in (terms, best))
side_by_side = rw.compile([u], best, **as_they_are, batch_axis=-1, parallel=2)
report("native code for the terms as they are", lambda: plain(state))
report("rewritten, common sums shared", lambda: kernel(state))
report("256 states at once, two threads", lambda: side_by_side(many), 256)
jacobian = rw.compile([u], rw.sparse_jacobian(terms, u))
report(f"its Jacobian, {jacobian(state).nnz} entries", lambda: jacobian(state))
