"""Files of events beside faery, which decodes and encodes them by its own code; two genuine recordings."""

import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from picojoule.data import Events, read_events
from tests.data.aedat4_file import aedat4, packet
from tests.data.prophesee_files import SIZE, dat, evt2, evt3, some_events

faery = pytest.importorskip("faery")
encode = pytest.importorskip("faery.file_encoder")
decode = pytest.importorskip("faery.file_decoder")

N = 3000
DURATION_US = 40_000_000  # EVT 3.0 counts 16.8 s: two new beginnings


def by_faery(path: Path) -> Events:
    found = np.concatenate([np.zeros(0, faery.EVENTS_DTYPE), *decode.Decoder(path)])
    return Events(*(torch.from_numpy(found[n].astype(np.int64)) for n in ("t", "x", "y", "on")))


def assert_same(ours: Events, theirs: Events) -> None:
    for name, a, b in zip(Events._fields, ours, theirs, strict=True):
        assert torch.equal(a, b), name


@pytest.mark.parametrize(
    ("name", "write", "stop_us"),
    [
        ("a.dat", dat, DURATION_US),
        ("late.dat", dat, 2**33),
        ("a2.raw", evt2, DURATION_US),
        ("late2.raw", evt2, 2**35),
        ("a3.raw", evt3, DURATION_US),
        ("a.aedat4", lambda events: aedat4(packet(events)), DURATION_US),
    ],
)
@pytest.mark.parametrize("seed", range(3))
def test_faery_reads_the_same_events(
    tmp_path: Path, name: str, write: Callable[[Events], bytes], stop_us: int, seed: int
) -> None:
    path = tmp_path / name
    events = some_events(seed, N, stop_us=stop_us)
    path.write_bytes(write(events))
    assert_same(read_events(path), by_faery(path))
    assert_same(read_events(path), events)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("a.dat", {"version": "dat2"}),
        ("a2.raw", {"version": "evt2"}),
        ("a3.raw", {"version": "evt3"}),
        ("lz4.aedat4", {"compression": ("lz4", 1)}),
        ("zstd.aedat4", {"compression": ("zstd", 3)}),
        ("plain.aedat4", {"compression": None}),
    ],
)
@pytest.mark.parametrize("seed", range(3))
def test_what_faery_writes_is_read(
    tmp_path: Path, name: str, options: dict[str, Any], seed: int
) -> None:
    events = some_events(seed, N, stop_us=DURATION_US)
    given = np.zeros(N, faery.EVENTS_DTYPE)
    for field, column in zip(("t", "x", "y", "on"), events, strict=True):
        given[field] = column
    path = tmp_path / name
    encode.events_to_file(np.array_split(given, 7), path, SIZE, zero_t0=False, **options)
    assert_same(read_events(path), events)


@pytest.fixture(scope="module")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The recordings in the source distribution of aermanager 0.3.0, of a DAVIS of 320 x 240 pixels."""
    folder = tmp_path_factory.mktemp("aermanager")
    fetch = "pip download --quiet --no-deps --no-build-isolation --no-binary aermanager --dest"
    done = subprocess.run(
        [sys.executable, "-m", *fetch.split(), str(folder), "aermanager==0.3.0"], check=False
    )
    if done.returncode:
        pytest.skip("aermanager 0.3.0 cannot be had")
    with tarfile.open(next(folder.glob("*.tar.gz"))) as archive:
        archive.extractall(folder, filter="data")
    return folder / "aermanager-0.3.0" / "test" / "data"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "number"), [("class1/test.aedat4", 111_954), ("class2/data_sample.aedat4", 323_963)]
)
def test_genuine_recordings(recordings: Path, name: str, number: int) -> None:
    path = recordings / name
    events = read_events(path)
    assert_same(events, by_faery(path))
    assert len(events.t_us) == number
    assert decode.Decoder(path).dimensions() == (320, 240)
    assert (int(events.x.max()), int(events.y.max())) < (320, 240)
    assert bool((events.t_us.diff() >= 0).all())
