"""Spike-driven transformers V2 and V3: convolutions that become one after training, linear attention."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tests.models.neurons import Multispike


class PaddedBatchNorm(nn.Module):
    """Pads with what a zero becomes."""

    def __init__(self, pad: int, features: int) -> None:
        super().__init__()
        self.bn, self.pad_pixels = nn.BatchNorm2d(features), pad

    def forward(self, x: Tensor) -> Tensor:
        out = self.bn(x)
        mean, var = self.bn.running_mean.detach(), self.bn.running_var.detach()
        values = self.bn.bias.detach() - mean * self.bn.weight.detach() / torch.sqrt(
            var + self.bn.eps
        )
        out = F.pad(out, [self.pad_pixels] * 4)
        values = values.view(1, -1, 1, 1)
        out[:, :, : self.pad_pixels, :] = values
        out[:, :, -self.pad_pixels :, :] = values
        out[:, :, :, : self.pad_pixels] = values
        out[:, :, :, -self.pad_pixels :] = values
        return out


class RepConv(nn.Module):
    def __init__(self, dim: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(dim, dim, 1, bias=False),
            PaddedBatchNorm(1, dim),
            nn.Sequential(
                nn.Conv2d(dim, dim, 3, groups=dim, bias=False),
                nn.Conv2d(dim, dim, 1, bias=False),
                nn.BatchNorm2d(dim),
            ),
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.body(x)


class SepConv(nn.Module):
    """An inverted bottleneck: the depthwise and the second pointwise convolution have no neuron between them."""

    def __init__(self, lif: Any, dim: int) -> None:
        super().__init__()
        hidden = 2 * dim
        self.lif1, self.pwconv1, self.bn1 = (
            lif(),
            nn.Conv2d(dim, hidden, 1, bias=False),
            nn.BatchNorm2d(hidden),
        )
        self.lif2 = lif()
        self.dwconv = nn.Conv2d(hidden, hidden, 7, padding=3, groups=hidden, bias=False)
        self.pwconv2, self.bn2 = nn.Conv2d(hidden, dim, 1, bias=False), nn.BatchNorm2d(dim)

    def forward(self, x: Tensor) -> Tensor:
        lead, (C, H, W) = x.shape[:-3], x.shape[-3:]
        x = self.lif1(x)
        x = self.bn1(self.pwconv1(x.reshape(-1, C, H, W))).reshape(*lead, -1, H, W)
        x = self.lif2(x).reshape(-1, 2 * C, H, W)
        return self.bn2(self.pwconv2(self.dwconv(x))).reshape(*lead, C, H, W)


class MetaConvBlock(nn.Module):
    def __init__(self, lif: Any, dim: int) -> None:
        super().__init__()
        self.Conv = SepConv(lif, dim)
        self.lif1, self.conv1, self.bn1 = (
            lif(),
            nn.Conv2d(dim, 2 * dim, 3, padding=1, bias=False),
            nn.BatchNorm2d(2 * dim),
        )
        self.lif2, self.conv2, self.bn2 = (
            lif(),
            nn.Conv2d(2 * dim, dim, 3, padding=1, bias=False),
            nn.BatchNorm2d(dim),
        )

    def forward(self, x: Tensor) -> Tensor:
        lead, (C, H, W) = x.shape[:-3], x.shape[-3:]
        x = self.Conv(x) + x
        shortcut = x
        x = self.bn1(self.conv1(self.lif1(x).reshape(-1, C, H, W))).reshape(*lead, -1, H, W)
        x = self.bn2(self.conv2(self.lif2(x).reshape(-1, 2 * C, H, W))).reshape(*lead, C, H, W)
        return shortcut + x


class LinearAttention(nn.Module):
    def __init__(self, lif: Any, dim: int, num_heads: int) -> None:
        super().__init__()
        self.num_heads, self.scale = num_heads, (dim // num_heads) ** -0.5
        self.head_lif = lif()
        for name in ("q", "k", "v"):
            conv = nn.Sequential(RepConv(dim), nn.BatchNorm2d(dim))
            setattr(self, f"{name}_conv", conv)
            setattr(self, f"{name}_lif", lif())
        self.attn_lif = lif()
        self.proj_conv = nn.Sequential(RepConv(dim), nn.BatchNorm2d(dim))

    def forward(self, x: Tensor) -> Tensor:
        lead, (C, H, W) = x.shape[:-3], x.shape[-3:]
        N = H * W
        folded = self.head_lif(x).reshape(-1, C, H, W)

        def heads(name: str) -> Tensor:
            out = getattr(self, f"{name}_conv")(folded).reshape(*lead, C, H, W)
            out = getattr(self, f"{name}_lif")(out).flatten(-2).transpose(-1, -2)
            return out.reshape(*lead, N, self.num_heads, -1).transpose(-3, -2).contiguous()

        q, k, v = heads("q"), heads("k"), heads("v")
        x = k.transpose(-2, -1) @ v
        x = (q @ x) * self.scale
        x = self.attn_lif(x.transpose(-1, -2).reshape(*lead, C, N).reshape(*lead, C, H, W))
        return self.proj_conv(x.reshape(-1, C, H, W)).reshape(*lead, C, H, W)


class MetaTransformerBlock(nn.Module):
    def __init__(self, lif: Any, dim: int) -> None:
        super().__init__()
        self.attn = LinearAttention(lif, dim, 4)
        self.lif1, self.fc1, self.bn1 = lif(), nn.Conv1d(dim, 2 * dim, 1), nn.BatchNorm1d(2 * dim)
        self.lif2, self.fc2, self.bn2 = lif(), nn.Conv1d(2 * dim, dim, 1), nn.BatchNorm1d(dim)

    def forward(self, x: Tensor) -> Tensor:
        lead, (C, H, W) = x.shape[:-3], x.shape[-3:]
        x = x + self.attn(x)
        shortcut = x
        x = self.lif1(x.flatten(-2))
        x = self.bn1(self.fc1(x.reshape(-1, C, H * W))).reshape(*lead, -1, H * W)
        x = self.bn2(self.fc2(self.lif2(x).reshape(-1, 2 * C, H * W)))
        return shortcut + x.reshape(*lead, C, H, W)


class DownSampling(nn.Module):
    def __init__(self, lif: Any, channels: int, dim: int, first: bool) -> None:
        super().__init__()
        self.encode_conv = nn.Conv2d(channels, dim, 3, stride=2, padding=1)
        self.encode_bn = nn.BatchNorm2d(dim)
        self.encode_lif = None if first else lif()

    def forward(self, x: Tensor) -> Tensor:
        lead = x.shape[:-3]
        if self.encode_lif is not None:
            x = self.encode_lif(x)
        x = self.encode_bn(self.encode_conv(x.reshape(-1, *x.shape[-3:])))
        return x.reshape(*lead, *x.shape[1:])


class MetaSpikeFormer(nn.Module):
    """V2 with `T` steps of a spike or none; V3 with `T=None`: no time, several spikes at once."""

    def __init__(self, lif: Any, time: int | None = 4, dim: int = 8) -> None:
        super().__init__()
        self.T = time
        self.downsample1, self.ConvBlock1 = (
            DownSampling(lif, 3, dim, True),
            MetaConvBlock(lif, dim),
        )
        self.downsample2, self.block3 = (
            DownSampling(lif, dim, 2 * dim, False),
            MetaTransformerBlock(lif, 2 * dim),
        )
        self.lif, self.head = lif(), nn.Linear(2 * dim, 10)

    def forward(self, x: Tensor) -> Tensor:
        if self.T is not None:
            x = (x.unsqueeze(0)).repeat(self.T, 1, 1, 1, 1)
        x = self.ConvBlock1(self.downsample1(x))
        x = self.block3(self.downsample2(x))
        x = x.flatten(-2).mean(-1)
        x = self.head(self.lif(x))
        return x if self.T is None else x.mean(0)


def several_spikes(**_: Any) -> nn.Module:
    """The neuron of V3, which has no threshold of its own."""
    return Multispike(4)
