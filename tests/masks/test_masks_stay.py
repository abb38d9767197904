"""What was taken away stays away: in training, copies, files, conversions; and the count is the same throughout."""

import copy
import io
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import prune as torch_masks

import picojoule
from picojoule.budget.connections import Connections
from picojoule.convert import (
    discretize,
    fold_batch_norm,
    from_model,
    normalize_weights,
    replace_module,
    scale_to_synops,
)
from picojoule.layers import IAFSqueeze, LIFRecurrent, SumPool2d
from picojoule.training import load_checkpoint, save_checkpoint
from picojoule.training.files.weights import load_weights

KINDS = ("prune", "thin", "fixed")
X = (torch.rand(8, 2, 8, 8, generator=torch.Generator().manual_seed(0)) < 0.5).float()
WEIGHTED = ("0", "3", "6")
every_kind = pytest.mark.parametrize("kind", KINDS)


def spiking(seed: int = 0) -> nn.Sequential:
    torch.manual_seed(seed)
    return nn.Sequential(
        nn.Conv2d(2, 20, 3),
        IAFSqueeze(batch_size=2),
        SumPool2d(2),
        nn.Conv2d(20, 24, 2),
        IAFSqueeze(batch_size=2),
        nn.Flatten(),
        nn.Linear(24 * 4, 10),
        IAFSqueeze(batch_size=2),
    )


def analog(norm: bool) -> nn.Sequential:
    torch.manual_seed(0)
    middle = nn.BatchNorm2d(20) if norm else nn.Identity()
    return nn.Sequential(
        nn.Conv2d(2, 20, 3, bias=not norm), middle, nn.ReLU(), nn.Conv2d(20, 24, 2), nn.ReLU(), nn.Flatten(),
        nn.Linear(24 * 25, 10),
    )  # fmt: skip


def connect(model: nn.Module, kind: str, readers: tuple[str, ...] = ("3",)) -> Connections:
    feeds = {"0": readers} if kind == "thin" else None
    shares = {"0": 0.5, "3": 0.25}
    return Connections(model, shares, kind=kind, steps=5, every=1, feeds=feeds)


def trained(model: nn.Module, kind: str, readers: tuple[str, ...] = ("3",)) -> nn.Module:
    """A masked model as training leaves it: its last pass was one with gradients."""
    connections = connect(model, kind, readers)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    for _ in range(3):
        picojoule.reset_states(model)
        optimizer.zero_grad()
        model(X).square().mean().backward()
        optimizer.step()
        connections.step()
    picojoule.reset_states(model)
    model(X)
    return model


def zeros(model: nn.Module, names: tuple[str, ...] = WEIGHTED) -> dict[str, Tensor]:
    return {name: model.get_submodule(name).weight == 0 for name in names}


def assert_same_zeros(model: nn.Module, other: nn.Module, names: tuple[str, ...]) -> None:
    before, after = zeros(model, names), zeros(other, names)
    assert any(bool(gone.any()) for gone in before.values())
    assert all(torch.equal(before[name], after[name]) for name in names)


def synops(model: nn.Module, weights: str = "nonzero") -> dict[str, float]:
    picojoule.reset_states(model)
    with torch.no_grad(), picojoule.Monitor(model, weights=weights, num_timesteps=4) as monitor:
        model(X)
    counted = monitor.synops
    return {name: counted[name].item() for name in counted}


def gone(layer: nn.Module, of: str) -> Tensor:
    return getattr(layer, f"{of}_mask") == 0


def file_of(state: dict[str, Tensor]) -> io.BytesIO:
    file = io.BytesIO()
    torch.save(state, file)
    file.seek(0)
    return file


OPTIMIZERS: dict[str, Callable[[list[nn.Parameter]], torch.optim.Optimizer]] = {
    "Adam": lambda p: torch.optim.Adam(p, lr=0.01, amsgrad=True),
    "AdamW": lambda p: torch.optim.AdamW(p, lr=0.01, weight_decay=0.1),
    "SGD": lambda p: torch.optim.SGD(p, lr=0.01, momentum=0.9, weight_decay=0.1, nesterov=True),
    "RMSprop": lambda p: torch.optim.RMSprop(p, lr=0.01, momentum=0.9, weight_decay=0.1),
}


@every_kind
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_nothing_moves_behind_the_masks(kind: str, name: str) -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(10, 40), nn.ReLU(), nn.Linear(40, 20))
    optimizer = OPTIMIZERS[name](list(model.parameters()))
    model(torch.rand(8, 10)).square().mean().backward()
    optimizer.step()  # it has moments of all weights
    feeds = {"0": ["2"]} if kind == "thin" else None
    connections = Connections(
        model, {"0": 0.3, "2": 0.5}, kind=kind, steps=10, every=1, feeds=feeds
    )
    start = {key: value.clone() for key, value in model.named_parameters()}
    masked = [
        (layer, of) for layer in model for of in ("weight", "bias") if hasattr(layer, f"{of}_mask")
    ]
    for _ in range(8):
        optimizer.zero_grad()
        model(torch.rand(8, 10)).square().mean().backward()
        for layer, of in masked:
            assert not layer.get_parameter(f"{of}_orig").grad[gone(layer, of)].any()
        optimizer.step()
        connections.step(optimizer)
        for layer, of in masked:
            parameter = layer.get_parameter(f"{of}_orig")
            known = [x for x in optimizer.state[parameter].values() if isinstance(x, Tensor)]
            moments = [x for x in known if x.shape == parameter.shape]
            assert moments
            assert not any(bool(x[gone(layer, of)].any()) for x in (parameter, *moments))
    assert all(bool((layer.weight_mask == 0).any()) for layer, _ in masked)
    assert not any(torch.equal(value, start[key]) for key, value in model.named_parameters())


@every_kind
def test_what_an_optimizer_does_behind_the_masks_does_not_matter(kind: str) -> None:
    """Muon mixes the entries of a matrix, and moves those without a gradient too."""

    class Mixing(torch.optim.SGD):
        def step(self) -> None:
            with torch.no_grad():
                for parameter in self.param_groups[0]["params"]:
                    parameter.add_(torch.ones_like(parameter), alpha=0.1)

    model = spiking()
    connections = connect(model, kind)
    mixing = Mixing(model.parameters(), lr=1.0)
    left = None
    for _ in range(4):
        picojoule.reset_states(model)
        model(X).sum().backward()
        mixing.step()
        connections.step()
        now = zeros(model)
        assert left is None or all(bool((now[n] >= left[n]).all()) for n in WEIGHTED)
        left = now
    before = synops(model)
    gone = model[3].weight_mask == 0
    assert model[3].weight_orig[gone].any()
    with torch.no_grad():
        model[3].weight_orig[gone] = 1e6
    assert synops(model) == before


@every_kind
def test_a_model_can_be_copied_and_pickled_while_it_trains(kind: str) -> None:
    model = trained(spiking(), kind)
    twin = copy.deepcopy(model)
    file = io.BytesIO()
    torch.save(model, file)
    file.seek(0)
    unpickled = torch.load(file, weights_only=False)
    before = synops(model)
    for other in (twin, unpickled, copy.deepcopy(copy.deepcopy(model)), copy.deepcopy(unpickled)):
        assert other[0].weight_orig is not model[0].weight_orig
        assert synops(other) == before
        picojoule.reset_states(other)
        other(X).sum().backward()  # its masks are its own, and it can be copied in turn
        assert other[0].weight_orig.grad.any()
        copy.deepcopy(other)
        with torch.no_grad():
            other[0].weight_orig.zero_()
    assert synops(model) == before


@every_kind
def test_a_state_dict_has_the_masks(kind: str) -> None:
    model = trained(spiking(), kind)
    fresh = spiking(seed=1)
    connect(fresh, kind)
    state = {k: v for k, v in model.state_dict().items() if "v_mem" not in k}
    fresh.load_state_dict(torch.load(file_of(state)), strict=False)
    assert synops(fresh) == synops(model)
    assert all(torch.equal(value, fresh.state_dict()[name]) for name, value in state.items())


@every_kind
def test_files_of_training_give_a_model_the_masks(kind: str, tmp_path: Path) -> None:
    pytest.importorskip("safetensors")
    model = trained(spiking(), kind)
    optimizer = torch.optim.Adam(model.parameters())
    picojoule.reset_states(model)
    model(X).sum().backward()
    optimizer.step()
    picojoule.reset_states(model)
    model(X)
    before = synops(model)
    save_checkpoint(tmp_path / "a.safetensors", model, optimizer)
    torch.save(model.state_dict(), tmp_path / "a.pt")
    resumed = spiking(seed=1)
    other = torch.optim.Adam(resumed.parameters())
    load_checkpoint(tmp_path / "a.safetensors", resumed, other)
    assert torch.equal(resumed[0].weight, model[0].weight)
    for each, its_optimizer in ((resumed, other), (model, optimizer)):
        picojoule.reset_states(each)
        its_optimizer.zero_grad()
        each(X).sum().backward()
        its_optimizer.step()
    assert all(torch.equal(p, model.get_parameter(n)) for n, p in resumed.named_parameters())
    for name in ("a.safetensors", "a.pt"):
        loaded = spiking(seed=2)
        load_weights(loaded, tmp_path / name)
        assert synops(loaded) == before


def test_a_file_of_another_model_leaves_no_masks(tmp_path: Path) -> None:
    pytest.importorskip("safetensors")
    save_checkpoint(tmp_path / "a.safetensors", trained(spiking(), "thin"))
    other = spiking()
    other[6] = nn.Linear(96, 11)
    before = {name: value.clone() for name, value in other.state_dict().items()}
    with pytest.raises(ValueError, match="of another model; nothing was loaded"):
        load_checkpoint(tmp_path / "a.safetensors", other)
    assert list(other.state_dict()) == list(before)
    assert all(torch.equal(value, before[name]) for name, value in other.state_dict().items())
    assert list(other.state_dict()) == list(spiking().state_dict())


@every_kind
def test_nir_has_the_zeros(kind: str) -> None:
    pytest.importorskip("nir")
    model = trained(spiking(), kind)
    read = picojoule.from_nir(picojoule.to_nir(model, X), batch_size=2)
    assert_same_zeros(model, read, WEIGHTED)
    assert synops(read) == synops(model)


@every_kind
def test_whole_numbers_have_the_zeros(kind: str) -> None:
    model = trained(spiking(), kind)
    picojoule.reset_states(model)
    # so wide that no weight is rounded to zero
    whole = discretize(model, weight_bits=16, state_bits=24, bias_bits=16)
    assert_same_zeros(model, whole, WEIGHTED)


@pytest.mark.filterwarnings("ignore:.*should not be instantiated:DeprecationWarning")  # of torch
def test_a_compiled_model_follows_masks_that_change() -> None:
    model = spiking()
    connections = connect(model, "thin")
    compiled = torch.compile(model, backend="eager")
    for _ in range(3):
        picojoule.reset_states(model)
        fast = compiled(X)
        picojoule.reset_states(model)
        assert torch.equal(fast, model(X))
        picojoule.reset_states(model)
        compiled(X).sum().backward()
        copy.deepcopy(model)
        connections.step()
        model.zero_grad()


@pytest.mark.parametrize("readers", [("1", "3"), ("3",)])
@every_kind
def test_a_folded_normalisation_keeps_the_masks(kind: str, readers: tuple[str, ...]) -> None:
    model = trained(analog(norm=True), kind, readers).eval()
    folded = fold_batch_norm(model)
    torch.testing.assert_close(folded(X), model(X))
    assert_same_zeros(model, folded, ("0", "3", "6"))
    optimizer = torch.optim.SGD(folded.parameters(), lr=0.1)
    folded(X).square().sum().backward()
    optimizer.step()
    folded(X)
    assert_same_zeros(model, folded, ("0", "3", "6"))
    if kind == "thin" and "1" in readers:
        gone = ~model[0].weight.flatten(1).any(1)
        assert not folded[0].bias[gone].any()


@every_kind
def test_a_converted_network_keeps_the_masks(kind: str) -> None:
    model = trained(analog(norm=False), kind)
    network = from_model(model, batch_size=2, bias_rescaling=4.0)
    assert_same_zeros(model, network.spiking_model, ("0", "3", "6"))
    for name in ("0", "3", "6"):
        before, after = model.get_submodule(name), network.spiking_model.get_submodule(name)
        network.spiking_model(X)
        torch.testing.assert_close(after.bias * 4, before.bias)
    relus = replace_module(model, nn.ReLU, lambda _: nn.Tanh())
    relus(X).sum().backward()
    assert_same_zeros(model, relus, ("0", "3", "6"))


@every_kind
def test_scaling_keeps_the_masks(kind: str) -> None:
    model = trained(analog(norm=False), kind)
    before, zero = model(X).detach(), zeros(model)
    normalize_weights(model, X, ["2", "4", "6"], ["0", "3", "6"])
    assert all(torch.equal(gone, zeros(model)[name]) for name, gone in zero.items())
    after = model(X).detach()
    torch.testing.assert_close(after / after.norm(), before / before.norm())
    network = trained(spiking(), kind)
    zero, spent = zeros(network), synops(network, weights="all")
    target = 4 * (1.3 * sum(spent.values()) - 0.3 * spent["0"])  # the first layer's stay
    scale_to_synops(network, X, target, num_timesteps=4)
    assert all(torch.equal(gone, zeros(network)[name]) for name, gone in zero.items())


def test_masks_of_torch_itself_do_not_stop_a_conversion() -> None:
    model = analog(norm=True)
    torch_masks.l1_unstructured(model[0], "weight", amount=0.5)
    model(X).sum().backward()
    folded = fold_batch_norm(model)
    assert_same_zeros(model, folded, ("0",))
    assert_same_zeros(model, replace_module(model, nn.ReLU, lambda _: nn.Tanh()), ("0",))
    assert_same_zeros(model[0:1], from_model(model[0:1], batch_size=2).spiking_model, ("0",))


def test_recurrent_connections_can_go() -> None:
    torch.manual_seed(0)
    neurons = LIFRecurrent(tau_mem=10.0, rec_connect=nn.Linear(20, 20))
    model = nn.Sequential(nn.Linear(10, 20), neurons)
    connections = Connections(model, {"1.rec_connect": 0.3}, kind="prune", steps=2, every=1)
    x = 3 * (torch.rand(4, 15, 10) < 0.5).float()
    model(x).sum().backward()
    assert connections.step()
    picojoule.reset_states(model)
    twin = copy.deepcopy(model)
    torch_masks.remove(twin[1].rec_connect, "weight")
    spikes = model(x)
    assert spikes.any()
    assert torch.equal(spikes, twin(x))
    model.zero_grad()
    spikes.sum().backward()
    gone = neurons.rec_connect.weight_mask == 0
    assert gone.sum() == 280
    assert not neurons.rec_connect.weight_orig.grad[gone].any()
