"""What one spike of a layer is worth, found in its values."""

from __future__ import annotations

import torch
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensor

from picojoule.synops.magnitudes import Unit
from picojoule.synops.watch.origin import Origin

_SEEN = 65536  # values that are compared with one another; all are then checked
_MOST = 4096  # units in one value; more are no graded spikes, but real numbers


def can_be_read(x: Tensor) -> bool:
    """Whether Python may look at its values: it has some, and nothing records what is done to them."""
    if x.is_meta or isinstance(x, FakeTensor) or torch._C._functorch.peek_interpreter_stack():
        return False
    return not (x.is_cuda and torch.cuda.is_current_stream_capturing())


def worth(x: Tensor) -> Tensor:
    """The smallest magnitude there is, 0 if all values are 0: a scalar in float32 at least, found on the device."""
    values = _magnitudes(x)
    if values.numel() == 0:
        return values.new_zeros(())
    smallest = torch.where(values > 0, values, torch.inf).amin()
    return torch.where(torch.isinf(smallest), torch.zeros_like(smallest), smallest)


def multiples(x: Tensor, unit: Unit) -> Tensor:
    """Whether all values are whole multiples of the unit, as far as their type can tell; on the device.

    n = |x / unit|;   |n - round(n)| <= 2 eps n + 1e-4, and n <= 4096 or what the type can tell apart
    """
    if x.numel() == 0:
        return torch.ones((), dtype=torch.bool, device=x.device)
    number = _magnitudes(x) / unit
    off = (number - number.round()).abs()
    exact = off.amax() == 0
    if not isinstance(unit, Tensor) and unit == 1:
        return exact
    eps, most = torch.finfo(x.dtype).eps, number.amax()
    near = (off <= 2 * eps * number + 1e-4).all() & (most <= 1 / (8 * eps))
    return (exact | near) & (most <= _MOST)


def cancelled(left: Tensor, taken: Tensor, unit: Unit, is_detached: bool) -> Tensor:
    """Whether dense values that were added to spikes are gone now that `taken` was taken away; on the device.

    |left - n unit| <= 2 eps (max |left| + max |taken|) <= unit / 8

    What is left of whole numbers is whole, whatever they are: there, that one of the two has no gradient (`is_detached`)
    or that there is nothing to take away has to tell.
    """
    if left.numel() == 0:
        return torch.ones((), dtype=torch.bool, device=left.device)
    values, other = left.detach(), taken.detach()
    number = values if not isinstance(unit, Tensor) and unit == 1 else values / unit
    off, most = _largest(number - number.round()) * unit, _largest(other)
    tolerance = 2 * torch.finfo(left.dtype).eps * (_largest(values) + most)
    near = (off <= tolerance) & (tolerance <= unit / 8)
    return near if is_detached else near & ((most == 0) | (_largest(other.frac()) > 0))


def _largest(x: Tensor) -> Tensor:
    """The largest magnitude, without a tensor of magnitudes."""
    least, most = x.aminmax()
    return torch.maximum(-least, most)


def spike_value(x: Tensor) -> float | None:
    """What one spike is worth: the largest value of which all are multiples.

    Waits for the device. 0 if all values are 0; None if they are no multiples of one value, so no spikes.

    Example:
        >>> spike_value(torch.tensor([0.0, 0.5, 0.75])), spike_value(torch.tensor([0.0, 0.31, 0.77]))
        (0.25, None)
    """
    smallest = float(worth(x))
    if smallest in (0.0, 1.0):
        return smallest if smallest == 0 or bool(multiples(x, 1.0)) else None
    most = float(_magnitudes(x).amax())
    tolerance = max(1e-3 * smallest, torch.finfo(x.dtype).eps * most)
    seen = torch.unique(_magnitudes(x).flatten()[:_SEEN]).tolist()
    value = smallest
    for other in seen[: _MOST + 1]:
        value = _common(other, value, tolerance)
    return value if bool(multiples(x, value)) else None


def judged(x: Tensor, unit: float | None = None, whole_first: bool = False) -> Origin:
    """Spikes of that unit, or of the smallest magnitude there is, if all values are multiples of it; else dense.

    Found on the device. With `whole_first`, whole numbers are of unit 1 if none is given.

    Example:
        >>> judged(torch.tensor([0.0, 0.25, 0.75])).unit, judged(torch.tensor([0.0, 0.3, 0.7])).whole
        (tensor(0.2500), tensor(False))
    """
    if unit is None:
        found = worth(x)
        one = multiples(x, 1.0) if whole_first else found == 0
        found = torch.where(one, torch.ones_like(found), found)
        return Origin("spikes", unit=found, whole=multiples(x, found), source="layer")
    return Origin("spikes", unit=unit, whole=multiples(x, unit), source="layer")


def _common(a: float, b: float, tolerance: float) -> float:
    """The largest number of which both are multiples, up to a tolerance."""
    while b > tolerance:
        a, b = b, a - b * round(a / b)
        b = abs(b)
    return a


def each_its_own(x: Tensor) -> Origin:
    """Spikes that differ in what they are worth: whatever is not zero is one."""
    unit = x.detach().abs()
    return Origin("spikes", unit=unit, signed=bool(x.is_signed()), source="layer")


def _magnitudes(x: Tensor) -> Tensor:
    x = x.detach().abs()
    return x.to(torch.promote_types(x.dtype, torch.float32))
