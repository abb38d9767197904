"""Files that name other files, or declare more than they hold, are refused before they are read."""

import numpy as np
import pytest

from picojoule.hdf5 import refuse_foreign_storage, size_limit

h5py = pytest.importorskip("h5py")


def external_link(file, elsewhere):
    file["node/weight"] = h5py.ExternalLink(elsewhere.name, "/secret")


def soft_link(file, elsewhere):
    file["node/weight"] = h5py.SoftLink("/node/bias")


def dangling_link(file, elsewhere):
    file["node/weight"] = h5py.SoftLink("/nowhere")


def external_storage(file, elsewhere):
    file["node"].create_dataset("weight", (4,), "u1", external=[(str(elsewhere), 0, 4)])


def virtual_data_set(file, elsewhere):
    layout = h5py.VirtualLayout((4,), "f4")
    layout[:] = h5py.VirtualSource(str(elsewhere), "secret", (4,))
    file["node"].create_virtual_dataset("weight", layout)


def fill_value(file, elsewhere):
    file["node"].create_dataset("weight", (2**40,), "f4", chunks=(1024,), fillvalue=1.0)


def many_small_ones(file, elsewhere):
    for i in range(4):
        file["node"].create_dataset(f"weight{i}", (100 * 2**18,), "f4", chunks=(1024,))


def wide_elements(file, elsewhere):
    file["node"].create_dataset("weight", (2,), "S300000000", chunks=(1,))


def cycle(file, elsewhere):
    file["node/weight"] = file["node"]


def doubling(file, elsewhere):
    group = file["node"]
    for _ in range(20):
        group = group.create_group("weight")
        group.parent["again"] = group


def deep(file, elsewhere):
    file.create_group("/".join(["node", "weight", *"g" * 100]))


HOSTILE = [
    *(external_link, soft_link, dangling_link, external_storage, virtual_data_set, fill_value),
    *(many_small_ones, wide_elements, cycle, doubling, deep),
]


@pytest.mark.parametrize("spoil", HOSTILE, ids=lambda f: f.__name__)
def test_refused_by_file_and_place(spoil, tmp_path):
    elsewhere = tmp_path / "elsewhere.h5"
    with h5py.File(elsewhere, "w") as other:
        other["secret"] = np.arange(4, dtype=np.float32)
    path = tmp_path / "hostile.h5"
    with h5py.File(path, "w") as file:
        file["node/bias"] = np.zeros(4, np.float32)
        spoil(file, elsewhere)
    with (
        h5py.File(path, "r") as file,
        pytest.raises(ValueError, match=r"hostile\.h5: '/node/(weight|again)"),
    ):
        refuse_foreign_storage(file)


def test_ordinary_file_passes_and_the_limit_counts_all_data_sets(tmp_path):
    path = tmp_path / "ordinary.h5"
    with h5py.File(path, "w") as file:
        file["a/x"] = np.zeros(1000, np.float64)
        file["a/name"] = "a string"
        file.create_dataset("b/y", data=np.zeros(250, np.float64), compression="gzip")
        file["empty"] = h5py.Empty("f4")
    with h5py.File(path, "r") as file:
        refuse_foreign_storage(file)
        refuse_foreign_storage(file, 10_008)  # a string of variable length counts 8
        with pytest.raises(ValueError, match=r"10,008 bytes, and the file may unfold to 10,007"):
            refuse_foreign_storage(file, 10_007)


def test_size_limit_grows_with_the_file(tmp_path):
    small, large = tmp_path / "small", tmp_path / "large"
    small.write_bytes(b"x")
    with large.open("wb") as file:
        file.truncate(2**30)
    assert size_limit(small) == 256 * 2**20
    assert size_limit(str(large)) == 16 * 2**30


@pytest.mark.parametrize("length", [0, 8, 2**40, 2**64 - 8])
def test_a_heap_that_leads_nowhere_is_refused(length, tmp_path):
    """The library would follow free space of length 0 for ever."""
    path = tmp_path / "heap.h5"
    with h5py.File(path, "w") as file:
        file["name"] = "a string"
    data = bytearray(path.read_bytes())
    heap = data.index(b"GCOL")
    first = heap + 16
    free = first + 16 + 8  # behind the one string, of 8 letters
    assert data[free : free + 2] == b"\0\0"
    data[free + 8 : free + 16] = length.to_bytes(8, "little")
    path.write_bytes(data)
    with h5py.File(path, "r") as file, pytest.raises(ValueError, match="a damaged heap of strings"):
        refuse_foreign_storage(file)
