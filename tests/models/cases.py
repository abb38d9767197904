"""The published networks, with what has to be known of each to count it by hand."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from tests.models import (
    bindsnet,
    meta_spikeformer,
    of_peers,
    qkformer,
    resnets,
    sequences,
    spike_driven,
    spikformer,
    temporal,
    time_last,
    without_modules,
)
from tests.models import neurons as n

T = 4


def image(batch: int) -> Tensor:
    return torch.rand(batch, 3, 16, 16)


def frames(batch: int) -> Tensor:
    """Frames of events, `b t c h w`: whole numbers."""
    return torch.poisson(torch.full((batch, T, 2, 16, 16), 0.3))


def small_frames(batch: int) -> Tensor:
    """Spikes `t b c h w`."""
    return (torch.rand(T, batch, 2, 8, 8) < 0.4).float()


def sounds(batch: int) -> Tensor:
    """Spikes `b t n`."""
    return (torch.rand(batch, T, 20) < 0.3).float()


@dataclass(frozen=True)
class Case:
    """A model, its input, and what is written down of it by hand.

    Args:
        build: makes the model.
        inputs: makes its input of so many samples.
        neurons: its neuron classes.
        units: value of one spike by the layer that it arrives at, where it is not 1.
        products: kinds of the operands of products of data with data, by module.
        time: time steps of a sample.
        dense: layers that hear dense values.
        updates: whether neurons run where hooks see them.
        time_axis: what a user would say of it.
    """

    build: Callable[[], nn.Module]
    inputs: Callable[[int], Tensor]
    neurons: tuple[Any, ...]
    units: dict[str, float] = field(default_factory=dict)
    products: dict[str, list[str]] = field(default_factory=dict)
    dense: tuple[str, ...] = ()
    time: int = T
    updates: bool = True
    time_axis: str | None = None


def _spikformer(lif: Any, events: bool = False) -> Case:
    return Case(
        partial(spikformer.Spikformer, lif, T, events=events),
        frames if events else image,
        (n.BaseNode,),
        units={"head": 1 / (16 * T)},
        products={f"block.{i}.attn": ["ss", "ds"] for i in range(2)},
        dense=() if events else ("patch_embed.proj_conv",),
        time_axis="tb",
    )


def _sew(
    lif: Any, neuron: Any, container: Any = resnets.SeqToANNContainer, cnf: str = "ADD"
) -> Case:
    return Case(
        partial(resnets.SEWResNet, lif, T, cnf, container),
        image,
        (neuron,),
        units={"fc": 1 / (16 * T)},
        dense=("conv1",),
        time_axis="tb",
    )


def _jelly(node: Any, neuron: Any, *dense: str) -> Case:
    return Case(
        partial(of_peers.JellyNet, node, T),
        image,
        (neuron,),
        units={"layer.10": 1 / 4 / 0.5},  # the average of four, through a dropout of a half
        dense=("layer.0", *dense),
        time_axis="tb",
    )


_BRAINCOG = {"units": {"feature.2.conv": 1 / 4, "fc": 1 / 4}, "neurons": (n.BrainCogNode,)}
_TET = {
    "units": {"features.3.fwd.module.0": 1 / 4, "classifier.0.module": 1 / 4},
    "neurons": (n.LIFSpike,),
}
_LIF = n.MultiStepLIFNode
_BEHIND_NO_NEURON = (
    "downsample1.encode_conv",
    "ConvBlock1.Conv.pwconv2",
    *(f"block3.attn.{x}_conv.0.body.2.{i}" for x in ("q", "k", "v", "proj") for i in (0, 1)),
)

CASES: dict[str, Case] = {
    "Spikformer": _spikformer(_LIF),
    "Spikformer of clock_driven": _spikformer(n.CLOCK_DRIVEN),
    "Spikformer of frames": _spikformer(_LIF, events=True),
    "QKFormer": Case(
        partial(qkformer.QKFormer, _LIF, T),
        image,
        (n.BaseNode,),
        units={"head": 1 / (16 * T)},
        products={"stage2.0.attn": ["ss", "sd"]},
        dense=("patch_embed1.proj_conv", "patch_embed1.proj_res_conv"),
        time_axis="tb",
    ),
    "spike-driven V1": Case(
        partial(spike_driven.SpikeDrivenTransformer, _LIF, T),
        image,
        (n.BaseNode,),
        dense=("patch_embed.proj_conv",),
        time_axis="tb",
    ),
    "spike-driven V1 of frames": Case(
        partial(spike_driven.SpikeDrivenTransformer, n.CLOCK_DRIVEN, T, channels=2),
        frames,
        (n.BaseNode,),
        time_axis="tb",
    ),
    "spike-driven V2": Case(
        partial(meta_spikeformer.MetaSpikeFormer, _LIF, T),
        image,
        (n.BaseNode,),
        products={"block3.attn": ["ss", "sd"]},
        dense=_BEHIND_NO_NEURON,
        time_axis="tb",
    ),
    "spike-driven V3": Case(
        partial(meta_spikeformer.MetaSpikeFormer, meta_spikeformer.several_spikes, None),
        image,
        (n.Multispike,),
        units=dict.fromkeys(
            [
                "ConvBlock1.Conv.pwconv1",
                "ConvBlock1.Conv.dwconv",
                "ConvBlock1.conv1",
                "ConvBlock1.conv2",
                "downsample2.encode_conv",
                "block3.attn",
                *(f"block3.attn.{x}_conv.0.body.0" for x in "qkv"),
                "block3.attn.proj_conv.0.body.0",
                "block3.fc1",
                "block3.fc2",
                "head",
            ],
            0.25,
        ),
        products={"block3.attn": ["ss", "sd"]},
        dense=_BEHIND_NO_NEURON,
        time=1,
    ),
    "SEW-ResNet ADD": _sew(_LIF, n.BaseNode),
    "SEW-ResNet AND": _sew(n.CLOCK_DRIVEN, n.BaseNode, cnf="AND"),
    "SEW-ResNet IAND": _sew(n.MultiStepParametricLIFNode, n.BaseNode, cnf="IAND"),
    "SEW-ResNet of SpikingJelly 2": _sew(
        of_peers.jelly_lif, of_peers.jelly.BaseNode, of_peers.jelly_container
    ),
    "SEW-ResNet of frames": Case(
        partial(resnets.SEWForEvents, n.MultiStepParametricLIFNode),
        frames,
        (n.BaseNode,),
        time_axis="tb",
    ),
    "SEW-ResNet of frames, clock_driven": Case(
        partial(resnets.SEWForEvents, n.CLOCK_DRIVEN_PLIF), frames, (n.BaseNode,), time_axis="tb"
    ),
    "MS-ResNet": Case(
        resnets.MSResNet,
        image,
        (n.mem_update,),
        units={"fc": 1 / (16 * T)},
        dense=("conv1.0", "conv3_x.shortcut.1"),
        time_axis="tb",
    ),
    "temporal-efficient training": Case(
        partial(temporal.TETNet, T),
        image,
        dense=("features.0.fwd.module.0",),
        time_axis="bt",
        **_TET,
    ),
    "temporal-efficient training of frames": Case(
        partial(temporal.TETNet, T, 2, events=True), frames, time_axis="bt", **_TET
    ),
    "learned thresholds": Case(
        partial(temporal.ConvertedNet, T),
        image,
        (n.IF,),
        units={"layer2.0": 0.75 / 4, "classifier.1": 0.5 / 4, "classifier.3": 0.25},
        dense=("layer1.0",),
        time_axis="folded",
    ),
    "BrainCog": Case(partial(temporal.BrainCogNet, T), image, dense=("feature.0.conv",), time_axis="loop", **_BRAINCOG),
    "BrainCog of frames": Case(
        partial(temporal.BrainCogNet, T, channels=2), frames, time_axis="loop", **_BRAINCOG
    ),
    "BrainCog layer by layer": Case(
        partial(temporal.BrainCogNet, T, True), image, dense=("feature.0.conv",), time_axis="folded", **_BRAINCOG
    ),
    "SpikingJelly LIF": _jelly(of_peers.jelly_lif, of_peers.jelly.BaseNode),
    "SpikingJelly PSN": _jelly(partial(of_peers.jelly.PSN, T), of_peers.jelly.PSN, "layer.2", "layer.6"),
    "snnTorch": Case(of_peers.SnnTorchNet, lambda batch: torch.rand(batch, 3, 4, 4), (
        of_peers.snntorch.SpikingNeuron,), dense=("fc1",), time_axis="loop"),
    "snnTorch of rates": Case(
        partial(of_peers.SnnTorchNet, T, encoded=True),
        lambda batch: (torch.rand(T, batch, 48) < 0.4).float(),
        (of_peers.snntorch.SpikingNeuron,),
        time_axis="loop",
    ),
    "Norse": Case(
        of_peers.NorseNet, image, (of_peers.norse.LIFCell, of_peers.norse.LICell), time_axis="loop"
    ),
    "Norse lifted": Case(of_peers.LiftedNet, small_frames, (of_peers.norse.LIF,), time_axis="tb"),
    "BindsNET": Case(
        bindsnet.Run,
        lambda batch: (torch.rand(T, batch, 12) < 0.5).float(),
        (bindsnet.LIFNodes,),
        time_axis="loop",
    ),
    "BindsNET uncalled": Case(
        partial(bindsnet.Run, False),
        lambda batch: (torch.rand(T, batch, 12) < 0.5).float(),
        (bindsnet.LIFNodes,),
        updates=False,
        time_axis="loop",
    ),
    "STBP-tdBN": Case(
        time_last.TdNet,
        image,
        (time_last.LIFSpikeLast,),
        units={"fc1.layer": 1 / 4},
        dense=("conv1.layer",),
    ),
    "SpyTorch": Case(
        without_modules.SpyTorch, sounds, (), updates=False, time_axis="bt"
    ),
    "DIET-SNN": Case(
        partial(without_modules.DietSNN, T),
        image,
        (),
        units={"features.2": 1 / 4},
        dense=("features.0",),
        updates=False,
        time_axis="loop",
    ),
    "sparch": Case(
        sequences.Sparch,
        sounds,
        (sequences.RLIFLayer,),
        products={"snn.0": ["sw"] * T, "snn.1": ["sw"] * T},
        time_axis="bt",
    ),
    "delays": Case(
        partial(sequences.DelayNet, _LIF),
        lambda batch: sounds(batch).transpose(0, 1),
        (n.BaseNode,),
        time_axis="tb",
    ),
    "tokens": Case(
        partial(sequences.SpikingText, _LIF, T),
        lambda batch: torch.randint(0, 30, (batch, 6)),
        (n.BaseNode,),
        products={"blocks.0.attn": ["ss", "ds"]},
        dense=("cls",),
        time_axis="tb",
    ),
}  # fmt: skip


def lively(model: nn.Module) -> nn.Module:
    """The model with normalisations that make its neurons fire, in training, where they use the batch."""
    for module in model.modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d | nn.BatchNorm3d):
            nn.init.constant_(module.weight, 2.0)
            nn.init.constant_(module.bias, 1.0)
    return model.train()
