"""`Explanation`: a derivation from a source to an equal term, one law a step, as on paper.

It holds all that is needed to check it again, see `rewrite.egraph.replay`, and nothing of the
engine that found it. Its terms are plain (`rewrite.egraph.plain`): sums of many are chains.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Final, overload

from rewrite.display import Displayed
from rewrite.fastmath import FastMath
from rewrite.rule import Condition, Rule
from rewrite.term import Term

__all__ = [
    "ARITHMETIC", "SERIES", "Assumption", "Because", "Explanation", "Meeting", "Part", "Series",
    "Step",
]  # fmt: skip

ARITHMETIC: Final = "arithmetic"
"""The name of the step that computes with exact constants; it needs the licence `REASSOC`."""
SERIES: Final = "series"
"""The name of the step that writes a difference as a polynomial; it needs `REASSOC` too."""
WIDE: Final = 96
"""Longer terms are not written again at each step: what changed of them is."""

type Place = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Assumption:
    """A fact about a part of the source that holds wherever the source's value is finite."""

    kind: str
    term: Term

    def __str__(self) -> str:
        """Write as a condition: nonzero(x)."""
        return f"{self.kind}({self.term!r})"


@dataclass(frozen=True, slots=True)
class Meeting:
    """What a variable of a condition stands for, and an equal term that is known to meet it."""

    name: str
    known: Term
    steps: tuple["Step", ...] = ()
    """From the one to the other; none where it is the same."""


@dataclass(frozen=True, slots=True)
class Because:
    """Why a condition of a law holds where it was used."""

    condition: Condition
    meetings: tuple[Meeting, ...]


@dataclass(frozen=True, slots=True)
class Series:
    """Where a polynomial stands for a function, and how well."""

    symbol: Term
    point: Fraction
    radius: float
    """How far the symbol may be from the point: as far as its domain reaches."""
    bits: int
    """What is left out is less than 2**-bits of the value, by Taylor's theorem."""

    def __str__(self) -> str:
        """Write where it holds, and the bound."""
        offset = self.symbol - self.point if self.point else self.symbol
        return (
            f"near {self.symbol!r} = {self.point}: what is left out is less than 2**-{self.bits} "
            f"of the value where abs({offset!r}) <= {self.radius:g}"
        )


@dataclass(frozen=True, slots=True)
class Step:
    """One law, used once: the whole term before and after, and where in it."""

    name: str
    rule: Rule | None
    """None for arithmetic on exact constants, and for series."""
    forward: bool
    """Whether the law was used from left to right."""
    place: Place
    """Which child to go to, from the root of the term downwards."""
    before: Term
    after: Term
    instance: tuple[tuple[str, Term], ...] = ()
    """What the variables of the law stand for."""
    because: tuple[Because, ...] = ()
    result: int = 0
    """Which of several terms that were rewritten together it is about."""
    series: Series | None = None

    @property
    def changed(self) -> tuple[Term, Term]:
        """The part that is rewritten, before and after."""
        pair = (self.before, self.after)
        for child in self.place:
            pair = (pair[0].args[child], pair[1].args[child])
        return pair

    def law(self) -> str:
        """Write the law in the direction of the step, and its instance.

        >>> import rewrite as rw
        >>> x = rw.symbol("x")
        >>> rw.explain(x * 1, x)[0].law()
        'mul-one: ?a*1 -> ?a, with ?a = x'
        """
        if self.series is not None:
            return f"{self.name} {self.series}"
        if self.rule is None:
            before, after = map(repr, self.changed)
            return f"{self.name}: {before} is {after if after != before else 'one number'}"
        sides = (self.rule.lhs, self.rule.rhs)[:: 1 if self.forward else -1]
        given = f" if {', '.join(map(repr, self.rule.where))}" if self.rule.where else ""
        values = ", ".join(f"?{name} = {term!r}" for name, term in self.instance)
        back = "" if self.forward else ", backwards"
        law = f"{self.name}{back}: {sides[0]!r} -> {sides[1]!r}{given}"
        return f"{law}, with {values}" if values else law

    def __str__(self) -> str:
        """Write the law, and the term after it or, of a long term, what changed."""
        after = repr(self.after)
        if len(after) > WIDE and self.place:
            before, made = map(repr, self.changed)
            after = f"...{before}... becomes ...{made}..."
        return f"{self.law()}\n= {after}"


@dataclass(frozen=True, repr=False)
class Explanation(Displayed, Sequence[Step]):
    """The steps from terms to equal ones, or why there are none.

    >>> import rewrite as rw
    >>> a, x, y = rw.symbols("a x y")
    >>> print(rw.explain(a * x + a * y, a * (x + y)))
       a*x + a*y
    1. factor-left: ?a*?b + ?a*?c -> ?a*(?b + ?c), with ?a = a, ?b = x, ?c = y
       = a*(x + y)
    """

    sources: tuple[Term, ...]
    targets: tuple[Term, ...]
    steps: tuple[Step, ...] = ()
    assumptions: tuple[Assumption, ...] = ()
    """What steps use of the source's value being finite."""
    licence: FastMath = FastMath.GUARDED
    own: tuple[Rule, ...] = ()
    """Rules that are not in the library, which steps may use."""
    explained: bool = True
    """Whether the steps lead from the sources to the targets."""
    why: str = ""
    """If they do not: why not. If there are no steps: what that means."""
    laws: tuple[Rule, ...] = field(default=())
    """If they do not: laws that are enough, where such are known."""
    parts: "tuple[Part, ...]" = ()
    """In place of steps: derivations of each result, or of each side of a branch."""

    @property
    def _all_steps(self) -> tuple[Step, ...]:
        return self.steps + tuple(step for part in self.parts for step in part.explanation)

    @overload
    def __getitem__(self, at: int) -> Step: ...
    @overload
    def __getitem__(self, at: slice) -> tuple[Step, ...]: ...
    def __getitem__(self, at: int | slice) -> Step | tuple[Step, ...]:
        """Return a step, or several; those of parts follow each other."""
        return self._all_steps[at]

    def __len__(self) -> int:
        """Count the steps."""
        return len(self._all_steps)

    def __iter__(self) -> Iterator[Step]:
        """Go through the steps in order."""
        return iter(self._all_steps)

    @property
    def rules(self) -> tuple[Rule, ...]:
        """The rules that the steps use, each once; arithmetic on constants is none."""
        if not self.explained:
            return self.laws
        return tuple(dict.fromkeys(step.rule for step in _all(self) if step.rule is not None))

    def check(self) -> None:
        """Replay every step by itself, without the engine that found it.

        Raise `ExplanationError` that names the first step which does not hold.
        """
        from rewrite.egraph.replay import replay

        replay(self)

    def __str__(self) -> str:
        """Write as a derivation: each step as its law, and the term that it makes."""
        if not self.explained:
            found = [f"{rule!r}    [{rule.licence.name}]" for rule in self.laws]
            return "\n".join([self.why, *found])
        if self.parts:
            return "\n".join(map(str, self.parts))
        if not self.steps:
            same = self.sources == self.targets
            return self.why or ("as written" if same else "the same, written otherwise")
        width = len(str(len(self.steps))) + 2
        lines: list[str] = []
        shown = -1
        for number, step in enumerate(self.steps, 1):
            if step.result != shown:
                shown = step.result
                if len(self.sources) > 1:
                    lines.append(f"result {shown}:")
                lines.append(" " * width + repr(step.before))
            law, after = str(step).split("\n", 1)
            lines += [f"{number}.".ljust(width) + law, " " * width + after]
        if self.assumptions:
            lines.append("where the value is finite: " + ", ".join(map(str, self.assumptions)))
        return "\n".join(lines)

    def latex(self) -> str:
        """Write as an aligned derivation in LaTeX, each line with the name of its law."""
        from rewrite.egraph.derivation import latex

        return latex(self)

    def _repr_latex_(self) -> str | None:
        from rewrite.printing import displayed

        return displayed(self.latex()) if len(self) else None

    def _repr_html_(self) -> str:
        from rewrite.egraph.derivation import html

        return html(self)

    def __repr__(self) -> str:
        """Show how many steps there are."""
        if not self.explained:
            return f"<Explanation: none; {self.why}>"
        count = len(self)
        return f"<Explanation of {count} step{'s' if count != 1 else ''}>"


@dataclass(frozen=True, slots=True)
class Part:
    """The derivation of one result, everywhere or on one side of a branch.

    Where there is a condition, the symbol that it is about has a domain of the points where the
    condition holds, in all terms of the derivation.
    """

    result: int
    condition: Term | None
    explanation: Explanation

    @property
    def title(self) -> str:
        """What it is about."""
        return f"result {self.result}" if self.condition is None else f"where {self.condition!r}"

    def __str__(self) -> str:
        """Write the title, and the derivation below it."""
        steps = str(self.explanation)
        if not len(self.explanation) and self.explanation.explained:
            (target,) = self.explanation.targets
            steps = f"   {target!r}, {steps}"
        return f"{self.title}:\n{steps}"


def _all(steps: Iterable[Step]) -> Iterator[Step]:
    """Yield the steps, and those that their conditions rest on."""
    for step in steps:
        yield step
        for because in step.because:
            for meeting in because.meetings:
                yield from _all(meeting.steps)
