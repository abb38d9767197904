"""Spike-driven transformer: potentials go round the layers, a neuron before every weight, attention by masks and sums."""

from typing import Any

from torch import Tensor, nn


class SpikeDrivenAttention(nn.Module):
    def __init__(self, lif: Any, dim: int, num_heads: int) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.shortcut_lif = lif()
        for name in ("q", "k", "v"):
            setattr(self, f"{name}_conv", nn.Conv2d(dim, dim, 1, bias=False))
            setattr(self, f"{name}_bn", nn.BatchNorm2d(dim))
            setattr(self, f"{name}_lif", lif())
        self.talking_heads_lif = lif(v_threshold=0.5)
        self.proj_conv, self.proj_bn = nn.Conv2d(dim, dim, 1), nn.BatchNorm2d(dim)

    def forward(self, x: Tensor, hook: Any = None) -> tuple[Tensor, Tensor, Any]:
        T, B, C, H, W = x.shape
        identity = x
        N = H * W
        x = self.shortcut_lif(x)
        folded = x.flatten(0, 1)

        def heads(name: str) -> Tensor:
            out = getattr(self, f"{name}_bn")(getattr(self, f"{name}_conv")(folded))
            out = getattr(self, f"{name}_lif")(out.reshape(T, B, C, H, W).contiguous())
            out = out.flatten(3).transpose(-1, -2)
            out = out.reshape(T, B, N, self.num_heads, C // self.num_heads)
            return out.permute(0, 1, 3, 2, 4).contiguous()

        q, k, v = heads("q"), heads("k"), heads("v")
        kv = k.mul(v)
        kv = kv.sum(dim=-2, keepdim=True)
        kv = self.talking_heads_lif(kv)
        x = q.mul(kv)
        x = x.transpose(3, 4).reshape(T, B, C, H, W).contiguous()
        x = self.proj_bn(self.proj_conv(x.flatten(0, 1))).reshape(T, B, C, H, W).contiguous()
        return x + identity, v, hook


class SpikeDrivenMLP(nn.Module):
    def __init__(self, lif: Any, dim: int, hidden: int) -> None:
        super().__init__()
        self.fc1_lif, self.fc1_conv, self.fc1_bn = (
            lif(),
            nn.Conv2d(dim, hidden, 1),
            nn.BatchNorm2d(hidden),
        )
        self.fc2_lif, self.fc2_conv, self.fc2_bn = (
            lif(),
            nn.Conv2d(hidden, dim, 1),
            nn.BatchNorm2d(dim),
        )

    def forward(self, x: Tensor, hook: Any = None) -> tuple[Tensor, Any]:
        T, B, C, H, W = x.shape
        identity = x
        x = self.fc1_lif(x)
        x = self.fc1_bn(self.fc1_conv(x.flatten(0, 1))).reshape(T, B, -1, H, W).contiguous()
        x = self.fc2_lif(x)
        x = self.fc2_bn(self.fc2_conv(x.flatten(0, 1))).reshape(T, B, C, H, W).contiguous()
        return x + identity, hook


class SpikeDrivenBlock(nn.Module):
    def __init__(self, lif: Any, dim: int) -> None:
        super().__init__()
        self.attn, self.mlp = SpikeDrivenAttention(lif, dim, 4), SpikeDrivenMLP(lif, dim, 2 * dim)

    def forward(self, x: Tensor, hook: Any = None) -> tuple[Tensor, Tensor, Any]:
        x, v, hook = self.attn(x, hook=hook)
        x, hook = self.mlp(x, hook=hook)
        return x, v, hook


class PatchSplitting(nn.Module):
    """The last convolution adds what pooling left of the potentials, not of spikes."""

    def __init__(self, lif: Any, channels: int, dim: int) -> None:
        super().__init__()
        self.proj_conv, self.proj_bn, self.proj_lif = (
            nn.Conv2d(channels, dim, 3, padding=1, bias=False),
            nn.BatchNorm2d(dim),
            lif(),
        )
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        self.proj_conv1, self.proj_bn1, self.proj_lif1 = (
            nn.Conv2d(dim, dim, 3, padding=1, bias=False),
            nn.BatchNorm2d(dim),
            lif(),
        )
        self.rpe_conv, self.rpe_bn = (
            nn.Conv2d(dim, dim, 3, padding=1, bias=False),
            nn.BatchNorm2d(dim),
        )

    def forward(self, x: Tensor, hook: Any = None) -> tuple[Tensor, Any]:
        T, B, _, H, W = x.shape
        x = self.proj_bn(self.proj_conv(x.flatten(0, 1))).reshape(T, B, -1, H, W).contiguous()
        x = self.maxpool(self.proj_lif(x).flatten(0, 1).contiguous())
        x = self.maxpool(self.proj_bn1(self.proj_conv1(x)))
        x = x.reshape(T, B, -1, H // 4, W // 4).contiguous()
        x_feat = x
        x = self.proj_lif1(x).flatten(0, 1).contiguous()
        x = self.rpe_bn(self.rpe_conv(x))
        return x.reshape(T, B, -1, H // 4, W // 4).contiguous() + x_feat, hook


class SpikeDrivenTransformer(nn.Module):
    """An image `b c h w`, repeated, or frames `b t c h w`."""

    def __init__(self, lif: Any, time: int = 4, dim: int = 16, channels: int = 3) -> None:
        super().__init__()
        self.T = time
        self.patch_embed = PatchSplitting(lif, channels, dim)
        self.block = nn.ModuleList([SpikeDrivenBlock(lif, dim) for _ in range(2)])
        self.head_lif, self.head = lif(), nn.Linear(dim, 10)

    def forward(self, x: Tensor, hook: Any = None) -> tuple[Tensor, Any]:
        if len(x.shape) < 5:
            x = (x.unsqueeze(0)).repeat(self.T, 1, 1, 1, 1)
        else:
            x = x.transpose(0, 1).contiguous()
        x, hook = self.patch_embed(x, hook=hook)
        for block in self.block:
            x, _, hook = block(x, hook=hook)
        x = self.head_lif(x.flatten(3).mean(3))
        return self.head(x).mean(0), hook
