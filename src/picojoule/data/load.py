"""One call from a folder to a training and a test set."""

from __future__ import annotations

from pathlib import Path

from picojoule.data.images import load_images
from picojoule.data.labelled import DataSets
from picojoule.data.rate_coded import RateCoded


def load_data(
    source: str | Path | None = None,
    *,
    num_timesteps: int = 5,
    max_rate: float = 1.0,
    seed: int = 0,
) -> DataSets:
    """The training and the test set of the bundled images, or of a folder.

    Args:
        source: the bundled subset of Fashion-MNIST if None; or a folder with the four IDX files of
            MNIST and its relatives.
        num_timesteps: frames a sample, >= 1.
        max_rate: of rate-coded images: spikes per time step of a full-scale pixel.
        seed: of the noise; the training set draws anew at `set_epoch`, the test set never.

    Returns:
        `train` and `test`: `d[i]` is `(frames, label)`, float32 `t c h w` and an int.

    Raises:
        FileNotFoundError: the folder or one of its files is missing.
        ValueError: a file is damaged, or a number is out of its range.

    Example:
        >>> data = load_data()
        >>> frames, label = data.train[0]
        >>> len(data.train), len(data.test), frames.shape, label
        (6000, 2000, torch.Size([5, 1, 28, 28]), 9)
    """
    images = load_images(None if source is None else Path(source))
    num_classes = int(max(images.train.labels.max(), images.test.labels.max())) + 1
    train, test = (
        RateCoded(
            split.images,
            split.labels,
            num_timesteps,
            max_rate,
            seed,
            num_classes=num_classes,
            redrawn=split is images.train,
        )
        for split in images
    )
    return DataSets(train, test)
