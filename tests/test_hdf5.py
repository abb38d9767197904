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


def huge_chunk(file, elsewhere):
    file["node"].create_dataset("weight", (3,), "f4", chunks=(2**28,), maxshape=(None,))


def text_within_values(file, elsewhere):
    file["node"].create_dataset("weight", (2,), np.dtype([("a", h5py.string_dtype()), ("b", "f4")]))


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
    *(
        external_link,
        soft_link,
        dangling_link,
        external_storage,
        virtual_data_set,
        fill_value,
        huge_chunk,
        text_within_values,
    ),
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


TEXT = np.array([["LIF", "a longer name"], ["", "Input"], ["x" * 50, "Output"]], object)


def write_text(path, **options):
    with h5py.File(path, "w") as file:
        file.create_dataset("node/weight", data=TEXT, dtype=h5py.string_dtype(), **options)
        file["node/name"] = "Conv2d"
        file.create_dataset("node/twin", (2,), h5py.ref_dtype)[0] = file["node"].ref


def check(path):
    with h5py.File(path, "r") as file:
        refuse_foreign_storage(file)


STORED = [{}, {"chunks": (2, 1)}, {"chunks": (2, 2), "compression": "gzip", "shuffle": True}]


@pytest.mark.parametrize("options", STORED)
def test_text_passes_however_it_is_stored(tmp_path, options):
    write_text(tmp_path / "text.h5", **options)
    check(tmp_path / "text.h5")


def test_text_that_declares_more_than_the_file_is_refused(tmp_path):
    path = tmp_path / "text.h5"
    write_text(path)
    with h5py.File(path) as file:
        at = file["node/weight"].id.get_offset()
    content = bytearray(path.read_bytes())
    content[at + 48 : at + 52] = (2**31).to_bytes(4, "little")  # the length of the fourth
    path.write_bytes(content)
    with pytest.raises(
        ValueError, match=r"text\.h5: '/node/weight' declares .* up to 2,147,483,648 long"
    ):
        check(path)


@pytest.mark.parametrize(
    ("at", "value"),
    [
        *((8, 0), (8, 8), (8, 2**40)),  # the size of the heap
        # the index of its first object: that of the second, and that of free space
        *(
            (16, 2),
            (16, 0),
        ),
        *((24, 0), (24, 24), (24, 2**40), (24, 2**64 - 16)),  # the size of the first object
    ],
)
def test_a_heap_whose_sizes_do_not_add_up_is_refused(tmp_path, at, value):
    path = tmp_path / "text.h5"
    write_text(path)
    content = bytearray(path.read_bytes())
    heap = content.index(b"GCOL")
    size = 2 if at == 16 else 8
    content[heap + at : heap + at + size] = value.to_bytes(size, "little")
    path.write_bytes(content)
    with pytest.raises(
        ValueError, match=rf"text\.h5: '/' has a damaged heap of strings at byte {heap}"
    ):
        check(path)


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


@pytest.mark.parametrize("kind", [2, 15])
def test_entries_of_an_unknown_kind_are_refused(kind, tmp_path):
    """They end the library, and with it the process."""
    path = tmp_path / "text.h5"
    with h5py.File(path, "w") as file:
        file["node/weight"] = "LIF"
    data = bytearray(path.read_bytes())
    message = bytes([0x19, 1, 1, 0, 16])  # variable length, version 1; text; in UTF-8; 16 bytes
    assert data.count(message) == 1
    data[data.index(message) + 1] = kind
    path.write_bytes(data)
    with pytest.raises(ValueError, match=rf"'/node/weight' declares entries of kind {kind}"):
        check(path)
