"""What a crew's machine code and Python both read: the crew, and one call that is shared.

Words that different threads write lie on cache lines of their own.
"""

import ctypes
from typing import Final

__all__ = ["CREW_LINE", "MEMBERS_AT", "MEMBER_BYTES", "PROCESSORS", "CrewData", "Member",
           "SpreadData"]  # fmt: skip

CREW_LINE: Final = 128
"""Two cache lines: they are fetched in pairs."""
PROCESSORS: Final = 1024
"""More are not told apart."""
_LOCK: Final = 16  # words for a mutex or a condition of any C library


def _padded(*names: str) -> tuple[tuple[str, type], ...]:
    """Return fields of 8 bytes that fill whole lines."""
    rest = -len(names) % (CREW_LINE // 8)
    blank = ((f"after_{names[-1]}", ctypes.c_int64 * rest),) if rest else ()
    return (*((name, ctypes.c_int64) for name in names), *blank)


class CrewData(ctypes.Structure):
    """A crew; its members follow it."""

    _fields_ = (
        # how many are at work, whether more may come (bit 16), and the number of the job
        *_padded("gate"),
        # what is to be done, with what, and by how many helpers
        *_padded("function", "context", "wanted"),
        # whether a call has the crew; when its last one ended, and the nanoseconds of work in
        # calls that followed each other closely
        *_padded("busy", "last", "streak"),
        # helpers that were started (-1: none can be), and threads in all; how many nanoseconds
        # helpers look for work before they sleep, and which clock says so
        *_padded("helpers", "threads", "patience", "clock"),
        # signals that helpers leave to Python's threads, and the word of C's library for that
        ("signals", ctypes.c_int64 * (PROCESSORS // 64)),
        *_padded("set_mask"),
        # functions of CPython
        *_padded("thread_state", "save_thread", "restore_thread"),
        # the processors that it may use, as the system's calls have them
        ("processors", ctypes.c_int64 * (PROCESSORS // 64)),
    )


class Member(ctypes.Structure):
    """A helper: its crew, its number from 0 on, and where it sleeps.

    And the system's name of it, and the processor that it keeps off (from 1 on; 0 is none).
    """

    _fields_ = (
        *_padded("crew", "number", "thread", "avoided"),
        *_padded("asleep"),
        ("mutex", ctypes.c_int64 * _LOCK),
        ("condition", ctypes.c_int64 * _LOCK),
    )


class SpreadData(ctypes.Structure):
    """What NumPy hands to the driver of a loop that a crew shares."""

    _fields_ = tuple(
        (name, ctypes.c_int64)
        for name in (
            # the loop's own driver and what that reads, bytes of it that are copied for a call,
            # and which of them say how many elements are too many for the caches (or -1)
            "driver", "data", "bytes", "large_at", "crew", "operands",
            # picoseconds an element, elements that are worth sharing, and those of the smallest
            # and the largest block
            "work", "least", "grain", "most",
            # bytes of a result's element where vectors should be aligned to it, else 0
            "size",
            # elements of which blocks are multiples, and which word of what the loop's own driver
            # reads says from how many on that matters (or -1)
            "lanes", "least_at",
        )
    )  # fmt: skip


MEMBERS_AT: Final = ctypes.sizeof(CrewData)
MEMBER_BYTES: Final = ctypes.sizeof(Member)
