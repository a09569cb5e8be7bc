"""`diff`, `gradient`, `jacobian`, `hessian`, `jvp`, `vjp`, `hvp`: of terms, and of NumPy functions.

What they do with terms is in `strategies.calculus.derivatives`. Given a function, or used as a
decorator, they return a function that is traced and compiled on its first call, as `rw.grad` does;
it can be called with terms, and nested. Options beside those named are those of `rw.jit`.
"""

import functools
from typing import Any

from rewrite.array import TermArray
from rewrite.errors import ArgumentError
from rewrite.term import Term
from strategies.calculus import derivatives as of_terms

__all__ = ["diff", "gradient", "hessian", "hvp", "jacobian", "jvp", "vjp"]


def diff(f: Any = None, x: Any = None, n: int = 1, *, argnums: int = 0, **options: Any) -> Any:
    """Differentiate n times: a term, or each of an array, by a symbol; a function by an argument.

    Raise `ArgumentError` where `x` is no symbol, `UnsupportedOp` for an op without a derivative;
    ops of steps, such as floor, have the derivative 0, and a `DerivativeWarning` says so.

    >>> import numpy as np, rewrite as rw
    >>> x = rw.symbol("x")
    >>> diff(rw.sin(x**2), x), diff(x**3, x, 2)
    (2*x*cos(x**2), 3*(2*x))
    >>> diff(lambda u: u**3, n=2)(2.0)
    np.float64(12.0)
    """
    if f is None:
        return functools.partial(diff, n=n, argnums=argnums, **options)
    if not _is_function(f, x):
        return of_terms.diff(f, _symbols(x, options), n)
    return _traced().repeated(f, n, argnums, options)


def gradient(f: Any = None, xs: Any = None, *, argnums: int = 0, **options: Any) -> Any:
    """Return the derivatives of one term by an array of symbols, in its shape; see also `grad`.

    >>> import rewrite as rw
    >>> x, y = rw.symbols("x y")
    >>> gradient(x * y + x, [x, y])
    TermArray([1 + y, x])
    """
    if f is None:
        return functools.partial(gradient, argnums=argnums, **options)
    if not _is_function(f, xs):
        return of_terms.gradient(f, _symbols(xs, options))
    return _traced().repeated(f, 1, argnums, options)


def jacobian(
    f: Any = None, xs: Any = None, *, mode: of_terms.Mode = "auto", argnums: int = 0, **options: Any
) -> Any:
    """Return the derivatives of all terms of `f` by all symbols of `xs`, or those of a function.

    The shape is that of `f` followed by that of `xs`; that of what a function returns followed by
    that of its argument. `mode` is "forward" (from the inputs up), "reverse" (from each output
    down), "mixed" (nodes between are eliminated one by one, from where few edges meet), or "auto",
    which counts the operations of each beforehand.

    >>> import numpy as np, rewrite as rw
    >>> x, y = rw.symbols("x y")
    >>> jacobian([x * y, x + 1], [x, y])
    TermArray([[y, x],
     [1, 0]])
    >>> jacobian(lambda u: u[::-1] * u, arrays=["u"])(np.array([2.0, 3.0])).tolist()
    [[3.0, 2.0], [3.0, 2.0]]
    """
    if f is None:
        return functools.partial(jacobian, mode=mode, argnums=argnums, **options)
    if not _is_function(f, xs):
        return of_terms.jacobian(f, _symbols(xs, options), mode=mode)

    return _traced().derivative("jacobian", f, argnums, options, mode=mode)


def hessian(f: Any = None, xs: Any = None, *, argnums: int = 0, **options: Any) -> Any:
    """Return the second derivatives of one term by an array of symbols, or those of a function.

    It is symmetric, and its shape is that of `xs`, or of the argument, twice.

    >>> import numpy as np, rewrite as rw
    >>> x, y = rw.symbols("x y")
    >>> hessian(x * x * y, [x, y])
    TermArray([[2*y, 2*x],
     [2*x, 0]])
    >>> hessian(lambda u: u[0] * u[1], arrays=["u"])(np.ones(2)).tolist()
    [[0.0, 1.0], [1.0, 0.0]]
    """
    if f is None:
        return functools.partial(hessian, argnums=argnums, **options)
    if not _is_function(f, xs):
        return of_terms.hessian(f, _symbols(xs, options))

    return _traced().derivative("hessian", f, argnums, options, fn=f)


def jvp(f: Any = None, xs: Any = None, v: Any = None, *, argnums: int = 0, **options: Any) -> Any:
    """Return the derivative along `v`, the Jacobian times a vector, without the Jacobian.

    Of terms, `v` has a term or a number for each symbol of `xs`; the result has the form of `f`. Of
    a function, it is a function that takes the vector after the argument.

    >>> import rewrite as rw
    >>> x, y, a, b = rw.symbols("x y a b")
    >>> jvp(x * y, [x, y], [a, b])
    a*y + b*x
    >>> jvp(lambda u, k: k * u * u)(3.0, 1.0, 2.0)  # u, v, k
    np.float64(12.0)
    """
    if f is None:
        return functools.partial(jvp, argnums=argnums, **options)
    if not _is_function(f, xs):
        return of_terms.jvp(f, _symbols(xs, options), v)

    return _traced().derivative("jvp", f, argnums, options)


def vjp(f: Any = None, xs: Any = None, w: Any = None, *, argnums: int = 0, **options: Any) -> Any:
    """Return a vector times the Jacobian, without the Jacobian.

    Of terms, `w` has a term or a number for each term of `f`; the result has the shape of `xs`. Of
    a function, it is a function that takes the vector after the argument; where `arrays` are named,
    it is passed whole too.

    >>> import rewrite as rw
    >>> x, y, a, b = rw.symbols("x y a b")
    >>> vjp([x * y, x], [x, y], [a, b])
    TermArray([b + a*y, a*x])
    """
    if f is None:
        return functools.partial(vjp, argnums=argnums, **options)
    if not _is_function(f, xs):
        return of_terms.vjp(f, _symbols(xs, options), w)

    return _traced().derivative("vjp", f, argnums, options)


def hvp(f: Any = None, xs: Any = None, v: Any = None, *, argnums: int = 0, **options: Any) -> Any:
    """Return the Hessian of one term times a vector, without the Hessian.

    It is the derivative of the gradient along `v`: at most a few times the work of the term. Of a
    function, it is a function that takes the vector after the argument.

    >>> import rewrite as rw
    >>> x, y, a, b = rw.symbols("x y a b")
    >>> hvp(x * x * y, [x, y], [a, b])
    TermArray([2*(b*x + a*y), 2*(a*x)])
    """
    if f is None:
        return functools.partial(hvp, argnums=argnums, **options)
    if not _is_function(f, xs):
        return of_terms.hvp(f, _symbols(xs, options), v)

    return _traced().derivative("hvp", f, argnums, options, fn=f)


# -- how -------------------------------------------------------------------------------------


def _is_function(f: Any, xs: Any) -> bool:
    if not callable(f) or isinstance(f, (Term, TermArray)):
        return False
    if xs is not None:
        raise ArgumentError(
            f"{getattr(f, '__name__', f)} is a function: give argnums= for the argument that it is "
            "differentiated by, and call what is returned with values"
        )
    return True


def _symbols(xs: Any, options: dict[str, Any]) -> Any:
    """Return the symbols that terms are differentiated by, after checking that there are some."""
    if options:
        raise ArgumentError(f"{', '.join(options)}: options are for functions, not for terms")
    if xs is None:
        raise ArgumentError("give the symbols by which terms are differentiated")
    return xs


def _traced() -> Any:
    from codegen.calculus import traced  # loads the compiler, which terms do not need

    return traced
