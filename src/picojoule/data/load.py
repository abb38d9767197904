"""One call from a name or a folder to a training and a test set."""

from __future__ import annotations

from pathlib import Path

from picojoule.data.images import load_images
from picojoule.data.labelled import DataSets
from picojoule.data.layouts import Coding, layout_of, rate_coded


def load_data(
    source: str | Path | None = None,
    *,
    num_timesteps: int = 5,
    max_rate: float = 1.0,
    seed: int = 0,
) -> DataSets:
    """The training and the test set of the bundled images, or of a folder whose layout is known.

    | folder of | told by | frames |
    |---|---|---|
    | MNIST and its relatives (IDX) | `train-images-idx3-ubyte` | `t 1 h w`, rate-coded |
    | CIFAR-10, Python or binary version | `data_batch_1` | `t 3 32 32`, rate-coded |
    | N-MNIST | `Train/0/00002.bin` | `t 2 34 34`, counts |

    Args:
        source: the bundled subset of Fashion-MNIST if None; or a folder.
        num_timesteps: frames a sample, >= 1.
        max_rate: of rate-coded images: spikes per time step of a full-scale pixel.
        seed: of the noise; the training set draws anew at `set_epoch`, the test set never.

    Returns:
        `train` and `test`: `d[i]` is `(frames, label)`, float32 with time first and an int.

    Raises:
        FileNotFoundError: the folder or one of its files is missing, or its layout is not known;
            the message lists what it holds and which layouts are.
        ValueError: a file is damaged, or a number is out of its range.

    Example:
        >>> data = load_data()
        >>> frames, label = data.train[0]
        >>> len(data.train), len(data.test), frames.shape, label
        (6000, 2000, torch.Size([5, 1, 28, 28]), 9)
    """
    coding = Coding(num_timesteps, max_rate, seed)
    if source is None:
        return rate_coded(load_images(), coding)
    folder = Path(source)
    return layout_of(folder).load(folder, coding)
