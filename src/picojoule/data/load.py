"""One call from a name or a folder to a training and a test set."""

from __future__ import annotations

from pathlib import Path

from picojoule.data.images import ImageData, load_images
from picojoule.data.labelled import DataSets
from picojoule.data.layouts import IMAGE_LAYOUTS, LAYOUTS, ImageLayout, layout_of
from picojoule.data.rate_coded import RateCoded
from picojoule.data.saccade_data import saccade_data

_SACCADE = "saccade"


def load_data(
    source: str | Path | None = None,
    *,
    num_timesteps: int = 5,
    max_rate: float = 1.0,
    seed: int = 0,
) -> DataSets:
    """The training and the test set of the bundled images, of a folder, or of saccades over images.

    A folder's layout is told by its files:

    | folder of | told by | frames |
    |---|---|---|
    | MNIST and its relatives (IDX) | `train-images-idx3-ubyte` | `t 1 h w`, rate-coded |
    | CIFAR-10, Python or binary version | `data_batch_1` | `t 3 32 32`, rate-coded |
    | N-MNIST | `Train/0/00002.bin` | `t 2 34 34`, counts |
    | DVS128 Gesture | `trials_to_train.txt` | `t 2 128 128`, counts |
    | CIFAR10-DVS | `airplane/cifar10_airplane_0.aedat` | `t 2 128 128`, counts |
    | Spiking Heidelberg Digits | `shd_train.h5` | `t 700`, counts |
    | images, as `saccade:FOLDER` | as above | `t 2 h+6 w+6`, counts |

    Args:
        source: the bundled subset of Fashion-MNIST if None; a folder; "saccade" for events of the
            bundled images before a moving camera, "saccade:FOLDER" for those of a folder.
        num_timesteps: frames a sample, >= 1.
        max_rate: of rate-coded images: spikes per time step of a full-scale pixel.
        seed: of rate-coded images; the training set draws anew at `set_epoch`, the test set never.

    Returns:
        `train` and `test`: `d[i]` is `(frames, label)`, float32 with time first and an int. Both
        have `labels`, int64 `n`, `num_classes` and `set_epoch(epoch)`.

    Raises:
        FileNotFoundError: the folder or one of its files is missing, or its layout is not known;
            the message lists what it holds and which layouts are.
        ValueError: a file is damaged, or a number is out of its range.

    Example:
        >>> data = load_data()
        >>> frames, label = data.train[0]
        >>> len(data.train), len(data.test), frames.shape, label
        (6000, 2000, torch.Size([5, 1, 28, 28]), 9)
        >>> load_data("saccade").train[0][0].shape
        torch.Size([5, 2, 34, 34])
    """
    name, _, folder = str(source).partition(":")
    if name == _SACCADE:
        return saccade_data(_images(Path(folder) if folder else None), num_timesteps)
    if source is None:
        return _rate_coded(load_images(), num_timesteps, max_rate, seed)
    layout = layout_of(Path(source), LAYOUTS)
    if isinstance(layout, ImageLayout):
        return _rate_coded(layout.read(Path(source)), num_timesteps, max_rate, seed)
    return layout.read(Path(source), num_timesteps)


def _images(folder: Path | None) -> ImageData:
    return load_images() if folder is None else layout_of(folder, IMAGE_LAYOUTS).read(folder)


def _rate_coded(images: ImageData, num_timesteps: int, max_rate: float, seed: int) -> DataSets:
    num_classes = int(max(split.labels.max() for split in images)) + 1
    train, test = (
        RateCoded(*split, num_timesteps, max_rate, seed, num_classes=num_classes, redrawn=redrawn)
        for split, redrawn in zip(images, (True, False), strict=True)
    )
    return DataSets(train, test)
