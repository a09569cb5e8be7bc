"""The list of certificates in the rules' README, generated: one row a rule, counts on top."""

import collections
import pathlib
from collections.abc import Iterable
from typing import Final

import rewrite.rules
from rewrite.certificates import KINDS, Certificate
from rewrite.fastmath import FastMath
from rewrite.rule import Rule
from rewrite.rules import FAMILIES, OTHER_SORTS

__all__ = ["PAGE", "START", "listed", "row", "rules", "updated"]

PAGE: Final = pathlib.Path(rewrite.rules.__file__).parent / "README.md"
START: Final = "<!-- generated: python -m rewrite.certificates -->\n"
HEADER: Final = (
    "| rule | law | licence | certificate |\n",
    "|------|-----|---------|-------------|\n",
)


def rules() -> list[Rule]:
    """Return every rule that is shipped, in the order of the tables."""
    groups = [g for family in (FAMILIES | OTHER_SORTS).values() for g in family]
    return [rule for group in groups for rule in group]


def row(rule: Rule, known: Certificate) -> str:
    """Write a rule as a row of the table."""
    law = rule.law().replace("?", "").replace("|", "\\|")
    flags = (rule.licence.name or "").lower().replace("|", " ")
    licence = "none" if rule.licence == FastMath.NONE else flags
    return f"| `{rule.name}` | `{law}` | {licence} | {known} |\n"


def listed(known: Iterable[tuple[Rule, Certificate]]) -> str:
    """Write counts by kind, and the table."""
    pairs = list(known)
    counts = collections.Counter(certificate.kind for _, certificate in pairs)
    proved = sum(certificate.proved for _, certificate in pairs)
    lines = [
        START,
        f"Of {len(pairs)} rules {proved} are proved, {100 * proved / len(pairs):.1f} %.\n\n",
        "| kind | rules | what it says |\n|------|------:|--------------|\n",
        *(f"| {kind} | {counts[kind]} | {text} |\n" for kind, text in KINDS.items()),
        "\n",
        *HEADER,
        *(row(rule, certificate) for rule, certificate in pairs),
    ]
    return "".join(lines)


def updated(text: str) -> str:
    """Return the page with the list made anew; it is the end of the page."""
    head, _, _ = text.partition(START)
    return head + listed((rule, rule.certificate) for rule in rules())
