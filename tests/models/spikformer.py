"""Spikformer: time first, the image repeated inside, spiking self-attention without a softmax."""

from typing import Any

from torch import Tensor, nn


class MLP(nn.Module):
    def __init__(self, lif: Any, dim: int, hidden: int) -> None:
        super().__init__()
        self.fc1_linear, self.fc1_bn, self.fc1_lif = (
            nn.Linear(dim, hidden),
            nn.BatchNorm1d(hidden),
            lif(),
        )
        self.fc2_linear, self.fc2_bn, self.fc2_lif = (
            nn.Linear(hidden, dim),
            nn.BatchNorm1d(dim),
            lif(),
        )
        self.c_hidden = hidden

    def forward(self, x: Tensor) -> Tensor:
        T, B, N, C = x.shape
        x = self.fc1_linear(x.flatten(0, 1))
        x = self.fc1_bn(x.transpose(-1, -2)).transpose(-1, -2)
        x = self.fc1_lif(x.reshape(T, B, N, self.c_hidden).contiguous())
        x = self.fc2_linear(x.flatten(0, 1))
        x = self.fc2_bn(x.transpose(-1, -2)).transpose(-1, -2)
        return self.fc2_lif(x.reshape(T, B, N, C).contiguous())


class SSA(nn.Module):
    """Queries, keys and values are spikes; so is what leaves, but scores are not."""

    def __init__(self, lif: Any, dim: int, num_heads: int, scale: float = 0.125) -> None:
        super().__init__()
        self.num_heads, self.scale = num_heads, scale
        for name in ("q", "k", "v"):
            setattr(self, f"{name}_linear", nn.Linear(dim, dim))
            setattr(self, f"{name}_bn", nn.BatchNorm1d(dim))
            setattr(self, f"{name}_lif", lif())
        self.attn_lif = lif(v_threshold=0.5)
        self.proj_linear, self.proj_bn, self.proj_lif = (
            nn.Linear(dim, dim),
            nn.BatchNorm1d(dim),
            lif(),
        )

    def _spikes(self, name: str, x: Tensor, lead: tuple[int, ...]) -> Tensor:
        out = getattr(self, f"{name}_linear")(x)
        out = getattr(self, f"{name}_bn")(out.transpose(-1, -2)).transpose(-1, -2)
        _, N, C = out.shape
        out = getattr(self, f"{name}_lif")(out.reshape(*lead, N, C).contiguous())
        heads = out.reshape(*lead, N, self.num_heads, C // self.num_heads)
        return heads.permute(0, 1, 3, 2, 4).contiguous()

    def forward(self, x: Tensor) -> Tensor:
        T, B, N, C = x.shape
        folded = x.flatten(0, 1)
        q, k, v = (self._spikes(name, folded, (T, B)) for name in ("q", "k", "v"))
        attn = (q @ k.transpose(-2, -1)) * self.scale
        x = attn @ v
        x = x.transpose(2, 3).reshape(T, B, N, C).contiguous()
        x = self.attn_lif(x)
        x = self.proj_bn(self.proj_linear(x.flatten(0, 1)).transpose(-1, -2)).transpose(-1, -2)
        return self.proj_lif(x.reshape(T, B, N, C))


class Block(nn.Module):
    def __init__(self, lif: Any, dim: int, num_heads: int) -> None:
        super().__init__()
        self.attn, self.mlp = SSA(lif, dim, num_heads), MLP(lif, dim, 2 * dim)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attn(x)
        return x + self.mlp(x)


class SPS(nn.Module):
    """Patches by convolutions, of which the last two pool; relative positions by another."""

    def __init__(self, lif: Any, channels: int, dim: int) -> None:
        super().__init__()
        self.proj_conv = nn.Conv2d(channels, dim // 2, 3, padding=1, bias=False)
        self.proj_bn, self.proj_lif = nn.BatchNorm2d(dim // 2), lif()
        self.proj_conv1 = nn.Conv2d(dim // 2, dim, 3, padding=1, bias=False)
        self.proj_bn1, self.proj_lif1 = nn.BatchNorm2d(dim), lif()
        self.maxpool1 = nn.MaxPool2d(kernel_size=3, stride=2, padding=1)
        self.proj_conv2 = nn.Conv2d(dim, dim, 3, padding=1, bias=False)
        self.proj_bn2, self.proj_lif2 = nn.BatchNorm2d(dim), lif()
        self.maxpool2 = nn.MaxPool2d(kernel_size=3, stride=2, padding=1)
        self.rpe_conv = nn.Conv2d(dim, dim, 3, padding=1, bias=False)
        self.rpe_bn, self.rpe_lif = nn.BatchNorm2d(dim), lif()

    def forward(self, x: Tensor) -> Tensor:
        T, B, _, H, W = x.shape
        x = self.proj_bn(self.proj_conv(x.flatten(0, 1))).reshape(T, B, -1, H, W).contiguous()
        x = self.proj_lif(x).flatten(0, 1).contiguous()
        x = self.proj_bn1(self.proj_conv1(x)).reshape(T, B, -1, H, W).contiguous()
        x = self.maxpool1(self.proj_lif1(x).flatten(0, 1).contiguous())
        x = self.proj_bn2(self.proj_conv2(x)).reshape(T, B, -1, H // 2, W // 2).contiguous()
        x = self.maxpool2(self.proj_lif2(x).flatten(0, 1).contiguous())
        kept = x.reshape(T, B, -1, H // 4, W // 4).contiguous()
        x = self.rpe_bn(self.rpe_conv(x)).reshape(T, B, -1, H // 4, W // 4).contiguous()
        x = self.rpe_lif(x) + kept
        return x.flatten(-2).transpose(-1, -2)  # T, B, N, C


class Spikformer(nn.Module):
    """`events=True`: frames `b t c h w` in place of one image."""

    def __init__(self, lif: Any, time: int = 4, dim: int = 16, events: bool = False) -> None:
        super().__init__()
        self.T, self.events = time, events
        self.patch_embed = SPS(lif, 2 if events else 3, dim)
        self.block = nn.ModuleList([Block(lif, dim, 4) for _ in range(2)])
        self.head = nn.Linear(dim, 10)

    def forward_features(self, x: Tensor) -> Tensor:
        x = self.patch_embed(x)
        for block in self.block:
            x = block(x)
        return x.mean(2)

    def forward(self, x: Tensor) -> Tensor:
        if not self.events:
            x = (x.unsqueeze(0)).repeat(self.T, 1, 1, 1, 1)
            return self.head(self.forward_features(x).mean(0))
        return self.head(self.forward_features(x.permute(1, 0, 2, 3, 4)).mean(0))
