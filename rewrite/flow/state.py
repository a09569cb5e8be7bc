"""`State`: what names mean at a place of a function, and on which ways control has left it."""

from dataclasses import dataclass, field
from typing import Any

from rewrite.flow.values import Truth, Unset, chosen, conjunction, disjunction, negation

__all__ = ["State", "joined"]


@dataclass
class State:
    """Names, and where the function has returned, its loop been left, or the step been ended."""

    names: dict[str, Any]
    returned: Truth = False
    broken: Truth = False
    skipped: Truth = False
    result: Any = field(default_factory=lambda: Unset("the result"))

    @property
    def left(self) -> Truth:
        """Where nothing more is done in this step of a loop."""
        return disjunction(disjunction(self.returned, self.broken), self.skipped)

    def branch(self) -> "State":
        """Return a state for what is done only where nothing has been left."""
        return State(dict(self.names))


def joined(condition: Truth, a: State, b: State) -> State:
    """Return the state in which a holds where the condition does, and b elsewhere."""
    if isinstance(condition, bool):
        return a if condition else b
    names = {}
    for name in dict.fromkeys((*a.names, *b.names)):
        one, other = (state.names.get(name, Unset(name)) for state in (a, b))
        if a.returned is True or b.returned is True:  # nobody looks at names there any more
            names[name] = other if a.returned is True else one
        else:
            names[name] = chosen(condition, one, other, name)
    found = State(names)
    for flag in ("returned", "broken", "skipped"):
        setattr(found, flag, _flag(condition, getattr(a, flag), getattr(b, flag)))
    if isinstance(a.result, Unset) or isinstance(b.result, Unset):
        found.result = b.result if isinstance(a.result, Unset) else a.result
    else:
        found.result = chosen(condition, a.result, b.result, "the result")
    return found


def _flag(condition: Truth, a: Truth, b: Truth) -> Truth:
    if a is b:
        return a
    return disjunction(conjunction(condition, a), conjunction(negation(condition), b))
