"""`lambdify`: SymPy's function of that name, with machine code behind the function it returns."""

import itertools
import linecache
import textwrap
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from keyword import iskeyword
from typing import Any, Final

import numpy as np

from codegen.compile import compile_kernel
from codegen.kernel import MOST_OPERANDS
from rewrite.errors import ArgumentError, UnsupportedOp
from rewrite.leaves import symbol
from rewrite.sorts import BOOL
from rewrite.term import Term, current_store

__all__ = ["lambdify"]

_COMPILED: Final = ("numpy", "math", "scipy", "numexpr", "numba", "rewrite")
"""Modules that compute in the numbers that kernels compute in."""
_NAME: Final = "_lambdifygenerated"
_LONG: Final = 85  # letters of the expression in the source
_files: Final = itertools.count(1)


def lambdify(
    args: Any, expr: Any, modules: Any = None, printer: Any = None, use_imps: bool = True,
    dummify: bool | None = None, cse: Any = False, docstring_limit: int | None = 1000,
    **options: Any,
) -> Callable[..., Any]:  # fmt: skip
    """Return a function of numbers and arrays for a SymPy expression, as `sympy.lambdify` does.

    `args` are symbols (also functions such as f(t) and derivatives), nested lists of them, a text
    such as "x, y", a matrix of symbols, a `MatrixSymbol`, an `IndexedBase`. `expr` is an
    expression, a matrix or an array, or lists, tuples and dictionaries of these; results have its
    structure, with arrays for matrices, whose own axes come before those of the arguments.

    It is compiled by `rw.compile`, which takes `options` (`math`, `target`, `dtype`, `parallel`,
    `optimize_terms`, ...); the function has it as `kernel`. Numbers are real float64: division by
    zero gives an infinity, and numbers of results are `np.float64`. `modules` may name functions
    and constants ({"f": function}); functions are applied to terms, and have to be of operators
    and NumPy's functions; so are those of `implemented_function`. Names of modules other than
    NumPy's, SciPy's, `math` and `numexpr` are refused, as they ask for other numbers; with SciPy's,
    sparse matrices are SciPy's. Equal parts
    are always shared: `cse` is called where it is a function, and `dummify` has no use.

    Raise `UnsupportedOp` that names a function that terms do not have, `ArgumentError` for symbols
    that no argument brings.

    >>> import sympy
    >>> x, y = sympy.symbols("x y")
    >>> lambdify([x, y], sympy.sqrt(x) + y)(4, 1)
    np.float64(3.0)
    >>> lambdify((x, [y]), [x + y, sympy.Matrix([[x, 0]])])(1.0, [2.0])
    [np.float64(3.0), array([[1., 0.]])]
    """
    from rewrite.io.sympy_reader import Reader

    if printer is not None:
        raise ArgumentError("printer= writes Python text, and rw.lambdify writes none")
    functions = _functions(modules)
    exprs = _read_text(expr)
    if callable(cse):
        exprs = _after_cse(cse, exprs)
    reader = Reader(current_store(), functions, {}, use_imps=use_imps)
    form = _Arguments(reader)
    form.read(args)
    results = _Results(reader, sparse=_names_scipy(modules))
    template = results.add(exprs)
    text, scope = _written(form, results, template, options, " ".join(str(expr).split())[:_LONG])
    return _function(text, scope, _doc(form.names, expr, text, docstring_limit))


def _functions(modules: Any) -> dict[str, Any]:
    """Return the functions and constants that the caller names; refuse other modules."""
    made: dict[str, Any] = {}
    listed = modules if isinstance(modules, (list, tuple)) else [modules]
    for each in reversed(listed):  # the first has the last word
        if isinstance(each, Mapping):
            made |= each
        elif each is not None:
            name = each if isinstance(each, str) else getattr(each, "__name__", repr(each))
            if name not in _COMPILED:
                raise UnsupportedOp(
                    f"modules={name!r} asks for numbers or arrays that kernels do not compute in; "
                    f"use sympy.lambdify for it, or one of {', '.join(_COMPILED)}"
                )
    return made


def _names_scipy(modules: Any) -> bool:
    listed = modules if isinstance(modules, (list, tuple)) else [modules]
    return any(each == "scipy" or getattr(each, "__name__", "") == "scipy" for each in listed)


def _read_text(expr: Any) -> Any:
    """Let SymPy read text, also inside of structures."""
    import sympy as sp

    if isinstance(expr, str):
        return sp.sympify(expr)
    if isinstance(expr, dict):
        return {_read_text(key): _read_text(value) for key, value in expr.items()}
    if isinstance(expr, (list, tuple)):
        return type(expr)(map(_read_text, expr)) if type(expr) in (list, tuple) else expr
    return expr


def _after_cse(cse: Callable[[Any], Any], expr: Any) -> Any:
    """Call the caller's own elimination, and put back what it took out: terms share it again."""
    if isinstance(expr, dict):
        return expr
    flat = list(expr) if isinstance(expr, (list, tuple)) else [expr]
    taken, reduced = cse(flat)
    known: dict[Any, Any] = {}
    for name, part in taken:
        if part is not None:  # None says that a name is free again
            known[name] = part.xreplace(known)
    back = [each.xreplace(known) for each in reduced]
    return type(expr)(back) if isinstance(expr, (list, tuple)) else back[0]


# -- arguments -------------------------------------------------------------------------------


class _Arguments:
    """What the function takes: names for Python, terms for the kernel, and what is between."""

    def __init__(self, reader: Any) -> None:
        self.reader = reader
        self.names: list[str] = []
        self.lines: list[str] = []
        self.leaves: list[tuple[Any, str]] = []
        """What each argument of the kernel is in SymPy, and its name in Python."""
        self.taken = set(_TAKEN)

    def read(self, args: Any) -> None:
        """Read all arguments."""
        import sympy as sp

        if isinstance(args, (set, frozenset)):
            raise ArgumentError("a set of arguments has no order: give a list")
        if isinstance(args, str):
            args = sp.symbols(args)
        if isinstance(args, sp.MatrixBase):
            args = args.flat()
        listed = args if isinstance(args, (list, tuple, sp.Tuple)) or _is_iterator(args) else [args]
        for each in listed:
            if isinstance(each, (list, tuple, sp.Tuple, sp.MatrixBase)):
                name = self.fresh("_arg")
                self.lines.append(f"{self.pattern(each)} = {_flat(each, name)}")
            else:
                name = self.leaf(each)
            self.names.append(name)

    def pattern(self, args: Any) -> str:
        """Write what takes a nested argument apart."""
        import sympy as sp

        flat = args.flat() if isinstance(args, sp.MatrixBase) else args
        parts = [
            self.pattern(each) if isinstance(each, (list, tuple, sp.Tuple)) else self.leaf(each)
            for each in flat
        ]
        return f"[{', '.join(parts)}]"

    def leaf(self, part: Any) -> str:
        """Note one argument, and return its name in Python."""
        import sympy as sp
        from sympy.tensor.array.expressions import ArraySymbol

        part = sp.Symbol(part) if isinstance(part, str) else part
        if isinstance(part, (sp.MatrixSymbol, sp.IndexedBase, ArraySymbol)):
            shown = str(getattr(part, "label", part.name))
        elif isinstance(part, sp.Symbol) and not isinstance(part, sp.Dummy):
            shown = part.name
        elif isinstance(part, (sp.Dummy, sp.Function, sp.Derivative, sp.Idx)) or (
            isinstance(part, sp.AtomicExpr) and not part.is_number
        ):
            shown = ""
        else:
            raise ArgumentError(f"{part!r} cannot be an argument: it is no symbol, and no function")
        usable = shown.isidentifier() and not iskeyword(shown) and shown not in self.taken
        name = shown if usable else self.fresh("_x")
        self.taken.add(name)
        self.leaves.append((part, name))
        if not isinstance(part, (sp.Symbol, sp.MatrixSymbol, sp.IndexedBase, ArraySymbol)):
            self.reader.bound[part] = symbol(f"part{name}").id
            self.reader.bound_types.add(type(part))
        elif not shown.isidentifier():
            self.reader.renamed[part] = f"part{name}"
        return name

    def fresh(self, stem: str) -> str:
        """Return a name that nothing has."""
        name = next(f"{stem}{k}" for k in itertools.count(1) if f"{stem}{k}" not in self.taken)
        self.taken.add(name)
        return name

    def passed(self) -> Iterator[tuple[Any, str]]:
        """Say of each argument of the kernel what terms it is of, and what is passed for it."""
        import sympy as sp

        for part, name in self.leaves:
            if not hasattr(part, "shape") or isinstance(part, sp.Symbol):
                yield Term(self.reader.store, self.reader.read(part)), name
                continue
            known = self.reader.elements.get(part, {})
            declared = part.shape
            if declared is None and not known:
                continue  # an array none of whose elements are used
            shape = _shape(part, declared, known)
            elements = np.empty(shape, object)
            for place in np.ndindex(*shape):
                elements[place] = Term(self.reader.store, self.reader.element(part, place))
            yield elements.tolist(), _given(name, shape, declared)


_TAKEN: Final = ("kernel", "np", "r", "plain", "packed", "column", "coo_matrix")


def _is_iterator(args: Any) -> bool:
    import sympy as sp

    return hasattr(args, "__iter__") and not isinstance(args, (sp.Basic, sp.MatrixBase, str))


def _flat(part: Any, name: str) -> str:
    import sympy as sp

    return f"np.ravel({name})" if isinstance(part, sp.MatrixBase) else name


def _shape(part: Any, declared: Any, known: Mapping[tuple[int, ...], Any]) -> tuple[int, ...]:
    """Return the shape of an array argument: as it says, or as far as its elements are used."""
    if declared is None:
        return tuple(max(sizes) + 1 for sizes in zip(*known, strict=True))
    if not all(getattr(size, "is_Integer", isinstance(size, int)) for size in declared):
        raise ArgumentError(f"the array argument {part} has no fixed shape: {declared}")
    return tuple(map(int, declared))


def _given(name: str, shape: tuple[int, ...], declared: Any) -> str:
    """Write what is passed for an array: as much of it as is used, a vector as a column."""
    if declared is None:
        return f"np.asarray({name})[{', '.join(f':{size}' for size in shape)}]"
    return f"column({name}, {shape!r})" if len(shape) == 2 and 1 in shape else name


def _column(value: Any, shape: tuple[int, ...]) -> Any:
    """Take a vector for a matrix of one row or column."""
    array = np.asarray(value)
    return array.reshape(shape) if array.ndim == 1 else array


# -- results ---------------------------------------------------------------------------------


class _Results:
    """What the kernel computes, and how its results are put together."""

    def __init__(self, reader: Any, *, sparse: bool) -> None:
        self.reader, self.sparse = reader, sparse
        self.terms: list[Any] = []

    def add(self, expr: Any) -> str:
        """Note the terms of a structure, and write how it is made of results `r`."""
        import sympy as sp
        from sympy.tensor.array.expressions import ArraySymbol

        if isinstance(expr, dict):
            pairs = (f"{self.add(key)}: {self.add(value)}" for key, value in expr.items())
            return "{" + ", ".join(pairs) + "}"
        if isinstance(expr, list):
            return "[" + ", ".join(map(self.add, expr)) + "]"
        if isinstance(expr, (tuple, sp.Tuple)):
            return "(" + "".join(f"{self.add(each)}, " for each in expr) + ")"
        if isinstance(expr, (sp.MatrixExpr, ArraySymbol)):
            expr = expr.as_explicit()
        if self.sparse and isinstance(expr, (sp.SparseMatrix, sp.ImmutableSparseMatrix)):
            return self.coordinates(expr)
        if isinstance(expr, (sp.MatrixBase, sp.NDimArray)):
            return self.array(expr)
        term = self.reader.convert(expr)
        self.terms.append(term)
        place = f"r[{len(self.terms) - 1}]"
        return f"plain({place})" if term.sort == BOOL else place

    def coordinates(self, expr: Any) -> str:
        """Note the elements of a sparse matrix, and write SciPy's matrix of them."""
        import sympy as sp

        places = sorted(expr.todok())
        rows, columns = ([place[axis] for place in places] for axis in (0, 1))
        values = self.array(sp.Array([expr[place] for place in places])) if places else "[]"
        return f"coo_matrix(({values}, ({rows}, {columns})), shape={tuple(map(int, expr.shape))})"

    def array(self, expr: Any) -> str:
        """Note an array; kernels have results of at most two axes."""
        if 0 in expr.shape:
            return f"np.zeros({tuple(map(int, expr.shape))!r})"
        made = self.reader.convert(expr)
        place = f"r[{len(self.terms)}]"
        if made.ndim > 2:
            self.terms.append(made.ravel())
            return f"{place}.reshape({made.shape!r} + {place}.shape[1:])"
        self.terms.append(made)
        return place


def _plain(truth: Any) -> Any:
    """Return a single truth value as Python's."""
    return truth if np.ndim(truth) else bool(truth)


def _packed(*values: Any) -> Any:
    """Put many numbers, or arrays of one shape, into one array."""
    return np.stack(np.broadcast_arrays(*values))


def _written(
    form: _Arguments, results: _Results, template: str, options: Mapping[str, Any], about: str
) -> tuple[str, dict[str, Any]]:
    """Compile the kernel, and write the function that calls it."""
    passed = list(form.passed())
    scope: dict[str, Any] = {"np": np, "plain": _plain, "column": _column, "packed": _packed}
    if results.sparse:
        from scipy.sparse import coo_matrix

        scope["coo_matrix"] = coo_matrix
    exprs: Any = tuple(results.terms)
    call = ", ".join(text for _, text in passed)
    given = [term for term, _ in passed]
    if len(passed) + len(exprs) > MOST_OPERANDS and not any(isinstance(t, list) for t in given):
        given, call = [given], f"packed({call})"
        if len(exprs) > 1 and all(isinstance(term, Term) for term in exprs):
            exprs = list(exprs)
    single = template == "r[0]" and len(results.terms) == 1
    if results.terms:
        chosen = exprs[0] if single else exprs
        scope["kernel"] = compile_kernel(
            given, chosen, **{"name": _NAME, "batch_axis": -1, **options}
        )
    lines = [f"def {_NAME}({', '.join(form.names)}):", f"    # {about}"]
    lines += [*(f"    {line}" for line in form.lines)]
    if single:
        lines.append(f"    return kernel({call})")
    else:
        lines += [f"    r = kernel({call})"] if results.terms else []
        lines.append(f"    return {template}")
    return "\n".join(lines) + "\n", scope


# -- the function ----------------------------------------------------------------------------


def _function(text: str, scope: dict[str, Any], doc: Callable[[], str]) -> Callable[..., Any]:
    """Make the function, whose source `inspect.getsource` shows."""
    file = f"<lambdified-{next(_files)}>"
    exec(compile(text, file, "exec"), scope)
    made: Any = scope[_NAME]
    linecache.cache[file] = (len(text), None, text.splitlines(keepends=True), file)
    weakref.finalize(made, linecache.cache.pop, file, None).atexit = False
    made.__doc__, made.kernel = doc(), scope.get("kernel")
    return made  # type: ignore[no-any-return]


def _doc(names: Sequence[str], expr: Any, text: str, limit: int | None) -> Callable[[], str]:
    """Say what SymPy's functions say: the signature, the expression and the source."""

    def write() -> str:
        called = f"func({', '.join(names)})"
        signature = "\n".join(textwrap.wrap(called, subsequent_indent=" " * 8))
        shown = f"EXPRESSION REDACTED DUE TO LENGTH, {_REDACTED}"
        if limit is None or limit > 0:
            whole = str(expr)
            if limit is None or len(whole) <= limit:
                shown = whole if len(whole) <= 78 else whole[:75] + "..."
        return (
            f"Created with lambdify. Signature:\n\n{signature}\n\nExpression:\n\n{shown}\n\n"
            f"Source code:\n\n{text}\n\nThe machine code is that of `kernel`.\n"
        )

    return write


_REDACTED: Final = "(see lambdify's `docstring_limit`)"
