"""Layers of quantisation-aware training compute with other weights than they hold: nothing is made of those in silence."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.ao.nn import qat
from torch.ao.nn.quantized import reference
from torch.ao.quantization import get_default_qat_qconfig

from picojoule import events
from picojoule.convert import discretize, fold_batch_norm, normalize_weights, to_nir
from picojoule.layers import IAFSqueeze

IMAGES = torch.ones(2, 2, 4, 4)


def in_training() -> nn.Module:
    layer = qat.Conv2d(2, 3, 3, qconfig=get_default_qat_qconfig("x86"))
    layer(IMAGES)  # it has seen its weights
    return layer


def by_reference() -> nn.Module:
    tenths = {
        "qscheme": torch.per_tensor_affine, "dtype": torch.qint8, "scale": 0.1, "zero_point": 0, "is_decomposed": False
    }  # fmt: skip
    return reference.Conv2d.from_float(nn.Conv2d(2, 3, 3), tenths)


def network(layer: nn.Module) -> nn.Sequential:
    return nn.Sequential(layer, IAFSqueeze(batch_size=1)).eval()


MADE: dict[str, Callable[[nn.Module], Any]] = {
    "events.compile": lambda layer: events.compile(network(layer), IMAGES),
    "to_nir": lambda layer: to_nir(network(layer), IMAGES),
    "discretize": lambda layer: discretize(network(layer)),
    "normalize_weights": lambda layer: normalize_weights(
        nn.Sequential(layer, nn.ReLU()), IMAGES, ["1"], ["0"]
    ),
    "fold_batch_norm": lambda layer: fold_batch_norm(nn.Sequential(layer, nn.BatchNorm2d(3))),
}


@pytest.mark.filterwarnings("ignore:.*torch.ao|.*quantized tensor:DeprecationWarning")
@pytest.mark.filterwarnings("ignore:.*quantize_per_tensor:UserWarning")
@pytest.mark.parametrize("rounded", [in_training, by_reference])
@pytest.mark.parametrize("what", MADE)
def test_weights_that_are_rounded_in_each_pass_are_refused(
    what: str, rounded: Callable[[], nn.Module]
) -> None:
    with pytest.raises((NotImplementedError, ValueError), match=f"{what}: .*rounds its weights"):
        MADE[what](rounded())


def test_the_rounded_ones_in_a_plain_layer_are_what_the_network_computes_with() -> None:
    layer: Any = in_training()
    plain = nn.Conv2d(2, 3, 3)
    plain.weight.data, plain.bias = layer.weight_fake_quant(layer.weight).detach(), layer.bias
    model = nn.Sequential(IAFSqueeze(batch_size=1), plain).eval()
    given: Tensor = model[1](IMAGES)
    assert torch.allclose(given, layer.eval()(IMAGES))
    assert torch.allclose(events.compile(model, IMAGES)(IMAGES), given)
