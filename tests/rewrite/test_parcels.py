"""Parcels: what is read is what was written, by this user, or nothing."""

import os
import random
import resource
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

import rewrite as rw
from rewrite.contentcache import ContentCache
from rewrite.parcel import DamagedError, Parcel, pack, unpack
from rewrite.parcels import Parcels

KEYS = ["0" * 63 + digit for digit in "123456789abcdef"]
KEY = KEYS[0]


def parcel(size: int = 100) -> Parcel:
    return Parcel({"name": "first"}, {"numbers": np.arange(size, dtype=np.float64)})


@pytest.fixture
def parcels(tmp_path: Path) -> Parcels:
    return Parcels(tmp_path / "code")


# -- one run of bytes ------------------------------------------------------------------------


@given(
    st.dictionaries(st.text(), st.integers() | st.text() | st.none() | st.lists(st.booleans())),
    st.dictionaries(
        st.text(),
        arrays.arrays(
            st.sampled_from([np.float64, np.float32, np.int32, np.uint8, np.bool_]),
            arrays.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=5),
        ),
    ),
)
def test_what_is_read_is_what_was_written(header: Any, blocks: Any) -> None:
    found = unpack(KEY, pack(KEY, Parcel(header, blocks)))
    assert found.header == header and list(found.blocks) == list(blocks)
    for name, block in blocks.items():
        again = found.blocks[name]
        assert again.dtype == block.dtype and again.shape == block.shape
        assert again.tobytes() == block.tobytes()


def test_a_hundred_thousand_flipped_bytes_are_seen() -> None:
    good = pack(KEY, parcel())
    draw, flips = random.Random(1), 0
    while flips < 100_000:
        bad = bytearray(good)
        for _ in range(draw.choice((1, 1, 1, 2, 5, 40))):
            bad[draw.randrange(len(bad))] ^= draw.randrange(1, 256)
            flips += 1
        if bytes(bad) != good:
            with pytest.raises(DamagedError):
                unpack(KEY, bytes(bad))
    for length in range(len(good)):
        with pytest.raises(DamagedError):
            unpack(KEY, good[:length])
    with pytest.raises(DamagedError):
        unpack(KEY, good + b"\0")
    with pytest.raises(DamagedError):
        unpack(KEYS[1], good)


@pytest.mark.parametrize(
    "odd", [Parcel({"x": object()}), Parcel({}, {"x": np.array([object()])})], ids=["json", "array"]
)
def test_what_only_a_pickle_could_hold_is_refused(odd: Parcel, parcels: Parcels) -> None:
    with pytest.raises(TypeError):
        pack(KEY, odd)
    parcels.put(KEY, odd)
    assert parcels.get(KEY) is None and parcels.size() == (0, 0)


# -- a folder of them ------------------------------------------------------------------------


def test_a_damaged_file_is_removed(parcels: Parcels) -> None:
    parcels.put(KEY, parcel())
    path = parcels.folder / KEY
    assert parcels.get(KEY) is not None
    path.write_bytes(path.read_bytes()[:-1])
    assert parcels.get(KEY) is None and not path.exists()
    assert (parcels.hits, parcels.misses) == (1, 1)


@pytest.mark.parametrize("mode", [0o620, 0o602, 0o666])
def test_files_that_others_may_write_are_not_read(parcels: Parcels, mode: int) -> None:
    parcels.put(KEY, parcel())
    assert (parcels.folder / KEY).stat().st_mode & 0o777 == 0o600
    (parcels.folder / KEY).chmod(mode)
    assert parcels.get(KEY) is None
    (parcels.folder / KEY).chmod(0o600)
    assert parcels.get(KEY) is not None


@pytest.mark.parametrize("mode", [0o770, 0o707, 0o777])
def test_folders_that_others_may_write_are_not_used(parcels: Parcels, mode: int) -> None:
    parcels.put(KEY, parcel())
    assert parcels.folder.stat().st_mode & 0o777 == 0o700
    parcels.folder.chmod(mode)
    parcels.put(KEYS[1], parcel())
    assert parcels.get(KEY) is None and not (parcels.folder / KEYS[1]).exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
@pytest.mark.parametrize("folder", [False, True])
def test_what_another_user_owns_is_not_read(parcels: Parcels, folder: bool) -> None:
    parcels.put(KEY, parcel())
    os.chown(parcels.folder if folder else parcels.folder / KEY, 12345, -1)
    assert parcels.get(KEY) is None


@pytest.mark.parametrize("folder", [False, True])
def test_links_are_not_followed(parcels: Parcels, tmp_path: Path, folder: bool) -> None:
    parcels.put(KEY, parcel())
    linked = parcels.folder if folder else parcels.folder / KEY
    linked.rename(tmp_path / "elsewhere")
    linked.symlink_to(tmp_path / "elsewhere")
    assert parcels.get(KEY) is None


def test_a_pipe_in_place_of_a_file_does_not_stop_the_reader(parcels: Parcels) -> None:
    parcels.put(KEYS[1], parcel())
    os.mkfifo(parcels.folder / KEY, 0o600)
    assert parcels.get(KEY) is None


def test_the_least_recently_used_are_dropped_first(tmp_path: Path) -> None:
    size = len(pack(KEY, parcel()))
    parcels = Parcels(tmp_path / "code", most_bytes=10 * size)
    for at, key in enumerate(KEYS[:10]):
        parcels.put(key, parcel())
        os.utime(parcels.folder / key, ns=(at, at))
    assert parcels.get(KEYS[0]) is not None  # and is used now
    parcels.put(KEYS[10], parcel())
    kept = {path.name for path in parcels.folder.iterdir()}
    assert kept == {KEYS[0], *KEYS[3:11]}  # down to nine tenths
    parcels.put(KEYS[11], parcel(100_000))
    assert {path.name for path in parcels.folder.iterdir()} == kept, "larger than all"


def test_unfinished_files_are_dropped_in_time(parcels: Parcels) -> None:
    parcels.put(KEY, parcel())
    old, new = parcels.folder / ".old", parcels.folder / ".new"
    old.write_bytes(b"x")
    new.write_bytes(b"x")
    os.utime(old, (1, 1))
    Parcels(parcels.folder).put(KEYS[1], parcel())
    assert not old.exists() and new.exists() and parcels.size()[0] == 2
    parcels.clear()
    assert list(parcels.folder.iterdir()) == [] and parcels.size() == (0, 0)


def test_a_full_disk_leaves_nothing_behind(parcels: Parcels) -> None:
    parcels.put(KEY, parcel())
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (500, hard))  # writing fails part of the way
    try:
        parcels.put(KEYS[1], parcel())
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert [path.name for path in parcels.folder.iterdir()] == [KEY]
    assert parcels.get(KEY) is not None and parcels.get(KEYS[1]) is None


def test_a_folder_that_cannot_be_made_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    parcels = Parcels(tmp_path / "file" / "code")
    parcels.put(KEY, parcel())
    parcels.clear()
    assert parcels.get(KEY) is None and parcels.size() == (0, 0)


def test_a_read_only_file_system_can_be_read(
    parcels: Parcels, monkeypatch: pytest.MonkeyPatch
) -> None:
    parcels.put(KEY, parcel())
    opened = os.open

    def refuse(*args: Any, **kwargs: Any) -> Any:
        raise OSError(30, "Read-only file system")

    def read_only(path: Any, flags: int, *args: Any, **kwargs: Any) -> int:
        return (
            refuse() if flags & (os.O_WRONLY | os.O_CREAT) else opened(path, flags, *args, **kwargs)
        )

    monkeypatch.setattr(os, "open", read_only)
    for name in ("utime", "unlink", "rename"):
        monkeypatch.setattr(os, name, refuse)
    assert parcels.get(KEY) is not None
    parcels.put(KEYS[1], parcel())
    parcels.clear()
    assert parcels.get(KEYS[1]) is None and parcels.get(KEY) is not None


# -- forms, and both together ----------------------------------------------------------------


@pytest.mark.parametrize("folder", [False, True])
def test_forms_that_others_may_write_are_not_read(tmp_path: Path, folder: bool) -> None:
    forms = ContentCache(tmp_path)
    forms.put({"key": "text"})
    assert forms.get(["key"]) == {"key": "text"}
    (forms.path.parent if folder else forms.path).chmod(0o777)
    assert forms.get(["key"]) == {}
    forms.put({"other": "text"})
    (forms.path.parent if folder else forms.path).chmod(0o700)
    assert forms.get(["key", "other"]) == {"key": "text"}


def test_the_cache_tells_what_it_holds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REWRITE_CACHE", str(tmp_path))
    ContentCache(tmp_path).put({"key": "text", "other": "text"})
    Parcels(tmp_path / "code").put(KEY, parcel())
    found = rw.cache.info()
    assert (found.folder, found.kernels, found.forms) == (tmp_path, 1, 2)
    assert 0 < found.kernel_bytes < 5000 and found.form_bytes > 0
    assert str(tmp_path) in str(found)
    rw.cache.clear()
    assert (rw.cache.info().kernels, rw.cache.info().forms) == (0, 0)
    monkeypatch.setenv("REWRITE_CACHE", "0")
    assert rw.cache.info().folder is None and "turned off" in str(rw.cache.info())
    rw.cache.clear()
