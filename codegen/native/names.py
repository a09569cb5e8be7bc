"""Names that C and C++ programs can use, made of any text: `λ` is lambda, `int` is int_."""

import re
import unicodedata
from collections.abc import Iterable
from typing import Final

__all__ = ["KEYWORDS", "LIBRARY", "function_name", "identifier", "unique"]

KEYWORDS: Final = frozenset(
    # C23
    "alignas alignof auto bool break case char const constexpr continue default do double else "
    "enum extern false float for goto if inline int long nullptr register restrict return short "
    "signed sizeof static static_assert struct switch thread_local true typedef typeof "
    "typeof_unqual union unsigned void volatile while "
    # C++23
    "and and_eq asm bitand bitor catch char8_t char16_t char32_t class co_await co_return "
    "co_yield compl concept const_cast consteval constinit decltype delete dynamic_cast explicit "
    "export final friend import module mutable namespace new noexcept not not_eq operator or "
    "or_eq override private protected public reinterpret_cast requires static_cast template this "
    "throw try typeid typename using virtual wchar_t xor xor_eq "
    # macros of common headers and compilers
    "assert complex errno far huge I imaginary linux near NULL offsetof signbit stderr stdin "
    "stdout unix EOF FILE INFINITY NAN HUGE HUGE_VAL DOMAIN OVERFLOW UNDERFLOW SING PLOSS TLOSS "
    "isfinite isinf isnan isnormal fpclassify isgreater isless isunordered math_errhandling "
    "size_t ptrdiff_t".split()
)
"""What no parameter can be called: keywords, and macros that a header of ours may meet."""

_MATH = (
    "acos acosh asin asinh atan atan2 atanh cbrt ceil copysign cos cosh drem erf erfc exp exp2 "
    "exp10 expm1 fabs fdim finite floor fma fmax fmin fmod frexp gamma hypot ilogb j0 j1 jn ldexp "
    "lgamma llrint llround log log10 log1p log2 logb lrint lround modf nan nearbyint nextafter "
    "nexttoward pow pow10 remainder remquo rint round roundeven scalb scalbln scalbn significand "
    "sin sincos sinh sqrt tan tanh tgamma trunc y0 y1 yn"
).split()
_COMMON = (
    "abort abs accept alarm atexit atof atoi atol bind bsearch calloc clock close connect div "
    "exit fopen fork fputs fread free fwrite getc getenv gets index kill labs ldiv link listen "
    "main malloc memchr memcmp memcpy memmove memset open pause pipe poll printf putc puts qsort "
    "raise rand random read realloc recv remove rename rewind rindex scanf select send signal "
    "signgam sleep socket sprintf srand stat strcat strchr strcmp strcpy strlen strtod system "
    "time times tolower toupper ungetc unlink wait write"
).split()
LIBRARY: Final = frozenset(_COMMON) | {f"{n}{kind}" for n in _MATH for kind in ("", "f", "l")}
"""What no function can be called: an object that defines it would take the C library's place."""

_GREEK: Final = re.compile(r"GREEK (SMALL|CAPITAL) LETTER (\w+)")


def identifier(text: str) -> str:
    """Return a name for a parameter: letters, digits and underscores, and no keyword."""
    name = "".join(map(_plain, text))
    # names that begin with an underscore are the C library's, for the most part
    if not name[:1].isalpha():
        name = f"k{name}" if name.startswith("_") else f"k_{name}"
    return f"{name}_" if name in KEYWORDS else name


def function_name(text: str, endings: Iterable[str]) -> str:
    """Return a name that stays free of keywords and of the C library with each of the endings."""
    name = identifier(text)
    if any(f"{name}{end}" in KEYWORDS | LIBRARY for end in endings):
        name += "_"
    return name


def unique(name: str, taken: set[str], endings: tuple[str, ...] = ("",)) -> str:
    """Return the name, numbered where it or it with an ending is taken, and take them all."""
    found, number = name, 1
    while taken & {f"{found}{end}" for end in endings}:
        number += 1
        found = f"{name}_{number}"
    taken.update(f"{found}{end}" for end in endings)
    return found


def _plain(letter: str) -> str:
    """Write one character in ASCII: accents are dropped, Greek letters spelt."""
    if letter.isascii():
        return letter if letter.isalnum() else "_"
    one = unicodedata.normalize("NFKC", letter)  # the micro sign is a mu
    greek = _GREEK.fullmatch(unicodedata.name(one, "") if len(one) == 1 else "")
    if greek:
        name = greek[2].replace("LAMDA", "LAMBDA")  # Unicode's own spelling
        return name.lower() if greek[1] == "SMALL" else name.capitalize()
    kept = unicodedata.normalize("NFKD", letter).encode("ascii", "ignore").decode()
    return kept if kept.isalnum() else "_"
