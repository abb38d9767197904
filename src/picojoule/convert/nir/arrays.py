"""Tensors as the arrays that NIR nodes hold."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Array = NDArray[Any]


def array(value: Tensor) -> Array:
    """The tensor's values; half precision, which files and numpy know in part, in float32."""
    value = value.detach().cpu()
    return np.asarray((value if value.dtype == torch.float64 else value.float()).numpy())
