"""The model of a run: one of ours in the shape of the data, or the user's own."""

from __future__ import annotations

from torch import nn

from picojoule.training.networks.factories import BUILT_IN, load_model
from picojoule.training.networks.lenet import lenet
from picojoule.training.networks.recurrent_net import recurrent_net


def build_model(
    name: str, shape: tuple[int, ...], num_classes: int | None, batch_size: int
) -> nn.Module:
    """A new model, with weights from PyTorch's random numbers.

    Args:
        name: "lenet", "recurrent", or `module:factory` or `file.py:factory`, called without arguments.
        shape: of a sample, `t *f`.
        num_classes: of the data; None if they do not say, which your own model need not know.
        batch_size: samples in a batch.

    Raises:
        ValueError: the data have no shape that the model takes, or there is no such model.
        ImportError: a module cannot be imported.

    Example:
        >>> build_model("recurrent", (50, 700), 20, 8)[0]
        Linear(in_features=700, out_features=128, bias=False)
    """
    shown = " x ".join(map(str, shape))
    if name in BUILT_IN and num_classes is None:
        raise ValueError(
            f"the model {name} has an output for each class, but the data do not say how many there are; give the "
            "data set an attribute num_classes."
        )
    if name == "lenet" and num_classes is not None:
        if len(shape) != 4:
            other = " Choose model recurrent." if len(shape) == 2 else ""
            raise ValueError(
                f"the model lenet takes frames of shape t c h w, the data have samples of {shown}.{other}"
            )
        _, channels, height, width = shape
        sides = (height, width)
        return lenet(batch_size, channels=channels, sides=sides, num_classes=num_classes)
    if name == "recurrent" and num_classes is not None:
        if len(shape) != 2:
            raise ValueError(
                f"the model recurrent takes spike trains of shape t n, the data have samples of {shown}."
            )
        return recurrent_net(shape[1], num_classes)
    if ":" not in name and not name.endswith(".nir"):
        raise ValueError(
            f"there is no model {name!r}. Choose one of {', '.join(BUILT_IN)}, or name a function that makes "
            "yours: module:factory or ./file.py:factory."
        )
    return load_model(name, num_timesteps=shape[0])
