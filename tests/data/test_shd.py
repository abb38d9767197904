"""Spiking Heidelberg Digits in its own files."""

from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from picojoule.data import load_data, load_shd

TIMES_S = [[0.0, 0.25, 1.25], [0.5], []]
UNITS = [[0, 699, 3], [7], []]
LABELS = [19, 0, 3]


def write_half(
    path: Path,
    times_s: list[list[float]] = TIMES_S,
    units: list[list[int]] = UNITS,
    labels: list[int] = LABELS,
) -> None:
    """As published: ragged float16 seconds and uint16 channels."""
    with h5py.File(path, "w") as file:
        for name, rows, dtype in (("times", times_s, np.float16), ("units", units, np.uint16)):
            ragged = file.create_dataset(
                f"spikes/{name}", (len(rows),), dtype=h5py.vlen_dtype(dtype)
            )
            for i, row in enumerate(rows):
                ragged[i] = np.array(row, dtype)
        file["labels"] = np.array(labels, np.uint16)


def write_shd(folder: Path) -> None:
    write_half(folder / "shd_train.h5")
    write_half(folder / "shd_test.h5", TIMES_S[:1], UNITS[:1], LABELS[:1])


def test_spikes_land_in_their_time_step_and_channel(tmp_path: Path) -> None:
    write_shd(tmp_path)
    train, test = load_data(tmp_path, num_timesteps=7)  # steps of 0.2 s
    assert (len(train), len(test), train.num_classes) == (3, 1, 20)
    frames, label = train[0]
    assert (frames.shape, label) == ((7, 700), 19)
    assert frames.nonzero().tolist() == [[0, 0], [1, 699], [6, 3]]
    assert [frames.sum().item() for frames, _ in train.__getitems__([0, 1, 2])] == [3, 1, 0]


def test_two_workers_give_what_none_gives(tmp_path: Path) -> None:
    write_shd(tmp_path)
    train = load_data(tmp_path).train
    shared = torch.cat([frames for frames, _ in DataLoader(train, num_workers=2)])
    assert torch.equal(shared, torch.cat([frames for frames, _ in DataLoader(train)]))


def test_a_late_spike_is_named_and_a_longer_window_takes_it(tmp_path: Path) -> None:
    write_shd(tmp_path)
    write_half(tmp_path / "shd_train.h5", [[0.1, 1.5]], [[0, 0]], [1])
    with pytest.raises(ValueError, match=r"shd_train\.h5: utterance 0: .*t_us of event 1 is 15000"):
        load_data(tmp_path).train[0]
    assert load_shd(tmp_path, 5, window_us=(0, 2_000_000)).train[0][0].sum() == 2


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"labels": [19, 20, 3]}, "label 1 is 20, expected 0 to 19"),
        ({"labels": [19, 0]}, "have 2, 3 and 3 entries"),
        ({"units": UNITS[:2]}, "have 3, 3 and 2 entries"),
        ({"times_s": [], "units": [], "labels": []}, "have 0, 0 and 0 entries"),
    ],
)
def test_parts_that_do_not_fit_are_named(
    tmp_path: Path, change: dict[str, list[int]], text: str
) -> None:
    write_shd(tmp_path)
    write_half(tmp_path / "shd_test.h5", **change)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=rf"shd_test\.h5: .*{text}"):
        load_data(tmp_path)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"units": [[0, 700, 3], [7], []]}, "x of event 1 is 700, expected 0 to 699"),
        ({"units": [[0, 3], [7], []]}, "has 3 times and 2 units"),
    ],
)
def test_an_utterance_that_does_not_fit_is_named(
    tmp_path: Path, change: dict[str, list[list[int]]], text: str
) -> None:
    write_shd(tmp_path)
    write_half(tmp_path / "shd_train.h5", **change)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=rf"shd_train\.h5: utterance 0.*{text}"):
        load_data(tmp_path).train[0]


def test_parts_of_another_kind_are_named(tmp_path: Path) -> None:
    write_shd(tmp_path)
    path = tmp_path / "shd_train.h5"
    for name, value, text in (
        ("labels", np.array([1.5, 2.0, 3.0]), "labels is float64, expected whole numbers"),
        ("labels", np.array([b"a", b"b", b"c"]), "labels is .*S1, expected whole numbers"),
        ("labels", np.uint16(3), r"labels has shape \(\), expected one entry an utterance"),
        ("spikes/times", np.float32(1.0), r"spikes/times has shape \(\), expected one entry"),
    ):
        write_half(path)
        with h5py.File(path, "a") as file:
            del file[name]
            file[name] = value
        with pytest.raises(ValueError, match=rf"shd_train\.h5: {text}"):
            load_data(tmp_path)
    write_half(path)
    with h5py.File(path, "a") as file:
        del file["spikes/units"]
        file.create_group("spikes/units")
    with pytest.raises(ValueError, match=r"shd_train\.h5: spikes/units is a group, expected"):
        load_data(tmp_path)


@pytest.mark.parametrize("time_s", [float("nan"), float("inf")])
def test_a_time_that_is_not_finite_is_named(tmp_path: Path, time_s: float) -> None:
    write_shd(tmp_path)
    write_half(tmp_path / "shd_train.h5", [[0.1, time_s]], [[0, 0]], [1])
    with pytest.raises(
        ValueError, match=r"shd_train\.h5: utterance 0: .* time 1 is .* a finite time"
    ):
        load_data(tmp_path).train[0]


@pytest.mark.parametrize("keep", [0, 100, -200])
def test_a_truncated_file_is_named(tmp_path: Path, keep: int) -> None:
    write_shd(tmp_path)
    path = tmp_path / "shd_train.h5"
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(ValueError, match=r"shd_train\.h5: no HDF5 file, or a damaged one"):
        load_data(tmp_path)


def test_missing_parts_and_files_are_named(tmp_path: Path) -> None:
    write_shd(tmp_path)
    with h5py.File(tmp_path / "shd_train.h5", "a") as file:
        del file["spikes/units"]
    with pytest.raises(ValueError, match="spikes/units is missing; the file holds labels, spikes"):
        load_data(tmp_path)
    write_half(tmp_path / "shd_train.h5")
    (tmp_path / "shd_test.h5").unlink()
    with pytest.raises(FileNotFoundError, match=r"shd_test\.h5 is missing"):
        load_data(tmp_path)


def write_rows(path: Path, name: str, rows: list[object], dtype: object, **options: object) -> None:
    """A sound half, one of whose parts has rows of another kind."""
    write_half(path)
    with h5py.File(path, "a") as file:
        del file[name]
        part = file.create_dataset(
            name, (len(rows),), dtype=h5py.vlen_dtype(np.dtype(dtype)), **options
        )
        for i, row in enumerate(rows):
            part[i] = np.array(row, dtype)


def test_channels_as_whole_floats_are_read_and_a_fraction_is_named(tmp_path: Path) -> None:
    write_shd(tmp_path)
    path = tmp_path / "shd_train.h5"
    write_rows(path, "spikes/units", [[0.0, 699.0, 3.0], [7.0], []], np.float64)
    assert load_shd(tmp_path, 7).train[0][0].nonzero().tolist() == [[0, 0], [1, 699], [6, 3]]
    for unit in (2.7, float("nan"), float("inf"), 1e300):
        write_rows(path, "spikes/units", [[0.0, unit, 3.0], [7.0], []], np.float64)
        with pytest.raises(ValueError, match=r"shd_train\.h5: utterance 0: unit 1 is"):
            load_shd(tmp_path).train[0]
    write_rows(path, "spikes/units", [[0, 2**64 - 1, 3], [7], []], np.uint64)
    with pytest.raises(ValueError, match=f"utterance 0: unit 1 is {2**64 - 1}"):
        load_shd(tmp_path).train[0]


@pytest.mark.parametrize("time_s", [1e300, 1e308, -1e300, -0.1])
def test_a_time_beyond_all_clocks_is_named(tmp_path: Path, time_s: float) -> None:
    write_shd(tmp_path)
    write_rows(tmp_path / "shd_train.h5", "spikes/times", [[0, time_s, 1], [0], []], np.float64)
    with pytest.raises(ValueError, match=r"shd_train\.h5: utterance 0: .*event 1|time 1"):
        load_shd(tmp_path).train[0]


def test_a_file_that_keeps_its_data_elsewhere_is_refused(tmp_path: Path) -> None:
    write_shd(tmp_path)
    path, secret = tmp_path / "shd_train.h5", tmp_path / "secret"
    secret.write_bytes(bytes([1, 0, 2, 0, 3, 0]))
    with h5py.File(path, "a") as file:
        del file["labels"]
        file.create_dataset("labels", (3,), np.uint16, external=[(str(secret), 0, 6)])
    with pytest.raises(ValueError, match=r"shd_train\.h5: '/labels' keeps its data in other files"):
        load_shd(tmp_path)
    with h5py.File(path, "a") as file:
        del file["labels"]
        file["labels"] = h5py.ExternalLink("shd_test.h5", "/labels")
    with pytest.raises(ValueError, match=r"shd_train\.h5: '/labels' is a link"):
        load_shd(tmp_path)


def test_labels_that_declare_more_than_they_hold_are_refused(tmp_path: Path) -> None:
    write_shd(tmp_path)
    with h5py.File(tmp_path / "shd_train.h5", "a") as file:
        del file["labels"]
        file.create_dataset("labels", (2**40,), np.uint8, chunks=(1024,))
    with pytest.raises(ValueError, match=r"shd_train\.h5: '/labels' brings the declared size"):
        load_shd(tmp_path)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (np.array([0.5, 1.0, 1.5]), "spikes/times is float64, expected a ragged row"),
        (np.array(["a", "b", "c"], "S1"), r"spikes/times is \|S1, expected a ragged row"),
        (h5py.Empty("f4"), "spikes/times has shape None"),
    ],
)
def test_rows_that_are_no_rows_of_numbers_are_named(
    tmp_path: Path, value: object, text: str
) -> None:
    write_shd(tmp_path)
    with h5py.File(tmp_path / "shd_train.h5", "a") as file:
        del file["spikes/times"]
        file["spikes/times"] = value
    with pytest.raises(ValueError, match=rf"shd_train\.h5: {text}"):
        load_shd(tmp_path)


def test_rows_of_text_are_named(tmp_path: Path) -> None:
    write_shd(tmp_path)
    with h5py.File(tmp_path / "shd_train.h5", "a") as file:
        del file["spikes/times"]
        file.create_dataset("spikes/times", (3,), h5py.string_dtype())
    with pytest.raises(ValueError, match=r"shd_train\.h5: spikes/times is .*expected a ragged row"):
        load_shd(tmp_path)
