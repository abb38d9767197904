"""A source's name or folder becomes a training and a test set."""

from pathlib import Path

import pytest
import torch
from torch.utils.data import DataLoader, Dataset

from picojoule.data import (
    DataSets,
    load_cifar10,
    load_cifar10_dvs,
    load_data,
    load_dvs_gesture,
    load_images,
    load_n_mnist,
    load_shd,
    read_idx,
    read_n_mnist_events,
)
from tests.data.test_cifar10 import write_cifar10
from tests.data.test_cifar10_dvs import write_cifar10_dvs
from tests.data.test_dvs_gesture import write_gestures
from tests.data.test_idx import write_mnist
from tests.data.test_n_mnist import write_n_mnist
from tests.data.test_shd import write_shd


def test_the_bundled_images_are_the_default() -> None:
    data = load_data()
    assert (len(data.train), len(data.test)) == (6000, 2000)
    assert (data.train.num_classes, data.test.num_classes) == (10, 10)
    frames, label = data.train[0]
    assert (frames.shape, label) == ((5, 1, 28, 28), 9)


def test_a_folder_of_idx_files_is_told_by_its_files(tmp_path: Path) -> None:
    write_mnist(tmp_path)
    data = load_data(str(tmp_path), num_timesteps=3)
    assert (len(data.train), len(data.test)) == (3, 2)
    assert data.test[1][0].shape == (3, 1, 28, 28)
    assert (data.train.num_classes, data.test.num_classes) == (3, 3)


def test_an_epoch_changes_the_training_set_and_never_the_test_set() -> None:
    train, test = load_data()
    before = train[0][0], test[0][0]
    train.set_epoch(1)
    test.set_epoch(1)
    assert not torch.equal(train[0][0], before[0])
    assert torch.equal(test[0][0], before[1])


def test_a_batch_loads_as_any_data_sets_does() -> None:
    frames, labels = next(iter(DataLoader(load_data().train, batch_size=50)))
    assert frames.shape == (50, 5, 1, 28, 28)
    assert labels.dtype == torch.int64


def test_one_sample_is_a_data_set(tmp_path: Path) -> None:
    write_mnist(tmp_path, train=1, test=1)
    data = load_data(tmp_path)
    assert (len(data.train), data.train.num_classes) == (1, 1)
    assert data.train[0][0].shape == (5, 1, 28, 28)


def test_a_missing_test_half_is_named(tmp_path: Path) -> None:
    write_mnist(tmp_path)
    for path in tmp_path.glob("t10k*"):
        path.unlink()
    with pytest.raises(FileNotFoundError, match=r"t10k-images-idx3-ubyte .*missing"):
        load_data(tmp_path)


def test_a_folder_without_a_known_layout_lists_what_it_holds(tmp_path: Path) -> None:
    (tmp_path / "cifar-10-batches-py").mkdir()
    (tmp_path / "notes.txt").touch()
    with pytest.raises(
        FileNotFoundError,
        match=r"(?s)it holds cifar-10-batches-py, notes\.txt\..*IDX: train-images.*CIFAR-10: .*N-MNIST",
    ):
        load_data(tmp_path)


def test_a_long_list_is_cut(tmp_path: Path) -> None:
    for number in range(15):
        (tmp_path / f"{number:02}").touch()
    with pytest.raises(FileNotFoundError, match=r"10, 11 and 3 more\."):
        load_data(tmp_path)


def test_an_empty_folder_and_one_that_is_not_there_are_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="it holds nothing"):
        load_data(tmp_path)
    with pytest.raises(FileNotFoundError, match="nowhere: no such folder"):
        load_data(tmp_path / "nowhere")


def test_numbers_out_of_their_range_are_named() -> None:
    with pytest.raises(ValueError, match="num_timesteps is 0"):
        load_data(num_timesteps=0)
    with pytest.raises(ValueError, match="max_rate is 2"):
        load_data(max_rate=2)


def test_saccades_run_over_a_folder_of_images(tmp_path: Path) -> None:
    write_mnist(tmp_path)
    frames, label = load_data(f"saccade:{tmp_path}", num_timesteps=6).test[1]
    assert (frames.shape, label) == ((6, 2, 34, 34), 1)
    assert frames.sum() > 0


def test_saccades_over_colour_images(tmp_path: Path) -> None:
    write_cifar10(tmp_path, "binary")
    assert load_data(f"saccade:{tmp_path}").train[0][0].shape == (5, 2, 38, 38)


def test_saccades_run_over_images_only(tmp_path: Path) -> None:
    write_n_mnist(tmp_path)
    with pytest.raises(
        FileNotFoundError, match=r"(?s)it holds Test, Train\..*IDX.*CIFAR-10: [^:]*$"
    ):
        load_data(f"saccade:{tmp_path}")


def test_a_users_data_set_needs_len_and_items_only() -> None:
    class Own(Dataset[tuple[torch.Tensor, int]]):
        def __len__(self) -> int:
            return 3

        def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
            return torch.full((5, 1, 2, 2), float(index)), index

    ours = load_data().test
    shape = (5, 1, 28, 28)
    for data, wanted in ((Own(), (5, 1, 2, 2)), (ours, shape)):
        frames, labels = next(iter(DataLoader(DataSets(data, data).train, batch_size=3)))
        assert frames.shape == (3, *wanted)
        assert labels.dtype == torch.int64


@pytest.mark.parametrize(
    "name", ["Train/0/._00001.bin", "._Train/0/00001.bin", "airplane/._cifar10_airplane_0.aedat"]
)
def test_hidden_files_do_not_tell_a_layout(tmp_path: Path, name: str) -> None:
    (tmp_path / name).parent.mkdir(parents=True)
    (tmp_path / name).touch()
    with pytest.raises(FileNotFoundError, match="has no known layout"):
        load_data(tmp_path)


def test_a_path_as_text_is_as_good_as_a_path(tmp_path: Path) -> None:
    for folder, write, load in (
        ("idx", write_mnist, load_images),
        ("cifar10", write_cifar10, load_cifar10),
        ("n_mnist", write_n_mnist, load_n_mnist),
        ("gesture", write_gestures, load_dvs_gesture),
        ("cifar10_dvs", write_cifar10_dvs, load_cifar10_dvs),
        ("shd", write_shd, load_shd),
    ):
        (tmp_path / folder).mkdir()
        write(tmp_path / folder)
        as_text, as_path = load(str(tmp_path / folder)), load(tmp_path / folder)
        assert torch.equal(as_text.train.labels, as_path.train.labels)
    labels = str(tmp_path / "idx" / "t10k-labels-idx1-ubyte")
    assert torch.equal(read_idx(labels), read_idx(Path(labels)))
    recording = str(tmp_path / "n_mnist" / "Train" / "9" / "00001.bin")
    assert len(read_n_mnist_events(recording).t_us) == 200
