"""A spiking network as a classifier: frames in, one number a class out."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from picojoule.layers import reset_states, set_batch_size
from picojoule.layers.squeeze import SqueezeMixin
from picojoule.training.each_step import answers_by_step


class Classifier:
    """Calls a network on batches of samples that have nothing to do with one another.

    Args:
        bare: the network itself.
        wrapped: what is called: the network, or what Fabric made of it.
    """

    def __init__(self, bare: nn.Module, wrapped: Any) -> None:
        self.bare, self._wrapped = bare, wrapped

    def __call__(self, frames: Tensor) -> Tensor:
        """Spikes of each output over the sample, `b c`, for frames `b t *f`.

        Raises:
            ValueError: the output has another shape.
        """
        return summed_over_time(self._output(frames), *frames.shape[:2])

    def by_step(self, frames: Tensor) -> Tensor:
        """The answers after each time step, `b t c`: the spikes of each output up to then.

        Raises:
            ValueError: the output has no time.
        """
        return answers_by_step(self._output(frames), *frames.shape[:2])

    def _output(self, frames: Tensor) -> Any:
        set_batch_size(self.bare, len(frames))
        reset_states(self.bare)
        return self._wrapped(frames)


def summed_over_time(output: Any, batch: int, time: int) -> Tensor:
    """A network's output, summed over time: `b c`.

    Args:
        output: `b t c`, `(b t) c`, or `b c`, which is taken as it is.
        batch: b.
        time: t.

    Raises:
        ValueError: it is none of these.

    Example:
        >>> import torch
        >>> summed_over_time(torch.ones(6, 3), batch=2, time=3)
        tensor([[3., 3., 3.],
                [3., 3., 3.]])
    """
    if isinstance(output, Tensor):
        if output.ndim == 3 and len(output) == batch:
            return output.sum(1)
        if output.ndim == 2 and len(output) == batch:
            return output
        if output.ndim == 2 and len(output) == batch * time:
            return output.reshape(batch, time, -1).sum(1)
    came = tuple(output.shape) if isinstance(output, Tensor) else f"a {type(output).__name__}"
    raise ValueError(
        f"the model answers a batch of {batch} samples of {time} time steps with {came}, expected b t c, (b t) c or "
        "b c: a number for each class."
    )


def _check_time(model: nn.Module, time: int) -> None:
    for name, layer in model.named_modules():
        if isinstance(layer, SqueezeMixin) and layer.num_timesteps not in (-1, time):
            raise ValueError(
                f"the model's layer {name!r} ({type(layer).__name__}) is built for {layer.num_timesteps} time steps, "
                f"the data have {time}. Give it batch_size in place of num_timesteps, or choose --num-timesteps."
            )


def check_labels(labels: Tensor, num_classes: int) -> None:
    """Raise ValueError if a label stands for no output of the model."""
    wrong = labels[(labels < 0) | (labels >= num_classes)]
    if len(wrong):
        raise ValueError(
            f"the data have a label {int(wrong[0])}, but the model tells {num_classes} classes apart, "
            f"0 to {num_classes - 1}."
        )


def hits(answers: Tensor, labels: Tensor) -> Tensor:
    """Samples whose most active output is their label's: a whole number."""
    return (answers.argmax(1) == labels).sum()


def fits(classifier: Classifier, frames: Tensor, labels: Tensor, num_classes: int | None) -> Tensor:
    """The answers to a first batch; says what does not fit, if something does not.

    Raises:
        ValueError: the model does not take the frames, or does not tell all classes apart.
    """
    shape = " x ".join(map(str, frames.shape))
    _check_time(classifier.bare, frames.shape[1])
    try:
        answers = classifier(frames)
    except (RuntimeError, TypeError, IndexError) as error:
        raise ValueError(
            f"the model does not take the data: a batch of {shape} (samples, time steps, then features) gave "
            f"{type(error).__name__}: {str(error).splitlines()[0]}"
        ) from error
    if num_classes is not None and answers.shape[1] < num_classes:
        raise ValueError(
            f"the data have {num_classes} classes, but the model tells only {answers.shape[1]} apart."
        )
    check_labels(labels.cpu(), answers.shape[1])
    return answers
