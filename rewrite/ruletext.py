"""How rules look: a law as LaTeX, a rule set as a table."""

from typing import Final

from rewrite.printing import latex, words
from rewrite.rule import Rule, RuleSet
from rewrite.tables import Section, Table, cut
from rewrite.term import Term

__all__ = ["latex_of", "table_of"]

WIDEST: Final = 120
"""Letters of a law in a table."""


def latex_of(rule: Rule) -> str:
    r"""Write a law as LaTeX, with its name.

    >>> from rewrite.rules.arithmetic import COMMUTATIVITY
    >>> print(latex_of(COMMUTATIVITY["add-comm"]))
    \texttt{add-comm}:\quad a + b \rightarrow b + a
    """
    right = latex(rule.rhs) if isinstance(rule.rhs, Term) else words(repr(rule.rhs))
    given = "\\quad " + words(f"if {', '.join(map(repr, rule.where))}") if rule.where else ""
    return f"{words(rule.name, 'texttt')}:\\quad {latex(rule.lhs)} \\rightarrow {right}{given}"


def table_of(rules: RuleSet, most: int) -> Table:
    """List the laws of a set, `most` of them."""
    shown = rules.rules[:most]
    rows = tuple((r.name, cut(r.law(), WIDEST), r.licence.name or "") for r in shown)
    left = len(rules) - len(shown)
    notes = (f"{left} more rules are not listed; table(most=) shows them",) if left else ()
    title = f"{rules.name}: {len(rules)} rules"
    return Table(notes, (Section(title, ("rule", "law", "licence"), rows),))
