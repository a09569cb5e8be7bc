"""The source of a function as Python's syntax tree, and places in it for messages."""

import ast
import builtins
import inspect
import textwrap
import tokenize
import types
from collections import ChainMap
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, NoReturn

from rewrite.errors import RewriteError, TraceError

__all__ = ["Source", "assigned", "source_of"]


_MISTAKES: Final = (
    RewriteError, ArithmeticError, ValueError, TypeError, LookupError, AttributeError
)  # fmt: skip


class Placed(TraceError):
    """A `TraceError` whose message has the line."""


@dataclass(frozen=True)
class Source:
    """A function with its tree; lines are those of its file."""

    fn: types.FunctionType
    tree: ast.FunctionDef | ast.Lambda
    lines: tuple[str, ...]
    filename: str
    first: int

    @cached_property
    def local(self) -> frozenset[str]:
        """The names that the function assigns to, its arguments among them."""
        code = self.fn.__code__
        return frozenset((*code.co_varnames, *code.co_cellvars))

    @cached_property
    def around(self) -> Mapping[str, Any]:
        """What names mean that are not local: those of the closure, the module and Python."""
        cells = zip(self.fn.__code__.co_freevars, self.fn.__closure__ or (), strict=True)
        held = {name: cell.cell_contents for name, cell in cells if _is_filled(cell)}
        return ChainMap(held, self.fn.__globals__, vars(builtins))

    def place(self, node: ast.AST) -> str:
        """Return the line of a node, as Python's tracebacks write it."""
        line = getattr(node, "lineno", 1)
        text = self.lines[line - 1].strip() if line <= len(self.lines) else ""
        at = f'File "{self.filename}", line {self.first + line - 1}, in {self.fn.__qualname__}'
        return f"  {at}\n    {text}"

    def refuse(self, message: str, node: ast.AST) -> NoReturn:
        """Raise a `TraceError` that names the line."""
        raise Placed(f"{message}\n{self.place(node)}")

    @contextmanager
    def placed(self, node: ast.AST) -> Iterator[None]:
        """Name the line of what goes wrong inside, unless that has named its own."""
        try:
            yield
        except Placed:
            raise
        except _MISTAKES as error:
            self.refuse(str(error) or type(error).__name__, node)


def source_of(fn: Callable[..., Any]) -> Source:
    """Return the source of a plain Python function; raise `TraceError` where there is none."""
    fn = inspect.unwrap(fn)
    if not isinstance(fn, types.FunctionType):
        raise TraceError(f"{fn!r} is no Python function, whose control flow could be read")
    try:
        lines, first = inspect.getsourcelines(fn)
    except (OSError, TypeError, SyntaxError, tokenize.TokenError):  # of a text that changed, too
        raise TraceError(
            f"the source of {fn.__qualname__} cannot be read: define it in a file or a notebook"
        ) from None
    text = textwrap.dedent("".join(lines))
    try:
        module = ast.parse(text)
    except SyntaxError:  # a lambda in the middle of something
        raise TraceError(
            f"the source of {fn.__qualname__} is no statement of its own: use def"
        ) from None
    found = [
        node for node in ast.walk(module)
        if isinstance(node, (ast.FunctionDef, ast.Lambda)) and _is_of(node, fn)
    ]  # fmt: skip
    if len(found) != 1:
        raise TraceError(f"{fn.__qualname__} is not one function in its lines: use def")
    filename = inspect.getsourcefile(fn) or "<function>"
    return Source(fn, found[0], tuple(text.splitlines()), filename, first)


def _is_of(node: ast.FunctionDef | ast.Lambda, fn: types.FunctionType) -> bool:
    name = node.name if isinstance(node, ast.FunctionDef) else "<lambda>"
    args = [arg.arg for arg in (*node.args.posonlyargs, *node.args.args)]
    return name == fn.__name__ and args == list(fn.__code__.co_varnames[: len(args)])


def _is_filled(cell: Any) -> bool:
    try:
        _ = cell.cell_contents
    except ValueError:
        return False
    return True


def assigned(nodes: list[ast.stmt]) -> list[str]:
    """Return the names that statements assign to, in order, without those of inner functions."""
    found: dict[str, None] = {}
    waiting: list[ast.AST] = list(reversed(nodes))
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            found[node.id] = None
        if not isinstance(node, (ast.FunctionDef, ast.Lambda)):
            waiting.extend(reversed(list(ast.iter_child_nodes(node))))
    return list(found)
