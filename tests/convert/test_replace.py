"""Layers replaced by others: everywhere, with the rest of the model as it was."""

import pytest
import torch
from torch import nn

from picojoule.convert import replace_module, replace_module_


def tanh(_: nn.Module) -> nn.Module:
    return nn.Tanh()


def test_nested_layers_are_replaced_in_a_copy() -> None:
    model = nn.Sequential(nn.Sequential(nn.Linear(2, 2), nn.ReLU()), nn.ReLU())
    other = replace_module(model, nn.ReLU, tanh)
    assert [type(m) for m in other.modules() if not list(m.children())] == [
        nn.Linear,
        nn.Tanh,
        nn.Tanh,
    ]
    assert not any(isinstance(m, nn.Tanh) for m in model.modules())


def test_a_layer_in_two_places_becomes_two() -> None:
    relu = nn.ReLU()
    other = replace_module(nn.Sequential(relu, nn.Linear(2, 2), relu), nn.ReLU, tanh)
    assert isinstance(other[0], nn.Tanh)
    assert isinstance(other[2], nn.Tanh)
    assert other[0] is not other[2]


class Listed(nn.Module):
    """Holds a layer by an attribute, and in plain Python."""

    def __init__(self) -> None:
        super().__init__()
        self.relu = nn.ReLU()
        self.path = {"all": [nn.Identity(), (self.relu, 3)]}


def test_a_layer_in_a_plain_list_is_replaced_there_too() -> None:
    model = Listed()
    relu, path = model.relu, model.path
    other = replace_module(model, nn.ReLU, tanh)
    assert other.path["all"][1] == (other.relu, 3)
    assert isinstance(other.relu, nn.Tanh)
    replace_module_(model, nn.ReLU, tanh)
    assert model.path["all"][1] == (model.relu, 3)
    assert path["all"][1] == (relu, 3)  # somebody else may hold this list


def test_a_bare_layer_is_mapped() -> None:
    assert isinstance(replace_module(nn.ReLU(), nn.ReLU, tanh), nn.Tanh)


def test_a_bare_layer_cannot_be_replaced_in_place() -> None:
    relu = nn.ReLU()
    with pytest.warns(UserWarning, match="itself is a ReLU"):
        replace_module_(relu, nn.ReLU, tanh)


def test_a_replaced_container_is_replaced_whole() -> None:
    class Block(nn.Sequential):
        """A container to be replaced."""

    model = nn.Sequential(Block(Block(nn.ReLU())), nn.Linear(2, 2))
    replace_module_(model, Block, tanh)
    assert isinstance(model[0], nn.Tanh)
    assert len(model) == 2


def test_hooks_modes_and_frozen_parameters_stay() -> None:
    model = nn.Sequential(nn.Linear(2, 2), nn.ReLU()).eval()
    model[0].weight.requires_grad_(False)
    calls = []
    model[0].register_forward_hook(lambda *_: calls.append(1))
    other = replace_module(model, nn.ReLU, tanh)
    other(torch.ones(1, 2))
    assert calls == [1]
    assert not other[0].training
    assert not other[0].weight.requires_grad
