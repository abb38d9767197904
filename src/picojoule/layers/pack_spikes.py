"""Spikes kept small for the backward pass: as bits or bytes in place of floats."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple
from weakref import WeakValueDictionary

import torch
from torch import Tensor
from torch.multiprocessing.reductions import StorageWeakRef

from picojoule.layers.packed_spikes import DTYPES, PackedSpikes, pack


class _Kept(NamedTuple):
    """A tensor as it was saved; under hooks autograd no longer looks whether it was changed since."""

    tensor: Tensor
    version: int


class _Same(NamedTuple):
    """What two tensors of the same values have in common, each of which fills its memory."""

    storage: StorageWeakRef  # its address is not given to another storage while this exists
    dtype: torch.dtype
    version: int


class _Saved(NamedTuple):
    """Spikes, and the shape and order of memory of the tensor that they come back as."""

    spikes: PackedSpikes
    size: torch.Size
    stride: tuple[int, ...]


@contextmanager
def pack_spikes(*, min_bytes: int = 2**16) -> Iterator[None]:
    """Keep the spikes that a forward pass saves for the backward pass as bits or bytes.

    A floating-point tensor that autograd saves is kept as 1 bit a value if all are 0 or 1, as 1 byte a value
    if all are whole numbers from 0 to 255, and as it is otherwise. It is a float again when the
    backward pass asks for it, equal to the bit, and so are all gradients. What the neurons themselves
    keep, their input current, is no spikes and stays.

    Put it around the forward pass; `backward()` may be inside or outside. Layers hold the mean of their
    output in place of the output for `firing_rate`. Who else holds spikes (your own lists and hooks,
    `record_states`) holds them as floats.

    What it saves depends on the network: where the largest layer is unpacked again at the peak of the backward
    pass, as in a LeNet, that peak stays (docs/adr/0013).

    Args:
        min_bytes: tensors smaller than this are kept as they are.

    Raises:
        ValueError: `min_bytes` is negative.

    What is looked at: tensors on the CPU, once for each memory and version of it, whole if they
    are spikes and their beginning if they are not. On a GPU nothing is packed: the answer whether values
    are whole would have to be waited for. Parameters, and tensors of which only a part is saved, stay too.

    `checkpoint_time` and `torch.utils.checkpoint` inside it: what a chunk starts from is packed, its rerun is not.
    Inside them: they recompute nothing, as the innermost of such contexts is the one that autograd asks.
    Of a compiled model, what its graph saves is packed; in a function that is itself compiled this does nothing.
    `torch.func` refuses such contexts.

    Example:
        >>> from torch import nn
        >>> from picojoule.layers import IAF
        >>> model = nn.Sequential(nn.Linear(3, 400), IAF(), nn.Linear(400, 4), IAF())
        >>> with pack_spikes():
        ...     output = model(torch.rand(2, 100, 3))
        >>> output.sum().backward()
    """
    if min_bytes < 0:
        raise ValueError(f"pack_spikes: min_bytes={min_bytes}, expected 0 or more.")
    if torch.compiler.is_compiling():
        yield
        return
    # a value lives as long as a graph that needs it
    known: WeakValueDictionary[_Same, PackedSpikes] = WeakValueDictionary()

    def save(tensor: Tensor) -> _Saved | _Kept:
        if _may_be_packed(tensor, min_bytes):
            spikes = _pack_once(tensor.detach(), known)
            if spikes is not None:
                return _Saved(spikes, tensor.size(), tensor.stride())
        # not itself where it has a history: that would hold the graph that holds it
        return _Kept(tensor if tensor.is_leaf else tensor.detach(), tensor._version)

    with torch.autograd.graph.saved_tensors_hooks(save, _give_back):
        yield


def _may_be_packed(tensor: Tensor, min_bytes: int) -> bool:
    """Whether a tensor is worth a look: large, plain, and not a part or a parameter."""
    return (
        type(tensor) is Tensor
        and tensor.device.type == "cpu"
        and tensor.layout is torch.strided
        and tensor.dtype in DTYPES
        and tensor.nbytes >= max(min_bytes, 1)
        and not _learns(tensor if tensor._base is None else tensor._base)
        and _fills_its_memory(tensor)
    )


def _learns(tensor: Tensor) -> bool:
    return tensor.is_leaf and tensor.requires_grad


def _fills_its_memory(tensor: Tensor) -> bool:
    dense = torch.empty_like(tensor, device="meta")  # keeps the strides if these leave no gaps
    return tensor.nbytes == tensor.untyped_storage().nbytes() and tensor.stride() == dense.stride()


def _pack_once(
    tensor: Tensor, known: WeakValueDictionary[_Same, PackedSpikes]
) -> PackedSpikes | None:
    storage = StorageWeakRef(tensor.untyped_storage())  # type: ignore[no-untyped-call]
    same = _Same(storage, tensor.dtype, tensor._version)
    spikes = known.get(same)
    if spikes is None:
        spikes = pack(_in_order_of_memory(tensor))
        if spikes is not None:
            known[same] = spikes
    return spikes


def _in_order_of_memory(tensor: Tensor) -> Tensor:
    return tensor.as_strided((tensor.numel(),), (1,))


def _give_back(saved: _Saved | _Kept) -> Tensor:
    if isinstance(saved, _Kept):
        tensor, version = saved
        if tensor._version != version:
            raise RuntimeError(
                f"pack_spikes: a tensor of shape {tuple(tensor.shape)} that the backward pass needs was "
                f"changed in place: it is at version {tensor._version}, expected version {version}. "
                "Change a copy (`x = x + 1` for `x += 1`). torch.autograd.set_detect_anomaly(True) "
                "without pack_spikes tells which operation needs it."
            )
        return tensor
    spikes, size, stride = saved
    tensor = torch.empty_strided(size, stride, dtype=spikes.dtype)
    spikes.unpack(_in_order_of_memory(tensor))
    return tensor
