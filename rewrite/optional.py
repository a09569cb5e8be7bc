"""Libraries that are not required: they are imported where they are used, or named as missing."""

import importlib
from typing import Any

from rewrite.errors import MissingLibrary

__all__ = ["needed"]


def needed(module: str, what: str, install: str) -> Any:
    """Import a module, or raise `MissingLibrary` that says what needs it and how to install it.

    >>> needed("math", "arithmetic", "math").sqrt(4)
    2.0
    >>> needed("no_such_library", "rw.plot", "rewrite[notebook]")
    Traceback (most recent call last):
        ...
    rewrite.errors.MissingLibrary: rw.plot needs no_such_library, which is not installed: \
pip install 'rewrite[notebook]'
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        library = module.partition(".")[0]
        if error.name is not None and error.name.partition(".")[0] != library:
            raise  # it is there, and something that it needs is not
        raise MissingLibrary(
            f"{what} needs {library}, which is not installed: pip install {install!r}"
        ) from None
