"""sinabs.utils, sinabs.cnnutils and the Speck memory check."""

import itertools

import pytest
import torch
from torch import nn

from picojoule.compat.sinabs import cnnutils, utils
from picojoule.compat.sinabs.activations import get_activations, get_network_activations
from picojoule.compat.sinabs.speck_memory import ValidateMapping, validate_memory_mapping_speck
from picojoule.layers import IAF, IAFSqueeze


def squeezed(*sizes: dict[str, int]) -> nn.Sequential:
    return nn.Sequential(*(IAFSqueeze(**size) for size in sizes))


def test_sizes_that_squeezing_layers_agree_on() -> None:
    model = squeezed({"batch_size": 3}, {"num_timesteps": 4}, {"batch_size": 3, "num_timesteps": 4})
    assert utils.get_batch_size(model) == 3
    assert utils.get_num_timesteps(model) == 4
    assert utils.get_smallest_compatible_time_dimension(model) == 12
    assert utils.get_batch_size(nn.Linear(1, 1)) == utils.get_num_timesteps(nn.Linear(1, 1)) == -1
    assert utils.get_smallest_compatible_time_dimension(squeezed({"batch_size": 3})) == 3


def test_sizes_that_they_do_not_agree_on_are_named() -> None:
    with pytest.raises(ValueError, match=r"batch_size: \{'0': 3, '1': 5\}"):
        utils.get_batch_size(squeezed({"batch_size": 3}, {"batch_size": 5}))


def test_indices_and_pairs() -> None:
    assert [utils.get_new_index(x) for x in ([], [0, 1], [1, 2], [2, 0])] == [0, 2, 0, 1]
    for pair in ((1, 2), []):
        with pytest.raises(ValueError, match="expected equal elements"):
            utils.collapse_pair(pair)


def test_activations_come_in_the_order_of_the_names_and_modes_stay() -> None:
    model = nn.Sequential(nn.Linear(2, 3), nn.Dropout(0.5), nn.Sequential(nn.ReLU()))
    model[0].eval()
    data = torch.randn(4, 2)
    names = ["2.0", "Input", "0"]
    relu, given, linear = get_activations(model, data, names)
    assert (relu == linear.clip(min=0)).all()
    assert (given == data.numpy()).all()
    assert [module.training for module in model.modules()] == [True, False, True, True, True]
    assert not model[0]._forward_hooks
    assert len(get_activations(model, data)) == 5


@pytest.mark.parametrize("function", [get_activations, get_network_activations])
def test_activations_of_unknown_and_uncalled_layers(function) -> None:
    class Idle(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.used, self.idle = nn.Identity(), nn.Identity()

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.used(x)

    with pytest.raises(ValueError, match="no layer named 'usd'; the model has used, idle"):
        function(Idle(), torch.ones(1, 2), ["usd"])
    with pytest.raises(ValueError, match="'idle' was not called"):
        function(Idle(), torch.ones(1, 2), ["idle"])


def test_spike_counts_do_not_depend_on_what_ran_before_and_leave_no_trace() -> None:
    model = nn.Sequential(IAFSqueeze(batch_size=1))
    model(torch.full((1, 1), 0.5))
    data, before = torch.full((5, 1), 0.5), model[0].v_mem.clone()
    counts = [get_network_activations(model, data, ["0", "Input"]) for _ in range(2)]
    assert [[x.tolist() for x in count] for count in counts] == [[[2.0], [2.5]]] * 2
    (rate,) = get_network_activations(model, data, ["0"], bRate=True)
    assert rate.tolist() == [400.0]
    assert torch.equal(model[0].v_mem, before)
    assert not model[0]._forward_hooks


def test_output_sizes_are_those_of_a_convolution() -> None:
    for length, kernel, stride in itertools.product(range(4, 9), (1, 2, 3), (1, 2, 3)):
        expected = nn.Conv1d(1, 1, kernel, stride)(torch.zeros(1, 1, length)).shape[-1]
        assert cnnutils.conv_output_size(length, kernel, stride) == expected
    with pytest.raises(ValueError, match="a kernel of 5 does not fit into an image of 4"):
        cnnutils.conv_output_size(4, 5, 1)


@pytest.mark.parametrize("kernel", [(2, 5), (3, 4)])
def test_same_padding_keeps_the_size(kernel: tuple[int, int]) -> None:
    padding = cnnutils.compute_padding(kernel, (1, 6, 7), "same")
    assert nn.Conv2d(1, 1, kernel)(nn.ZeroPad2d(padding)(torch.zeros(1, 1, 6, 7))).shape[2:] == (
        6,
        7,
    )
    assert cnnutils.compute_padding(kernel, (1, 6, 7)) == (0, 0, 0, 0)
    with pytest.raises(NotImplementedError, match="'full'"):
        cnnutils.compute_padding(kernel, (1, 6, 7), "full")


def test_inferring_a_shape_leaves_no_trace() -> None:
    norm, neuron = nn.BatchNorm2d(2), IAF()
    torch.manual_seed(0)
    expected = torch.rand(1)
    torch.manual_seed(0)
    assert cnnutils.infer_output_shape(norm.double(), (2, 3, 3)) == (2, 3, 3)
    assert cnnutils.infer_output_shape(neuron, (4, 3)) == (4, 3)
    assert norm.num_batches_tracked == 0
    assert norm.training
    assert not neuron.is_state_initialised()
    assert torch.rand(1) == expected


def test_speck_feature_maps_are_rounded_down() -> None:
    """V1: 64 with kernel 2 and stride 2 ... 65 wide gives 32, not 32.5 and then 64."""
    layer = ValidateMapping(1, 16, (2, 2), (2, 2), (0, 0), (65, 65))
    assert layer.output_dimension == (32, 32)
    assert layer.calculate_neuron_memory() == 16 * 32 * 32
    expected = (
        "Layer can be mapped successfully. Kernel memory is 0.0625Ki and neuron memory is 16Ki."
    )
    assert validate_memory_mapping_speck(1, 16, (2, 2), (2, 2), (0, 0), (65, 65)) == expected


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((64, 65, (3, 3), (1, 1), (1, 1), (8, 8)), "^Kernel memory is 128Ki and can not be mapped"),
        ((1, 64, (3, 3), (1, 1), (1, 1)), "^Neuron memory is 256Ki and can not be mapped"),
        ((32, 64, (3, 3), (1, 1), (1, 1), (32, 32)), "no core.*Kernel is 32Ki and neuron is 64Ki"),
        ((1, 1, (3, 3), (1, 3), (1, 1)), "stride is .1, 3., expected 1, 2, 4 or 8 for either axis"),
        ((1, 1, (17, 3), (1, 1), (1, 1)), "at most 16x16"),
        ((1, 1025, (3, 3), (1, 1), (1, 1)), "1025 output features"),
        ((1, 1, (3, 3, 3), (1, 1), (1, 1)), "expected two numbers"),
        ((1, 1, (9, 9), (1, 1), (0, 0), (8, 8)), "at least 1x1"),
        ((1, 1, (3, 3), (1, 1), (1, 1), (8, 8), False), "expected one; ValidateMapping"),
    ],
)
def test_what_does_not_fit_on_speck_says_why(arguments: tuple, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        validate_memory_mapping_speck(*arguments)


def test_poolings_of_speck() -> None:
    assert ValidateMapping(1, 1, (4, 4), (4, 4), (0, 0), conv_2d=False).output_dimension == (16, 16)
    with pytest.raises(ValueError, match="1x1, 2x2 or 4x4"):
        ValidateMapping(1, 1, (3, 3), (1, 1), (0, 0), conv_2d=False)
