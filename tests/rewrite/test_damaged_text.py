"""Texts with changed bytes: each reader reads them or refuses them, in little time.

A few texts of each kind, changed by random edits; 300 of each by day, 30,000 by night.
"""

import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import rewrite as rw
from rewrite.errors import ParseError, RewriteError
from rewrite.io import bionetgen, fpcore

DATA = Path(__file__).parent.parent / "data"
DAY, NIGHT = 300, 30_000
SECONDS = 5.0
"""Of the processor, for one text."""


def texts(kind: str) -> list[str]:
    """Return good texts of a kind."""
    if kind == "formulas":
        return [
            "exp(-(x/s)**2/2)/(sqrt(2*pi)*s)", "where(x < 1 and not y >= 2, -x, atan2(y, 1e-3))",
            "x**(-1/3) + 2**0.5*minimum(x, y) - 12345678901234567890/7", "(x if x > 0 else -x) % 3",
        ]  # fmt: skip
    if kind == "fpcore":
        whole = (DATA / "fpcore" / "cancellation.fpcore").read_text()
        return [whole[:1500], *("(FPCore" + part for part in whole.split("(FPCore")[1:])]
    folder = DATA / "bionetgen" / "bionetgen"
    return [
        (folder / f"{name}.net").read_text()
        for name in ("continue", "heise", "simple_system", "Repressilator")
    ]


READERS: dict[str, Callable[[str], Any]] = {
    "formulas": rw.parse, "fpcore": fpcore.parse, "bionetgen": bionetgen.parse,
}  # fmt: skip


def damaged(text: str, rng: random.Random) -> str:
    """Change, insert, drop, copy and cut some bytes; what is no UTF-8 any more is Latin-1."""
    data = bytearray(text.encode())
    for _ in range(rng.choice((1, 1, 2, 5, 20))):
        at, size = rng.randrange(len(data) + 1), rng.choice((1, 1, 2, 7, 40))
        kind = rng.randrange(6)
        if kind == 0:
            data[at : at + 1] = bytes([rng.randrange(256)])
        elif kind == 1:
            data[at:at] = rng.choice(b"()[]{}+-*/.,e_ \n\"'\\;:=<>#0919xy").to_bytes() * size
        elif kind == 2:
            del data[at : at + size]
        elif kind == 3:
            start = rng.randrange(len(data) + 1)
            data[at:at] = data[start : start + size]
        elif kind == 4:
            del data[at:]
        elif data:
            data[at % len(data)] ^= 1 << rng.randrange(8)
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data.decode("latin-1")


@pytest.mark.parametrize("kind", READERS)
def test_damaged_texts_are_read_or_refused(kind: str, request: pytest.FixtureRequest) -> None:
    rng, good, read = random.Random(7), texts(kind), READERS[kind]
    refused = 0
    for _ in range(NIGHT if request.config.getoption("--nightly") else DAY):
        text = damaged(rng.choice(good), rng)
        begin = time.process_time()
        with rw.scope():
            try:
                read(text)
            except RewriteError as error:
                refused += 1
                assert str(error), text
                if isinstance(error, ParseError):
                    assert error.lineno is not None and error.lineno >= 1, (text, error)
            except Exception as error:
                pytest.fail(f"{type(error).__name__}: {error}, of {text!r}")
        assert time.process_time() - begin < SECONDS, text
    assert refused > 0
