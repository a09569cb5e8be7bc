"""BioNetGen's networks: what files mean, and which line of a bad one is wrong."""

import gzip
import math
import os
import pickle
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import rewrite as rw
from rewrite.errors import ArgumentError, ParseError
from rewrite.io import bionetgen
from rewrite.io.bionetgen import Network, network
from rewrite.io.bionetgen.expressions import FUNCTIONS, kummer_ratio, read_expression, value_of
from rewrite.io.bionetgen.reactions import KINDS

DATA = Path(__file__).parent.parent / "data" / "bionetgen"
SIZES = {
    "Repressilator": (16, 30), "continue": (5, 4), "heise": (5, 8), "simple_system": (4, 4),
    "test_network_gen": (354, 3680), "CaOscillate_Func": (4, 8), "CaOscillate_Sat": (4, 8),
    "Haugh2b": (12, 29), "higherorder": (3, 2), "localfunc": (7, 11), "michment": (5, 6),
    "birth-death": (1, 2), "test_ANG_synthesis_simple": (5, 3), "test_assignment": (4, 1),
    "test_fixed": (12, 18), "test_mratio": (3, 2), "test_sbml_flat": (5, 6),
    "test_sbml_structured": (5, 5), "test_synthesis_cBNGL_simple": (6, 4),
    "test_synthesis_complex": (5, 3), "test_synthesis_complex_source_cBNGL": (8, 6),
    "test_synthesis_simple": (5, 3), "test_time": (3, 3), "toy-jim": (25, 101),
    "toy-jim_equil": (25, 101), "multisite2": (66, 288), "multistate": (9, 18),
    "bcr": (1122, 24388), "egfr_net": (356, 3749), "fceri_gamma2": (3744, 58276),
}  # fmt: skip
FILES = sorted(DATA.rglob("*.net"))


def large(name: str) -> Path:
    folder = os.environ.get("REWRITE_NETWORKS")
    found = sorted(Path(folder).rglob(f"{name}.net")) if folder else []
    if not found:
        pytest.skip(f"{name}.net is too large for the repository: REWRITE_NETWORKS names no folder")
    return found[0]


def values(network: Network, u: Any, t: float = 0.0, **p: float) -> Any:
    """Evaluate the right-hand side at a state."""
    with rw.scope():
        states = network.symbols
        terms = network.rhs(states, {name: rw.symbol(name) for name in p})
        env: dict[Any, Any] = dict(zip(states.terms(), u, strict=True))
        return rw.evaluate(terms, {**env, network.time: t, **p})


def net(reactions: str, species: str = "1 A() 2\n2 B() 3", *sections: str) -> Network:
    parts = [f"begin species\n{species}\nend species", *sections]
    return bionetgen.parse("\n".join([*parts, f"begin reactions\n{reactions}\nend reactions\n"]))


# -- files -------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_every_file_is_read(path: Path) -> None:
    network = bionetgen.read(path)
    assert (len(network.species), len(network.reactions)) == SIZES[path.stem]
    u = np.random.default_rng(1).uniform(0.5, 2, len(network.species))
    numbers = values(network, u, 1.5)
    assert np.isfinite(numbers).all() and (numbers[network.fixed] == 0).all()
    symbolic = values(network, u, 1.5, **network.parameters)
    np.testing.assert_allclose(symbolic, numbers, rtol=1e-12, atol=1e-12 * abs(numbers).max())


@pytest.mark.parametrize("name", ["bcr", "egfr_net", "fceri_gamma2"])
def test_large_files_are_read(name: str) -> None:
    network = bionetgen.read(large(name))
    assert (len(network.species), len(network.reactions)) == SIZES[name]
    assert network.rhs().shape == network.initial.shape


def test_a_file_in_full() -> None:
    network = bionetgen.read(next(DATA.rglob("localfunc.net")))
    assert (
        network.species[3] == "$Trash()"
        and network.fixed.tolist() == [False] * 3 + [True] + [False] * 3
    )
    assert network.parameters["rateLaw1_4"] == 4.5 and list(network.parameters)[:2] == ["kp", "km"]
    assert network.initial.tolist() == [1, 3, 0, 0, 0, 0, 0]
    assert repr(network.observable_terms()["Btot"]) == "S2 + S5 + 2*S6 + 3*S7"
    p = {"kp": rw.symbol("kp"), "km": rw.symbol("km")}
    assert repr(network.rhs(p=p)[0]) == "km*S5 - 3*kp*S1*S2"
    assert repr(network) == (
        "<Network localfunc.net: 7 species, 11 reactions, 8 parameters, 8 observables>"
    )


# -- what laws mean ----------------------------------------------------------------------------

A, B = 2.0, 3.0
K = rw.symbol("k")
PARAMETERS = "begin parameters\n1 k 5\n2 K 7\n3 h 2\n4 zero 0\nend parameters"
FREE = ((A - B - 7) + math.sqrt((A - B - 7) ** 2 + 4 * A * 7)) / 2


@pytest.mark.parametrize(
    ("reaction", "change"),
    [
        ("1 1 2 k", (-5 * A, 5 * A)), ("1 1,2 0 k", (-5 * A * B, -5 * A * B)),
        ("1 0 1 k", (5, 0)), ("1 0 1 1", (1, 0)), ("1 1 0 1", (-A, 0)),
        ("1 1,1 2 0.5*k", (-5 * A * A, 2.5 * A * A)),
        ("1 1,1,1,2,2 2 k", (-15 * A**3 * B**2, -5 * A**3 * B**2)),
        ("1 1,2 1,2,2 k", (0, 5 * A * B)), ("1 1,2 2,1 k", (0, 0)), ("1 1 2 zero", (0, 0)),
        ("1 1 2 0.25", (-0.25 * A, 0.25 * A)), ("1 1 2 2*3*k", (-30 * A, 30 * A)),
        ("1 1 2 k/K", (-5 / 7 * A, 5 / 7 * A)), ("1 1 2 k + K", (-12 * A, 12 * A)),
        ("1 1 2 Sat k K", (-5 * A / (7 + A), 5 * A / (7 + A))),
        ("1 1,2 2 Sat k K", (-5 * A * B / (7 + A), 0)),
        ("1 1,2 2 Sat k K h", (-5 * A * B / (7 + A) / (2 + B), 0)),
        ("1 1,2 2 0.5*Sat k K", (-2.5 * A * B / (7 + A), 0)),
        ("1 1,2 2,2 MM k K", (-5 * B * FREE / (7 + FREE), 5 * B * FREE / (7 + FREE))),
        ("1 1 2 Hill k K h", (-5 * A**2 / (49 + A**2), 5 * A**2 / (49 + A**2))),
        ("1 1,2 2 Hill k K h", (-5 * A**2 * B / (49 + A**2), 0)),
        ("1 1 2 zero*Hill k K h", (0, 0)),
    ],
)  # fmt: skip
def test_laws(reaction: str, change: tuple[float, float]) -> None:
    network = net(reaction, "1 A() 2\n2 B() 3", PARAMETERS)
    assert values(network, [A, B]) == pytest.approx(change, rel=1e-14)
    symbolic = values(network, [A, B], **network.parameters)
    assert symbolic == pytest.approx(change, rel=1e-14)


def test_every_law_of_enzymes_is_tested() -> None:
    assert set(KINDS) == {"Sat", "MM", "Hill"}


def test_fixed_species_keep_their_amount() -> None:
    names = ("$A()", "@C::$A()", "@C:$A()", "A(b~$)", "A$()")
    network = net("1 1,2,3,4,5 0 1", "\n".join(f"{k} {n} 1" for k, n in enumerate(names, 1)))
    assert network.fixed.tolist() == [True, True, True, False, False]
    assert values(network, [1] * 5).tolist() == [0, 0, 0, -1, -1]


def test_functions_observables_and_time() -> None:
    functions = """begin functions
        1 rate() k*Total/(K + Total)
        2 twice(x) 2*x + rate()
        3 late() if(time() > 2 && !(Total < 1), twice(Total), rate)
        4 time_of(k) k*time()
    end functions"""
    groups = "begin groups\n 1 Total 1,2*2\n 2 None\n 3 Half 0.5*1\nend groups"
    network = net("1 1 2 rate\n2 2 1 late\n3 0 1 time_of(3)", "1 A() 2\n2 B() 3",
                  functions, PARAMETERS, groups)  # fmt: skip
    total = A + 2 * B
    rate = 5 * total / (7 + total)
    assert values(network, [A, B], 1.0)[0] == pytest.approx(-rate * A + rate * B + 3)
    late = 2 * total + rate
    assert values(network, [A, B], 3.0)[0] == pytest.approx(-rate * A + late * B + 9)
    assert list(network.function_terms()) == ["rate", "late"]
    assert repr(network.observable_terms()) == "{'Total': S1 + 2*S2, 'None': 0, 'Half': 0.5*S1}"


def test_rate_constants() -> None:
    network = net("1 1 2 2*k\n2 1,2 2 0.5*Sat k K\n3 2 1 2*k", "1 A() 2\n2 B() 3", PARAMETERS)
    assert rw.evaluate(network.rate_constants()).tolist() == [10, 2.5, 10]
    assert repr(network.rate_constants(p={"k": K})) == "TermArray([2*k, 0.5*k, 2*k])"


def test_parameters_follow_those_that_are_given() -> None:
    text = "begin parameters\n1 a 2\n2 b 3*a^2\n3 c b + 1\nend parameters"
    network = net("1 1 2 c", "1 A() b\n2 B() 0", text)
    assert network.parameters == {"a": 2, "b": 12, "c": 13}
    assert network.initial.tolist() == [12, 0]
    other = network.replaced({"a": 1})
    assert other.parameters == {"a": 1, "b": 3, "c": 4} and other.initial.tolist() == [3, 0]
    assert values(other, [1, 0]).tolist() == [-4, 4]
    assert other.replaced({"c": 9}).parameters == {"a": 1, "b": 3, "c": 9}
    a = rw.symbol("a")
    assert repr(network.rhs(p={"a": a})[1]) == "(3*a**2 + 1)*S1"
    assert repr(network.rhs(p=network.parameter_symbols)[1]) == "c*S1"
    assert repr(network.rhs(p={"b": 1.5})[1]) == "2.5*S1"
    x = rw.asarray(rw.symbols("x y"))
    assert repr(network.rhs(x)) == "TermArray([-(13.0*x), 13.0*x])"
    with rw.scope() as store:
        assert network.rhs().store is store
    for wrong in ({"p": {"d": 1}}, {"p": [a]}, {"u": [a]}):
        with pytest.raises(ArgumentError):
            network.rhs(**wrong)
    with pytest.raises(ArgumentError, match="no parameter 'aa'; did you mean a"):
        network.replaced({"aa": 1})


def test_symbols_avoid_the_names_of_parameters() -> None:
    network = net("1 1 2 S1*t", "1 A() 1\n2 B() 1", "begin parameters\nS1 2\nt 3\nend parameters")
    assert repr(network.symbols) == "TermArray([S_1, S_2])" and repr(network.time) == "t_"
    assert values(network, [5, 7], S1=2.0, t=3.0)[1] == 30


def test_layout() -> None:
    """Comments, continued lines, sections in any order, and what is skipped."""
    text = """# a comment
    setOption("begin reactions", 3);
    begin reactions # first
        1 1 \\
          2 k # end reactions

        2 2 1 2*k
    end reactions
    begin reaction rules
        begin species
        end of it
        1 A() -> B() k
    end reaction rules
    begin groups
    end groups
    begin   species
    1 A() k^2\r
    # none
    2 B(a,b!1).C(x~P!1) 1e-3
    end species
    begin parameters
        k 3
    end parameters
    generate_network({overwrite=>1})"""
    for whole in (text, f"begin model\n{text}\nend model"):
        network = bionetgen.parse(whole)
    assert network.initial.tolist() == [9, 1e-3] and network.species[1] == "B(a,b!1).C(x~P!1)"
    assert values(network, [1, 1]).tolist() == [3, -3]


# -- expressions -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("2^3^2", 512), ("-2^2", -4), ("2**-1", 0.5), ("1 - 2 - 3", -4), ("8/4/2", 1),
        ("if(1, 2, 3)", 2), ("if(0 == 1, 2, 3)", 3), ("if(2 > 1 && 0 || 0 != 1, 2, 3)", 2),
        ("if(!(1 > 2), 5, 6)", 5), ("if(~0, 5, 6)", 5), ("if(1 ~= 1, 5, 6)", 6),
        ("(3 > 2) + (1 >= 1)*4", 5), ("3 > 2", 1), ("3 > 2 > 1", 0), ("if(1, 2 > 1, 5)", 1),
        ("rint(2.5)", 3), ("rint(-2.5)", -2), ("min(3, 1, 2)", 1), ("max(3, 1, 2)", 3),
        ("sum(1, 2, 3)", 6), ("avg(1, 2, 3)", 2), ("_pi", math.pi), ("_e", math.e),
        ("_pi()*2", 2 * math.pi), ("ln(_e)", 1), ("log10(1000)", 3), ("log2(8)", 3),
        ("sqrt(abs(-16))", 4), ("1e-3", 1e-3), (".5", 0.5), ("5.", 5), ("1/3", 1 / 3),
        ("7.54e-3*2", 0.01508), ("+3", 3), ("-1.5E2", -150), ("a*b", 6), ("tanh(0)", 0),
        ("mratio(-1, 2, 0.5)", 1 / (1 - 0.5 / 2)),
    ],
)  # fmt: skip
def test_expressions(text: str, value: float) -> None:
    with rw.scope():
        known = {"a": rw.const(2), "b": rw.const(3.0)}
        assert value_of(read_expression(text, known, FUNCTIONS)) == pytest.approx(value, rel=1e-14)


@given(st.floats(-50, 50), st.floats(0.1, 50), st.floats(-20, 5))
@example(-1000.0, 9001.0, -10000.0)
def test_ratio_of_kummer_functions(a: float, b: float, z: float) -> None:
    import flint

    with_precision = flint.ctx.workprec(2000)
    with with_precision:
        above, below = flint.arb(z).hypgeom_1f1(a + 1, b + 1), flint.arb(z).hypgeom_1f1(a, b)
        ratio = above / below
    if ratio.rad() < abs(ratio) * 1e-12 and 1e-3 < abs(float(ratio.mid())) < 1e3:
        assert kummer_ratio(a, b, z) == pytest.approx(float(ratio.mid()), rel=1e-9)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("2*kk", "unknown name 'kk'; did you mean k?"), ("k*", "a value should follow"),
        ("k k", "operator is missing before 'k'"), ("log(k)", "unknown function 'log'; did you"),
        ("if(1, 2)", "if takes 3 arguments, not 2"), ("sum(1)", "sum takes two or more"),
        ("k = 2", "write == to compare"), ("2k", "write * between"), ("(k", "never closed"),
        ("1e999", "too large"), ("time()", "unknown function 'time'"), ("k[0]", "'[' is not part"),
        ("__import__('os')", "unknown function '__import__'"), ("9" * 2000, "2000 digits"),
        ("(" * 3000 + "k", "nested deeper"), ("k" * 101_000, "characters"), ("k;", "';' is not"),
        ("λ", "'λ'"), ("mratio(1, 2, -1e9)", "does not converge"),
    ],
)  # fmt: skip
def test_bad_expressions_of_parameters(text: str, words: str) -> None:
    with pytest.raises(ParseError) as caught:
        net("1 1 2 k", "1 A() 1\n2 B() 1", f"begin parameters\n1 k 2\n2 q {text}\nend parameters")
    assert words in str(caught.value) and caught.value.lineno == 7
    assert str(caught.value).startswith("network, line 7: expected an expression: ")
    again = pickle.loads(pickle.dumps(caught.value))
    assert str(again) == str(caught.value) and again.lineno == 7


# -- bad files ---------------------------------------------------------------------------------

GOOD = """begin parameters
    1 k 2
    2 q k*2
end parameters
begin functions
    1 f() k*G
    2 g(x,y) x*y
end functions
begin species
    1 A() 1
    2 $B() k
end species
begin reactions
    1 1,2 0 k
    2 0 1 2*f
    3 1,2 1 Sat k q
end reactions
begin groups
    1 G 1,2*2
end groups
"""


@pytest.mark.parametrize(
    ("old", "new", "line", "words"),
    [
        ("1 A() 1\n", "1 A()\n", 10, "expected a number, a species and its start value"),
        ("1 A() 1\n", "A() 1\n", 10, "expected a number, a species"),
        ("1 A() 1\n", "3 A() 1\n", 10, "expected the number 1, not 3"),
        ("1 A() 1\n", "1 A() x\n", 10, "unknown name 'x'"),
        ("1 A() 1\n", "1 A() 1/0\n", 10, "expected a finite start value; 1/0 is inf"),
        ("1 A() 1\n", f"1 A() {'9' * 400}\n", 10, "expected a finite start value"),
        ("1 k 2", "1 k 0/0", 11, "expected a finite start value; k is nan"),
        ("1 k 2", f"1 k -{'9' * 400}", 11, "expected a finite start value; k is -inf"),
        ("2 q k*2", "2 q", 3, "expected a number, a name and an expression"),
        ("2 q k*2", "2 2q k", 3, "expected a number, a name and an expression"),
        ("2 q k*2", "3 q k", 3, "expected the number 2, not 3"),
        ("2 q k*2", "2 k 3", 3, "expected a new name; k is in line 2"),
        ("1 k 2", "1 k q", 2, "unknown name 'q'"),
        ("1 f() k*G", "1 f(", 6, "expected a number, a name with arguments"),
        ("1 f() k*G", "1 f()", 6, "expected a number, a name with arguments"),
        ("1 f() k*G", "1 f(x,x) x", 6, "expected a number, a name with arguments"),
        ("1 f() k*G", "1 f() k*GG", 6, "unknown name 'GG'; did you mean G"),
        ("1 f() k*G", "1 f() g(1,2)", 6, "unknown function 'g'"),
        ("1 f() k*G", "1 exp() k*G", 6, "expected a new name; exp is a function already"),
        ("1 f() k*G", "1 k() G", 6, "expected a new name; k is in line 2"),
        ("1 f() k*G", "1 f() mratio(G,1,2)", 6, "mratio takes numbers"),
        ("1 1,2 0 k", "1 1,2 0", 14, "expected a number, reactants, products and a rate law"),
        ("1 1,2 0 k", "7 1,2 0 k", 14, "expected the number 1, not 7"),
        ("1 1,2 0 k", "1 1,x 0 k", 14, "expected species as numbers with commas, not '1,x'"),
        ("1 1,2 0 k", "1 1,,2 0 k", 14, "expected species as numbers"),
        ("1 1,2 0 k", "1 -1 0 k", 14, "expected species as numbers"),
        ("1 1,2 0 k", "1 1,2 3 k", 14, "expected species from 1 to 2, or 0 for none; not 3"),
        ("1 1,2 0 k", "1 1,2 99999999999 k", 14, "expected species as numbers"),
        ("1 1,2 0 k", "1 1,2 0 kk", 14, "unknown name 'kk'"),
        ("1 1,2 0 k", "1 1,2 0 g(1)", 14, "g takes 2 arguments, not 1"),
        ("2 0 1 2*f", "2 0 1 MM k q", 15, "expected 'MM kcat Km' with two reactants"),
        ("2 0 1 2*f", "2 0 1 Hill k q 2", 15, "expected 'Hill Vmax K h'"),
        ("2 0 1 2*f", "2 1 1 Hill k q", 15, "expected 'Hill Vmax K h'"),
        ("2 0 1 2*f", "2 1 1 Sat k q q", 15, "expected 'Sat kcat K'"),
        ("2 0 1 2*f", "2 1 1 Sat k qq", 15, "unknown name 'qq'"),
        ("1 G 1,2*2", "1 G 1,3", 19, "expected species from 1 to 2, not 3"),
        ("1 G 1,2*2", f"1 G 1,{'9' * 400}*2", 19, "expected a weight that a double can hold"),
        ("1 G 1,2*2", "1 G 1,1e400*2", 19, "expected a weight that a double can hold"),
        ("1 G 1,2*2", "1 G 1;2", 19, "expected a number, a name and species with weights"),
        ("1 G 1,2*2", "1 G 1,2*2\n2 G 1", 20, "expected another name; G is in line 19"),
        ("1 G 1,2*2", "1 9 1", 19, "expected a number, a name and species"),
        ("1 G 1,2*2", "1 k 1\n2 G 1", 19, "expected a new name; k is in line 2"),
        ("end groups", "", 21, "expected 'end groups' for line 18"),
        ("end groups", "end species", 20, "expected 'end groups' for line 18"),
        ("begin groups\n", "", 19, "expected 'begin groups' before this line"),
        ("end groups", "end groups\nbegin groups\nend groups", 21, "expected one section 'groups'"),
        ("end species\nbegin reactions", "", 16, "expected 'end species' for line 9"),
    ],
)  # fmt: skip
def test_bad_lines(old: str, new: str, line: int, words: str) -> None:
    bionetgen.parse(GOOD)
    assert old in GOOD
    with pytest.raises(ParseError) as caught:
        bionetgen.parse(GOOD.replace(old, new, 1), "bad.net")
    assert words in str(caught.value) and caught.value.lineno == line
    assert str(caught.value).startswith(f"bad.net, line {line}: expected ")


@pytest.mark.parametrize("text", ["", "x = 1\n", "begin model\nend model\n", "\0\0"])
def test_what_is_no_network(text: str) -> None:
    with pytest.raises(ParseError, match="expected a section 'begin species'"):
        bionetgen.parse(text)
    with pytest.raises(ParseError, match="expected one species or more"):
        net("", "")


@given(st.data())
def test_no_damage_gets_through_unplaced(data: st.DataObject) -> None:
    """Whatever is done to a file, it is read or refused with a line of it."""
    text = GOOD
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(text)))
        size = data.draw(st.integers(0, 12))
        more = data.draw(st.text("begin endspcr12,*$()#\\\n\t ^=\u00e9", max_size=6))
        text = text[:at] + more + text[at + size :]
    try:
        network = bionetgen.parse(text)
    except ParseError as error:
        assert 1 <= (error.lineno or 0) <= text.count("\n") + 1
    else:
        assert network.rhs().shape == network.initial.shape


# -- round trips -------------------------------------------------------------------------------


@dataclass
class Model:
    """A network, and what its equations are, computed beside the reader."""

    species: list[tuple[str, float]]
    fixed: list[bool]
    parameters: list[float]
    groups: list[list[tuple[int, int]]]
    reactions: list[tuple[list[int], list[int], str, Callable[[list[float]], float]]] = field(
        default_factory=list
    )

    def text(self, shuffle: random.Random) -> str:
        """Write the sections in any order."""
        marks = ["$" * fixed for fixed in self.fixed]
        parts = {
            "parameters": [f"k{k} {value!r}" for k, value in enumerate(self.parameters)],
            "functions": [f"f{k}() k0*G{k}" for k in range(len(self.groups))],
            "species": [
                f"{mark}{name} {value!r}"
                for mark, (name, value) in zip(marks, self.species, strict=True)
            ],
            "groups": [
                f"G{k} " + ",".join(f"{w}*{s + 1}" if w != 1 else f"{s + 1}" for w, s in group)
                for k, group in enumerate(self.groups)
            ],
            "reactions": [
                f"{_list(left)} {_list(right)} {law}" for left, right, law, _ in self.reactions
            ],
        }  # fmt: skip
        order = list(parts)
        shuffle.shuffle(order)
        lines = []
        for name in order:
            numbered = [f" {k} {line} # note" for k, line in enumerate(parts[name], 1)]
            lines += [f"begin {name}", *numbered, f"end {name}"]
        return "\n".join(lines)

    def rhs(self, u: list[float]) -> list[float]:
        made = [0.0] * len(u)
        for left, right, _, rate in self.reactions:
            flow = rate(u)
            for species, sign in [*((s, -1) for s in left), *((s, 1) for s in right)]:
                made[species] += sign * flow
        return [0.0 if f else value for f, value in zip(self.fixed, made, strict=True)]


def _list(species: list[int]) -> str:
    return ",".join(str(s + 1) for s in species) or "0"


@st.composite
def models(draw: st.DrawFn) -> Model:
    number = st.floats(0.1, 4).map(lambda x: round(x, 3))
    count = draw(st.integers(1, 6))
    index = st.integers(0, count - 1)
    k = draw(st.lists(number, min_size=1, max_size=4))
    groups = draw(st.lists(st.lists(st.tuples(st.integers(1, 3), index), max_size=4), max_size=3))
    model = Model(
        [(f"M(a~{n})", draw(number)) for n in range(count)],
        draw(st.lists(st.booleans(), min_size=count, max_size=count)), k, groups,
    )  # fmt: skip
    for _ in range(draw(st.integers(0, 8))):
        left = draw(st.lists(index, max_size=5))
        right = draw(st.lists(index, max_size=5))
        model.reactions.append((left, right, *draw(laws(k, groups, left))))
    return model


@st.composite
def laws(
    draw: st.DrawFn, k: list[float], groups: list[list[tuple[int, int]]], left: list[int]
) -> tuple[str, Callable[[list[float]], float]]:
    """Draw the text of a law and its rate; with a factor in half of the cases."""
    at, other = draw(st.integers(0, len(k) - 1)), draw(st.integers(0, len(k) - 1))
    factor = draw(st.sampled_from([1.0, 2.0, 0.5]))
    prefix = f"{factor}*" if factor != 1 or draw(st.booleans()) else ""
    kinds = ["action", "power"] + ["function"] * bool(groups) + ["Sat", "Hill"] * bool(left)
    kind = draw(st.sampled_from(kinds))

    def action(u: list[float]) -> float:
        return factor * math.prod(u[s] for s in left)

    if kind == "function":
        which = draw(st.integers(0, len(groups) - 1))
        return (
            f"{prefix}f{which}",
            lambda u: action(u) * k[0] * sum(w * u[s] for w, s in groups[which]),
        )
    if kind == "Sat":
        return f"{prefix}Sat k{at} k{other}", lambda u: action(u) * k[at] / (k[other] + u[left[0]])
    if kind == "Hill":
        return (
            f"{prefix}Hill k{at} k{other} 2",
            lambda u: action(u) * k[at] * u[left[0]] / (k[other] ** 2 + u[left[0]] ** 2),
        )
    if kind == "power":
        return f"{prefix}k{at}^k{other}", lambda u: action(u) * k[at] ** k[other]
    return f"{prefix}k{at}", lambda u: action(u) * k[at]


@given(models(), st.integers(0, 100))
def test_what_is_written_is_read(model: Model, seed: int) -> None:
    network = bionetgen.parse(model.text(random.Random(seed)))
    assert network.initial.tolist() == [value for _, value in model.species]
    assert list(network.parameters.values()) == model.parameters
    assert network.fixed.tolist() == model.fixed
    u = np.random.default_rng(seed).uniform(0.2, 2, len(model.species)).tolist()
    expected = model.rhs(u)
    size = 1e-12 * (1 + sum(abs(rate(u)) for *_, rate in model.reactions))
    np.testing.assert_allclose(values(network, u), expected, rtol=1e-12, atol=size)
    symbolic = values(network, u, **network.parameters)
    np.testing.assert_allclose(symbolic, expected, rtol=1e-12, atol=size)


def test_packed_files_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = b"begin species\n 1 A() 2\nend species\nbegin reactions\n 1 1 0 0.5\nend reactions\n"
    path = tmp_path / "decay.net.gz"
    path.write_bytes(gzip.compress(data))
    assert bionetgen.read(path).initial.tolist() == [2.0]
    path.write_bytes(gzip.compress(data)[:-9])
    with pytest.raises(ParseError, match=r"decay\.net\.gz.*gzip"):
        bionetgen.read(path)
    path.write_bytes(gzip.compress(data))
    monkeypatch.setattr(network, "LARGEST", 20)
    with pytest.raises(ParseError, match=r"decay\.net\.gz.*at most"):
        bionetgen.read(path)
