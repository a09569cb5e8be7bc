"""BioNetGen's own solutions of its networks: ours agree, by SciPy's solvers and our kernels."""

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import rewrite as rw
from rewrite.io import bionetgen
from rewrite.io.bionetgen import Network

DATA = Path(__file__).parent.parent / "data" / "bionetgen"


@dataclass(frozen=True)
class Case:
    """A file, and where its solution does not begin with the file's start values."""

    name: str
    start: dict[str, float] = field(default_factory=dict)
    then: tuple[float, dict[str, float]] | None = None
    """A time, and by how much species change there."""
    renamed: dict[str, str] = field(default_factory=dict)
    """Columns that the network calls otherwise."""
    left_out: tuple[str, ...] = ()
    tolerance: float = 1e-6
    """Relative to the largest value of each column."""
    why: str = ""
    optimize: bool = False


TOTALS = {f"{name}_total": f"{name}_tot" for name in "LAKR"}
CASES = (
    Case("bionetgen/Repressilator"),
    Case("bionetgen/simple_system", optimize=True),
    Case("bionetgen/continue", {"A()": 1.0}, (10.0, {"S1": -1.0}),
         why="the file has the state after A was set to 0, at t = 10; .gdat begins before it"),
    Case("bionetgen/heise", {f"S{k}": 0.0 for k in range(1, 6)},
         why="the file has the steady state; .gdat begins with no species at all"),
    Case("reactionnetworkimporters/CaOscillate_Func", optimize=True,
         renamed={"Ga": "G", "PLC": "P", "Ca": "C"}, why="the solution is by molecules' names"),
    Case("reactionnetworkimporters/CaOscillate_Sat"),
    Case("reactionnetworkimporters/Haugh2b", optimize=True),
    Case("reactionnetworkimporters/higherorder", optimize=True),
    Case("reactionnetworkimporters/localfunc"),
    Case("reactionnetworkimporters/michment",
         {"S1": 100.0, "S2": 10.0, "S3": 0.0, "S4": 0.0, "S5": 0.0}, (10.0, {"S1": 100.0}),
         why="the file has the state at t = 10, where 100 molecules are added"),
    Case("reactionnetworkimporters/birth-death"),
    Case("reactionnetworkimporters/Repressilator"),
    Case("reactionnetworkimporters/test_ANG_synthesis_simple"),
    Case("reactionnetworkimporters/test_fixed", optimize=True),
    Case("reactionnetworkimporters/test_mratio"),
    Case("reactionnetworkimporters/test_sbml_flat", optimize=True),
    Case("reactionnetworkimporters/test_sbml_structured"),
    Case("reactionnetworkimporters/test_synthesis_cBNGL_simple"),
    Case("reactionnetworkimporters/test_synthesis_complex"),
    Case("reactionnetworkimporters/test_synthesis_complex_source_cBNGL"),
    Case("reactionnetworkimporters/test_synthesis_simple"),
    Case("reactionnetworkimporters/test_time", left_out=("x_builtin",), tolerance=1.1e-6,
         why="BioNetGen is 1.04e-6 from t^2/2 in x_exact, 1.5e-2 in x_builtin: it has the time of "
             "the last output there"),
    Case("reactionnetworkimporters/toy-jim", renamed=TOTALS),
    Case("reactionnetworkimporters/toy-jim_equil"),
)  # fmt: skip


def file_of(case: str, suffix: str, root: Path = DATA) -> Path:
    """Find a file by its folder among the sources and its name."""
    source, name = case.split("/")
    return next(path for path in sorted((root / source).rglob(f"{name}{suffix}")))


def table(path: Path) -> tuple[list[str], Any]:
    """Read columns over time; times that are there twice, once."""
    first, *lines = path.read_text().splitlines()
    data = np.array([line.split() for line in lines], np.float64)
    return first.lstrip("#").split(), data[np.diff(data[:, 0], prepend=-1.0) > 0]


def solved(case: Case, network: Network, times: Any, **options: Any) -> Any:
    """Return the states at the times, one row each."""
    problem = rw.ode(network, optimize_terms=case.optimize)
    system = problem.equations().system
    start = system.initial(case.start)
    scale = {"rtol": 1e-10, "atol": 1e-13 * max(abs(start).max(), 1.0), **options}
    pieces = [times] if case.then is None else [times[times <= case.then[0]], times]
    states: list[Any] = []
    for piece in pieces:
        own = piece[len(states) :]
        begin = own[0] if not states else times[len(states) - 1]
        found = problem.solve_ivp((begin, own[-1]), start, t_eval=own, **scale)
        assert found.success, found.message
        states += list(found.y.T)
        if case.then is not None and piece is not times:
            assert begin < case.then[0] == own[-1]
            start = states[-1].copy()
            for species, change in case.then[1].items():
                start[
                    network.species.index(species) if "(" in species else int(species[1:]) - 1
                ] += change
    return np.array(states)


def observed(network: Network, times: Any, states: Any) -> dict[str, Any]:
    """Return observables and functions over time."""
    with rw.scope():
        u = network.symbols
        terms = {**network.observable_terms(u), **network.function_terms(u)}
        kernel = rw.compile([network.time, u], terms, optimize_terms=False, dtype=np.float64)
        found: dict[str, Any] = kernel(times, states)
        return found


def deviations(case: Case, found: dict[str, Any], names: list[str], data: Any) -> dict[str, float]:
    """Return the largest deviation of each column, relative to the largest value of the column.

    A column of differences that are zero but for rounding counts by the largest of all.
    """
    most = np.abs(data[:, 1:]).max(axis=0)
    made = {}
    for name, size, own in zip(names[1:], most, data[:, 1:].T, strict=True):
        if name not in case.left_out:
            size = size if size > 1e-12 * most.max() else most.max()
            made[name] = float(np.abs(found[case.renamed.get(name, name)] - own).max() / size)
    return made


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_observables_agree(case: Case) -> None:
    network = bionetgen.read(file_of(case.name, ".net"))
    names, data = table(file_of(case.name, ".gdat"))
    times = data[:, 0]
    states = solved(case, network, times)
    found = deviations(case, observed(network, times, states), names, data)
    assert max(found.values()) <= case.tolerance, found


@pytest.mark.parametrize("name", ["bionetgen/simple_system", "reactionnetworkimporters/Haugh2b"])
def test_radau_agrees(name: str) -> None:
    case = Case(name)
    network = bionetgen.read(file_of(name, ".net"))
    names, data = table(file_of(name, ".gdat"))
    states = solved(case, network, data[:, 0], method="Radau", rtol=1e-8)
    found = deviations(case, observed(network, data[:, 0], states), names, data)
    assert max(found.values()) <= 1e-6, found


def test_species_agree() -> None:
    """A solution of all species; BioNetGen's absolute tolerance was 1e-8 in each step."""
    case = Case("bionetgen/test_network_gen")
    network = bionetgen.read(file_of(case.name, ".net"))
    names, data = table(file_of(case.name, ".cdat"))
    states = solved(case, network, data[:, 0])
    assert names[1:] == [f"S{k}" for k in range(1, 355)]
    limit = 1e-6 * np.abs(data[:, 1:]).max(axis=0) + 1e-6
    assert (np.abs(states - data[:, 1:]) <= limit).all()
    names, data = table(file_of(case.name, ".gdat"))
    found = deviations(case, observed(network, data[:, 0], states), names, data)
    assert max(found.values()) <= case.tolerance, found


def test_the_file_of_michment_goes_on() -> None:
    """Its own start values are the solution from t = 10 on."""
    network = bionetgen.read(file_of("reactionnetworkimporters/michment", ".net"))
    names, data = table(file_of("reactionnetworkimporters/michment", ".gdat"))
    later = data[data[:, 0] > 10]
    times = np.concatenate([[10.0], later[:, 0]])
    states = solved(Case(""), network, times)[1:]
    found = observed(network, later[:, 0], states)
    assert max(deviations(Case(""), found, names, later).values()) <= 1e-6


def test_a_wrong_constant_is_seen() -> None:
    """The comparison can fail: one constant of the network off by 1e-5."""
    case = CASES[1]
    network = bionetgen.read(file_of(case.name, ".net")).replaced({"kcat": 0.7 * (1 + 1e-5)})
    names, data = table(file_of(case.name, ".gdat"))
    found = observed(network, data[:, 0], solved(case, network, data[:, 0]))
    assert max(deviations(case, found, names, data).values()) > 2e-6


def test_bcr() -> None:
    folder = os.environ.get("REWRITE_NETWORKS")
    if not folder or not list(Path(folder).rglob("bcr.gdat")):
        pytest.skip("bcr.net is too large for the repository: REWRITE_NETWORKS names no folder")
    case = Case("reactionnetworkimporters/bcr", tolerance=1e-4)
    network = bionetgen.read(file_of(case.name, ".net", Path(folder)))
    names, data = table(file_of(case.name, ".gdat", Path(folder)))
    data = data[data[:, 0] <= 200]
    states = solved(case, network, data[:, 0], atol=1e-9)
    found = deviations(case, observed(network, data[:, 0], states), names, data)
    assert max(found.values()) <= case.tolerance, found
