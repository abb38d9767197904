"""Whether a convolution fits into the memory of a core of the Speck chip."""

from __future__ import annotations

from collections.abc import Sequence

CORES_KI = ((16, 64), (32, 32), (64, 16))
"""Kernel and neuron memory of the kinds of cores, in Ki words; the further 16/16 cores add nothing."""

_LARGEST_KI = 64


class ValidateMapping:
    """The memory that one layer takes on Speck, and whether a core has it.

        kernel memory = c * 2^(ceil(log2(kh * kw)) + ceil(log2 f))
        neuron memory = f * 2^(ceil(log2 h') + ceil(log2 w'))

    for c input and f output features, a kernel of kh x kw and an output of h' x w'. (sinabs 3.1.3 does
    not round h' and w' down, and asks for up to four times the memory that a layer needs; and it
    takes any stride if one of the two is right.)

    Args:
        input_feature_size: input channels.
        output_feature_size: output channels, at most 1024.
        kernel_size: height and width, at most 16 each.
        stride: 1, 2, 4 or 8 for either axis.
        padding: for either axis.
        input_dimension: height and width of the input.
        conv_2d: False for an average pooling, whose kernel has to be 1x1, 2x2 or 4x4.

    Raises:
        ValueError: the layer is of a kind that no core runs, or nothing is left of the input.

    Example:
        >>> ValidateMapping(2, 64, (3, 3), (1, 1), (1, 1), (8, 8)).calculate_total_memory()
        (2.0, 4.0, '', '')

    Source: the memory formulas and sizes of the cores, sinabs 3.1.3, validate_memory_speck.py.
    """

    def __init__(
        self,
        input_feature_size: int,
        output_feature_size: int,
        kernel_size: Sequence[int],
        stride: Sequence[int],
        padding: Sequence[int],
        input_dimension: Sequence[int] = (64, 64),
        conv_2d: bool = True,
    ) -> None:
        self.input_feature_size = input_feature_size
        self.output_feature_size = output_feature_size
        self.kernel_size = kernel_size
        self.stride = stride
        self.padding = padding
        self.input_dimension = input_dimension
        sizes = ("kernel_size", "stride", "padding", "input_dimension")
        for name in sizes:
            _check(len(getattr(self, name)) == 2, f"{name} is {getattr(self, name)}", "two numbers")
        pooling = not conv_2d
        _check(
            not pooling or tuple(kernel_size) in {(1, 1), (2, 2), (4, 4)},
            f"the kernel of an average pooling is {tuple(kernel_size)}",
            "1x1, 2x2 or 4x4",
        )
        _check(max(kernel_size) <= 16, f"kernel_size is {tuple(kernel_size)}", "at most 16x16")
        _check(
            output_feature_size <= 1024,
            f"there are {output_feature_size} output features",
            "<= 1024",
        )
        _check(self.check_stride(), f"stride is {tuple(stride)}", "1, 2, 4 or 8 for either axis")
        _check(
            min(self.output_dimension) >= 1,
            f"an input of {tuple(input_dimension)} leaves an output of {self.output_dimension}",
            "an output of at least 1x1",
        )

    @property
    def output_dimension(self) -> tuple[int, int]:
        """Height and width of the layer's output."""
        axes = zip(self.input_dimension, self.kernel_size, self.padding, self.stride, strict=True)
        height, width = ((n - k + 2 * p) // s + 1 for n, k, p, s in axes)
        return height, width

    def check_stride(self) -> bool:
        """Whether both strides are among those that the chip knows."""
        return all(step in (1, 2, 4, 8) for step in self.stride)

    def calculate_kernel_memory(self) -> int:
        """Words of kernel memory."""
        height, width = self.kernel_size
        bits = _bits(height * width) + _bits(self.output_feature_size)
        return int(self.input_feature_size * 2**bits)

    def calculate_neuron_memory(self) -> int:
        """Words of neuron memory."""
        height, width = self.output_dimension
        return int(self.output_feature_size * 2 ** (_bits(height) + _bits(width)))

    def calculate_total_memory(self) -> tuple[float, float, str, str]:
        """Kernel and neuron memory in Ki words, and what is wrong with either; empty if nothing is."""
        kernel = self.calculate_kernel_memory() / 1024
        neuron = self.calculate_neuron_memory() / 1024
        kernel_error, neuron_error = _too_large("Kernel", kernel), _too_large("Neuron", neuron)
        fits = any(kernel <= kernels and neuron <= neurons for kernels, neurons in CORES_KI)
        if not fits and not kernel_error and not neuron_error:
            cores = ", ".join(f"{kernels}/{neurons}Ki" for kernels, neurons in CORES_KI)
            kernel_error = (
                f"There is no core on chip to fit neuron and kernel memories. Kernel is {kernel:g}Ki and "
                f"neuron is {neuron:g}Ki; the cores have (kernel/neuron) {cores}."
            )
        return kernel, neuron, kernel_error, neuron_error


def validate_memory_mapping_speck(
    input_feature_size: int,
    output_feature_size: int,
    kernel_size: Sequence[int],
    stride: Sequence[int],
    padding: Sequence[int],
    input_dimension: Sequence[int] = (64, 64),
    conv_2d: bool = True,
) -> str:
    """Say how much memory of a Speck core a Conv2d takes; see :class:`ValidateMapping`.

    Raises:
        ValueError: the layer does not fit on any core; the message says by how much.

    Example:
        >>> validate_memory_mapping_speck(2, 64, (3, 3), (1, 1), (1, 1), (8, 8))
        'Layer can be mapped successfully. Kernel memory is 2Ki and neuron memory is 4Ki.'
    """
    _check(conv_2d, "this is not a Conv2d", "one; ValidateMapping takes average poolings too")
    layer = ValidateMapping(
        input_feature_size, output_feature_size, kernel_size, stride, padding, input_dimension
    )
    kernel, neuron, kernel_error, neuron_error = layer.calculate_total_memory()
    if kernel_error or neuron_error:
        raise ValueError(" ".join(error for error in (kernel_error, neuron_error) if error))
    return (
        f"Layer can be mapped successfully. Kernel memory is {kernel:g}Ki and neuron memory is "
        f"{neuron:g}Ki."
    )


def _bits(number: int) -> int:
    """ceil(log2(number))."""
    return (number - 1).bit_length()


def _too_large(name: str, memory_ki: float) -> str:
    if memory_ki <= _LARGEST_KI:
        return ""
    return (
        f"{name} memory is {memory_ki:g}Ki and can not be mapped on chip. {name} memory on chip needs "
        f"to be at most {_LARGEST_KI}Ki."
    )


def _check(good: bool, what: str, expected: str) -> None:
    if not good:
        raise ValueError(f"Speck memory check: {what}, expected {expected}.")
