"""Every layer of sinabs 3.1.3 is here, with its constructor, attributes and state names."""

import dataclasses
import inspect
import warnings
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import picojoule.layers as ours
from picojoule.layers.arguments import constructor_arguments

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    pytest.importorskip("sinabs")
    theirs = pytest.importorskip("sinabs.layers")
    their_alif = pytest.importorskip("sinabs.layers.alif")

LAYERS = sorted(
    name for name, value in vars(theirs).items() if inspect.isclass(value) and name[0].isupper()
)
NEURONS: dict[str, dict[str, Any]] = {
    "IAF": {"tau_syn": 3.0},
    "LIF": {"tau_mem": 4.0, "tau_syn": 3.0, "min_v_mem": -1.0},
    "ALIF": {"tau_mem": 4.0, "tau_adapt": 5.0, "tau_syn": 3.0},
    "ExpLeak": {"tau_mem": 4.0},
    "IAFRecurrent": {"rec_connect": nn.Identity()},
    "LIFRecurrent": {"tau_mem": 4.0, "rec_connect": nn.Identity()},
    "ALIFRecurrent": {"tau_mem": 4.0, "tau_adapt": 5.0, "rec_connect": nn.Identity()},
    "IAFSqueeze": {"batch_size": 2},
    "LIFSqueeze": {"batch_size": 2, "tau_mem": 4.0},
    "ExpLeakSqueeze": {"num_timesteps": 6, "tau_mem": 4.0},
}
OTHERS: dict[str, tuple[tuple[Any, ...], tuple[Tensor, ...]]] = {
    "SumPool2d": ((2,), (torch.rand(4, 2, 4, 4),)),
    "SpikingMaxPooling2dLayer": (((2, 2),), (torch.ones(5, 1, 4, 4),)),
    "Merge": ((), (torch.rand(2, 3), torch.rand(2, 3))),
    "Repeat": ((nn.Linear(3, 3),), (torch.rand(2, 4, 3),)),
    "FlattenTime": ((), (torch.rand(2, 4, 3),)),
    "UnflattenTime": ((2,), (torch.rand(8, 3),)),
    "ChannelShift": ((2,), (torch.rand(2, 3, 4, 4),)),
    "Cropping2dLayer": ((((1, 1), (0, 1)),), (torch.rand(2, 3, 6, 6),)),
    "NeuromorphicReLU": ((), (torch.rand(2, 3),)),
    "QuantizeLayer": ((), (torch.rand(2, 3),)),
    "Img2SpikeLayer": (((1, 4, 4),), (torch.rand(1, 4, 4),)),
    "Sig2SpikeLayer": ((2,), (torch.rand(2, 5),)),
}
# what sinabs has beyond this, and why it is not here
LEFT_OUT = {
    "__deepcopy__",  # copy.deepcopy of a plain module is right
    "spikes_number", "tw", "out_shape", "channels_in",  # sum and shape of the last output
    "pad", "pool", "padding", "norm_type", "start_dim", "end_dim",  # how it is built inside
    "__constants__",  # for torch.jit.script, which sinabs' neurons do not go through
}  # fmt: skip
# in the state_dict on one side alone: the adapted threshold follows from b; the feedback is carried
STATES_APART = {"spike_threshold", "i_rec"}


def defaults(arguments: Any) -> dict[str, Any]:
    """Default by argument name, in a form that both libraries share."""
    return {
        name: comparable(argument.default)
        for name, argument in arguments.items()
        if name != "self" and argument.kind not in (argument.VAR_POSITIONAL, argument.VAR_KEYWORD)
    }


def comparable(value: Any) -> Any:
    if isinstance(value, Tensor):
        return value.item()
    if inspect.isclass(value):
        return value.__name__
    if dataclasses.is_dataclass(value):
        return type(value).__name__, dataclasses.asdict(value)
    return value


def pair(name: str) -> tuple[Any, Any]:
    return getattr(ours, name)(**NEURONS[name]), getattr(theirs, name)(**NEURONS[name])


def own_names(layer: Any) -> set[str]:
    return {name for name in dir(layer) if not name.startswith("__")} - set(dir(nn.Module()))


@pytest.mark.parametrize("name", LAYERS)
def test_every_layer_takes_the_same_arguments_with_the_same_defaults(name: str) -> None:
    if name == "SqueezeMixin":  # a plain mixin there, with no constructor
        return
    want = defaults(inspect.signature(getattr(theirs, name).__init__).parameters)
    got = defaults(constructor_arguments(getattr(ours, name)))
    assert list(got)[: len(want)] == list(want)
    if (
        name == "UnflattenTime"
    ):  # sinabs asks for batch_size; here num_timesteps may stand in its place
        want["batch_size"] = None
    assert {key: got[key] for key in want} == want


@pytest.mark.parametrize("name", LAYERS)
def test_every_method_and_property_of_a_class_is_there(name: str) -> None:
    missing = set(dir(getattr(theirs, name))) - set(dir(getattr(ours, name)))
    assert missing <= LEFT_OUT


@pytest.mark.parametrize("name", NEURONS)
def test_every_attribute_state_and_parameter_of_a_used_neuron_is_there(name: str) -> None:
    our, their = pair(name)
    data = 4 * torch.randn(12, 3) if "Squeeze" in name else 4 * torch.randn(2, 6, 3)
    our(data), their(data)
    assert own_names(their) - own_names(our) <= LEFT_OUT
    assert set(our.state_dict()) ^ set(their.state_dict()) <= STATES_APART
    trained = [{n for n, p in x.named_parameters() if p.requires_grad} for x in (our, their)]
    assert trained[0] == trained[1]
    assert our.does_spike == their.does_spike
    assert our.shape == their.shape == (2, 3)
    assert our.recordings == their.recordings == {}


@pytest.mark.parametrize("name", OTHERS)
def test_every_attribute_of_another_used_layer_is_there(name: str) -> None:
    arguments, inputs = OTHERS[name]
    our, their = (getattr(library, name)(*arguments) for library in (ours, theirs))
    our(*inputs), their(*inputs)
    assert own_names(their) - own_names(our) <= LEFT_OUT


def test_no_layer_of_sinabs_is_forgotten() -> None:
    assert {*NEURONS, *OTHERS, "StatefulLayer", "SqueezeMixin"} == set(LAYERS)


@pytest.mark.parametrize("name", NEURONS)
def test_the_constructors_arguments_are_told_as_sinabs_tells_them(name: str) -> None:
    our, their = pair(name)
    want = {key: comparable(value) for key, value in their.arg_dict.items()}
    got = {key: comparable(value) for key, value in our.arg_dict.items()}
    assert got.keys() >= want.keys()
    for key, value in want.items():
        assert got[key] == (pytest.approx(value) if isinstance(value, float) else value), key


@pytest.mark.parametrize("name", NEURONS)
def test_the_firing_rate_and_its_gradient_are_those_of_sinabs(name: str) -> None:
    results = []
    # sinabs' synaptic current of ALIF is wrong (S16, S17)
    arguments = NEURONS[name] if name != "ALIF" else {"tau_mem": 4.0, "tau_adapt": 5.0}
    for library in (ours, theirs):
        layer = getattr(library, name)(**arguments)
        data = torch.randn(12, 3, generator=torch.Generator().manual_seed(3))
        data = (data if "Squeeze" in name else data.unflatten(0, (2, 6))).requires_grad_()
        layer(2 + 8 * data)
        layer.firing_rate.backward()
        results.append((layer.firing_rate, data.grad))
    torch.testing.assert_close(*results)
    assert results[0][1].any()


def test_a_squeezed_class_in_the_manner_of_sinabs_works() -> None:
    class Own(ours.IAF, ours.SqueezeMixin):
        def __init__(
            self, batch_size: int | None = None, num_timesteps: int | None = None, **kwargs: Any
        ):
            super().__init__(**kwargs)
            self.squeeze_init(batch_size, num_timesteps)

        def forward(self, data: Tensor) -> Tensor:
            return self.squeeze_forward(data, super().forward)

        @property
        def _param_dict(self) -> dict[str, Any]:
            return self.squeeze_param_dict(super()._param_dict)

    data = 2 * torch.rand(12, 3)
    own = Own(batch_size=2, spike_threshold=0.5)
    want = ours.IAFSqueeze(batch_size=2, spike_threshold=0.5)
    assert torch.equal(own(data), want(data))
    assert own.arg_dict == want.arg_dict | {"num_timesteps": -1}


def test_squeezed_forms_that_sinabs_lacks_or_hides() -> None:
    assert issubclass(ours.ALIFSqueeze, ours.ALIF)
    assert hasattr(their_alif, "ALIFSqueeze")
    want = defaults(inspect.signature(their_alif.ALIFSqueeze.__init__).parameters)
    got = defaults(constructor_arguments(ours.ALIFSqueeze))
    assert {key: got[key] for key in want} == want
