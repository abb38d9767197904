"""Folding a normalisation leaves the function as it is; what cannot be folded is named."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from picojoule.convert import fold_batch_norm
from picojoule.layers import IAF, FlattenTime, IAFRecurrent, IAFSqueeze, Repeat, UnflattenTime

LAYERS = {
    "linear": (lambda: nn.Linear(6, 4), nn.BatchNorm1d, (6,)),
    "linear, no bias": (lambda: nn.Linear(6, 4, bias=False), nn.BatchNorm1d, (6,)),
    "conv1d": (lambda: nn.Conv1d(6, 4, 3, padding=1), nn.BatchNorm1d, (6, 7)),
    "conv2d": (lambda: nn.Conv2d(6, 4, 3, stride=2), nn.BatchNorm2d, (6, 7, 7)),
    "conv2d, no bias": (lambda: nn.Conv2d(6, 4, 3, bias=False), nn.BatchNorm2d, (6, 7, 7)),
    "conv2d in groups": (lambda: nn.Conv2d(6, 4, 3, groups=2), nn.BatchNorm2d, (6, 7, 7)),
    "conv3d": (lambda: nn.Conv3d(6, 4, 2), nn.BatchNorm3d, (6, 4, 4, 4)),
    "transposed 1d": (lambda: nn.ConvTranspose1d(6, 4, 3), nn.BatchNorm1d, (6, 5)),
    "transposed 2d in groups": (
        lambda: nn.ConvTranspose2d(6, 4, 3, groups=2, stride=2, bias=False),
        nn.BatchNorm2d,
        (6, 5, 5),
    ),
    "transposed 3d": (lambda: nn.ConvTranspose3d(6, 4, 2), nn.BatchNorm3d, (6, 3, 3, 3)),
}


def settled(norm: Any) -> Any:
    """A normalisation with statistics as after a training, one variance smaller than eps."""
    norm.running_mean.uniform_(-1, 1)
    norm.running_var.uniform_(0.5, 2.0)[0] = 1e-6
    if norm.affine:
        nn.init.uniform_(norm.weight, -2, 2)
        nn.init.uniform_(norm.bias, -1, 1)
    return norm


@pytest.mark.parametrize("affine", [True, False])
@pytest.mark.parametrize("kind", LAYERS)
def test_the_function_stays(kind: str, affine: bool) -> None:
    layer, norm, shape = LAYERS[kind]
    model = nn.Sequential(layer(), settled(norm(4, affine=affine)), nn.ReLU()).eval().double()
    x = torch.randn(3, *shape, dtype=torch.float64)
    folded = fold_batch_norm(model)
    assert type(folded[1]) is nn.Identity
    torch.testing.assert_close(folded(x), model(x), rtol=1e-10, atol=1e-10)


def test_eps_counts() -> None:
    norm = nn.BatchNorm1d(1, eps=0.75, affine=False)
    norm.running_var.fill_(0.25)
    model = nn.Sequential(nn.Linear(1, 1, bias=False), norm)
    nn.init.constant_(model[0].weight, 3.0)
    assert fold_batch_norm(model)[0].weight.item() == 3.0  # 3 / sqrt(0.25 + 0.75)


def test_the_original_stays_and_the_copy_keeps_modes_dtype_and_what_is_trained() -> None:
    model = nn.Sequential(nn.Conv2d(1, 2, 3, bias=False), settled(nn.BatchNorm2d(2))).half()
    model[0].weight.requires_grad_(False)
    model[1].eval()
    before = {name: x.clone() for name, x in model.state_dict().items()}
    folded = fold_batch_norm(model)
    assert all(torch.equal(x, before[name]) for name, x in model.state_dict().items())
    assert [m.training for m in folded.modules()] == [m.training for m in model.modules()]
    assert folded[0].weight.dtype == folded[0].bias.dtype == torch.float16
    assert not folded[0].weight.requires_grad
    assert not folded[0].bias.requires_grad


def test_a_model_without_normalisation_is_copied() -> None:
    model = nn.Sequential(nn.Linear(2, 2))
    folded = fold_batch_norm(model)
    assert folded is not model
    assert torch.equal(folded[0].weight, model[0].weight)


class Block(nn.Module):
    """A residual block with a branch on the data in a part that holds no normalisation."""

    class Opaque(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x if x.sum() > 0 else -x

    def __init__(self) -> None:
        super().__init__()
        self.opaque = self.Opaque()
        self.norm = settled(nn.BatchNorm2d(2))
        self.conv = nn.Conv2d(2, 2, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(self.norm(self.conv(self.opaque(x)))) + x


def test_any_module_that_can_be_followed_and_nested_ones() -> None:
    stem = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Identity(), settled(nn.BatchNorm2d(2)))
    model = nn.Sequential(stem, Block(), nn.Sequential(Block())).eval()
    x = torch.randn(2, 1, 6, 6)
    folded = fold_batch_norm(model)
    assert not any(isinstance(m, nn.BatchNorm2d) for m in folded.modules())
    torch.testing.assert_close(folded(x), model(x), rtol=1e-4, atol=1e-4)


def test_spiking_networks() -> None:
    conv = nn.Sequential(nn.Conv2d(1, 2, 3), settled(nn.BatchNorm2d(2)))
    squeezed = nn.Sequential(FlattenTime(), conv, IAFSqueeze(batch_size=2), UnflattenTime(2)).eval()
    x = torch.rand(2, 5, 1, 6, 6)
    assert torch.equal(fold_batch_norm(squeezed)(x), squeezed(x))
    repeated = nn.Sequential(Repeat(conv), IAF()).eval()
    folded = fold_batch_norm(repeated)
    assert type(folded[0].module[1]) is nn.Identity
    assert torch.equal(folded(x), repeated(x))


def test_a_normalisation_with_two_names_is_replaced_under_both() -> None:
    model = nn.Sequential(nn.Linear(2, 2), settled(nn.BatchNorm1d(2))).eval()

    class TwoNames(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first_name, self.run = model[1], model

        def forward(self, x: Tensor) -> Tensor:
            return self.run(x)

    folded = fold_batch_norm(TwoNames())
    x = torch.randn(3, 2)
    assert type(folded.first_name) is type(folded.run[1]) is nn.Identity
    torch.testing.assert_close(folded.run(x), model(x), rtol=1e-4, atol=1e-4)


class Listed(nn.Module):
    """Its layers, and a list of them by which nobody calls them."""

    def __init__(self) -> None:
        super().__init__()
        self.run = nn.Sequential(nn.Linear(2, 2), settled(nn.BatchNorm1d(2)))
        self.all = nn.ModuleList([self.run[0], self.run[1]])

    def forward(self, x: Tensor) -> Tensor:
        return self.run(x)


def test_a_layer_in_a_list_beside_its_place_is_not_used_twice() -> None:
    model, x = Listed().eval(), torch.randn(3, 2)
    torch.testing.assert_close(fold_batch_norm(model)(x), model(x), rtol=1e-4, atol=1e-4)


def test_a_normalisation_in_a_plain_list_is_replaced_there_too() -> None:
    class Listed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer, self.norm = nn.Linear(2, 2), settled(nn.BatchNorm1d(2))
            self.path = [self.layer, self.norm]

        def forward(self, x: Tensor) -> Tensor:
            return self.path[1](self.path[0](x))

    model, x = Listed().eval(), torch.randn(3, 2)
    torch.testing.assert_close(fold_batch_norm(model)(x), model(x), rtol=1e-4, atol=1e-4)


class Branching(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2)

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(self.conv(x)) if x.sum() > 0 else x


class UsedElsewhere(Branching):
    def forward(self, x: Tensor) -> Tensor:
        y = self.conv(x)
        return self.norm(y) + y


class CalledTwice(Branching):
    def forward(self, x: Tensor) -> Tensor:
        return self.norm(self.conv(x)) + self.norm(self.conv(2 * x))


class NeverCalled(Branching):
    def forward(self, x: Tensor) -> Tensor:
        return self.conv(x)


class Own(nn.BatchNorm2d):
    pass


class Tied(nn.Module):
    """An autoencoder whose decoder is the encoder's weight."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder, self.norm = nn.Linear(4, 3), nn.BatchNorm1d(3)

    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.linear(self.norm(self.encoder(x)), self.encoder.weight.t())


class Decoder(nn.Module):
    def __init__(self, encoder: nn.Linear) -> None:
        super().__init__()
        self.encoder = encoder

    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.linear(x, self.encoder.weight.t())


def _held_by_a_decoder() -> nn.Module:
    encoder = nn.Linear(4, 3)
    return nn.Sequential(encoder, nn.BatchNorm1d(3), Decoder(encoder))


def _heard_as_feedback() -> nn.Module:
    connect = nn.Linear(3, 3)
    return nn.Sequential(
        FlattenTime(), connect, nn.BatchNorm1d(3), UnflattenTime(2), IAFRecurrent(connect)
    )


def _weight_norm() -> nn.Module:
    conv = nn.utils.parametrizations.weight_norm(nn.Conv2d(1, 2, 3))
    return nn.Sequential(conv, nn.BatchNorm2d(2))


def _shared_conv() -> nn.Module:
    conv = nn.Conv2d(2, 2, 3)
    return nn.Sequential(conv, nn.ReLU(), conv, nn.BatchNorm2d(2))


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (
            lambda: nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2, track_running_stats=False)),
            r"'1' \(BatchNorm2d\) has no running statistics",
        ),
        (lambda: nn.BatchNorm2d(2), r"\(BatchNorm2d\) follows placeholder"),
        (
            lambda: nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(), nn.BatchNorm2d(2)),
            r"'2' \(BatchNorm2d\) follows ReLU, expected a convolution",
        ),
        (
            lambda: nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(5)),
            r"'1' .* normalises 5 features, but '0' has 4",
        ),
        (
            lambda: nn.Sequential(nn.Conv2d(1, 2, 3), Own(2)),
            r"'1' \(Own\) is not one of BatchNorm1d",
        ),
        (_weight_norm, r"follows '0', whose weight is computed from other parameters"),
        (_shared_conv, r"follows '0', which is called 2 times"),
        (UsedElsewhere, r"'norm' .* follows 'conv', whose output is used elsewhere"),
        (CalledTwice, r"'norm' .* is called 2 times"),
        (
            Tied,
            r"'norm' .* follows 'encoder', and the forward pass uses 'encoder.weight' by itself",
        ),
        (_held_by_a_decoder, r"'1' .* follows '0', which '2' holds, too"),
        (_heard_as_feedback, r"'2' .* follows '1', which '4' holds, too"),
        (NeverCalled, r"'norm' .* is not called"),
        (Branching, r"torch.fx cannot follow the forward pass of Branching"),
    ],
)
def test_what_cannot_be_folded_is_named(build: Callable[[], nn.Module], message: str) -> None:
    with pytest.raises(NotImplementedError, match=message):
        fold_batch_norm(build())
