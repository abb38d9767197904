"""QKFormer: a first stage in which queries, summed over channels, let tokens of the keys pass; a second of self-attention."""

from typing import Any

import torch
from torch import Tensor, nn


class TokenQKAttention(nn.Module):
    def __init__(self, lif: Any, dim: int, num_heads: int) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.q_conv, self.q_bn, self.q_lif = (
            nn.Conv1d(dim, dim, 1, bias=False),
            nn.BatchNorm1d(dim),
            lif(),
        )
        self.k_conv, self.k_bn, self.k_lif = (
            nn.Conv1d(dim, dim, 1, bias=False),
            nn.BatchNorm1d(dim),
            lif(),
        )
        self.attn_lif = lif(v_threshold=0.5)
        self.proj_conv, self.proj_bn, self.proj_lif = (
            nn.Conv1d(dim, dim, 1),
            nn.BatchNorm1d(dim),
            lif(),
        )

    def forward(self, x: Tensor) -> Tensor:
        T, B, C, H, W = x.shape
        folded = x.flatten(3).flatten(0, 1)
        q = self.q_lif(self.q_bn(self.q_conv(folded)).reshape(T, B, C, H * W))
        q = q.unsqueeze(2).reshape(T, B, self.num_heads, C // self.num_heads, H * W)
        k = self.k_lif(self.k_bn(self.k_conv(folded)).reshape(T, B, C, H * W))
        k = k.unsqueeze(2).reshape(T, B, self.num_heads, C // self.num_heads, H * W)
        attn = self.attn_lif(torch.sum(q, dim=3, keepdim=True))
        x = torch.mul(attn, k).flatten(2, 3)
        x = self.proj_bn(self.proj_conv(x.flatten(0, 1))).reshape(T, B, C, H, W)
        return self.proj_lif(x)


class SpikingSelfAttention(nn.Module):
    """Keys meet values first; queries meet what that gave, which is no longer spikes."""

    def __init__(self, lif: Any, dim: int, num_heads: int) -> None:
        super().__init__()
        self.num_heads, self.scale = num_heads, 0.125
        for name in ("q", "k", "v"):
            setattr(self, f"{name}_conv", nn.Conv1d(dim, dim, 1, bias=False))
            setattr(self, f"{name}_bn", nn.BatchNorm1d(dim))
            setattr(self, f"{name}_lif", lif())
        self.attn_lif = lif(v_threshold=0.5)
        self.proj_conv, self.proj_bn, self.proj_lif = (
            nn.Conv1d(dim, dim, 1),
            nn.BatchNorm1d(dim),
            lif(),
        )

    def forward(self, x: Tensor) -> Tensor:
        T, B, C, H, W = x.shape
        N = H * W
        folded = x.flatten(3).flatten(0, 1)

        def heads(name: str) -> Tensor:
            out = getattr(self, f"{name}_bn")(getattr(self, f"{name}_conv")(folded))
            out = getattr(self, f"{name}_lif")(out.reshape(T, B, C, N).contiguous())
            out = out.transpose(-1, -2).reshape(T, B, N, self.num_heads, C // self.num_heads)
            return out.permute(0, 1, 3, 2, 4)

        q, k, v = heads("q"), heads("k"), heads("v")
        x = (q @ (k.transpose(-2, -1) @ v)) * self.scale
        x = self.attn_lif(x.transpose(3, 4).reshape(T, B, C, N).contiguous())
        x = self.proj_bn(self.proj_conv(x.flatten(0, 1))).reshape(T, B, C, H, W)
        return self.proj_lif(x)


class MLP(nn.Module):
    def __init__(self, lif: Any, dim: int, hidden: int) -> None:
        super().__init__()
        self.fc1_conv, self.fc1_bn, self.fc1_lif = (
            nn.Conv2d(dim, hidden, 1),
            nn.BatchNorm2d(hidden),
            lif(),
        )
        self.fc2_conv, self.fc2_bn, self.fc2_lif = (
            nn.Conv2d(hidden, dim, 1),
            nn.BatchNorm2d(dim),
            lif(),
        )
        self.hidden = hidden

    def forward(self, x: Tensor) -> Tensor:
        T, B, C, H, W = x.shape
        x = self.fc1_bn(self.fc1_conv(x.flatten(0, 1))).reshape(T, B, self.hidden, H, W)
        x = self.fc1_lif(x)
        x = self.fc2_bn(self.fc2_conv(x.flatten(0, 1))).reshape(T, B, C, H, W)
        return self.fc2_lif(x)


class Block(nn.Module):
    def __init__(self, attention: Any, lif: Any, dim: int) -> None:
        super().__init__()
        self.attn, self.mlp = attention(lif, dim, 4), MLP(lif, dim, 2 * dim)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attn(x)
        return x + self.mlp(x)


class PatchEmbed(nn.Module):
    """Two convolutions beside a shortcut of its own, each with a neuron."""

    def __init__(self, lif: Any, channels: int, dim: int) -> None:
        super().__init__()
        self.proj_conv, self.proj_bn, self.proj_lif = (
            nn.Conv2d(channels, dim, 3, padding=1, bias=False),
            nn.BatchNorm2d(dim),
            lif(),
        )
        self.proj1_conv, self.proj1_bn = (
            nn.Conv2d(dim, dim, 3, padding=1, bias=False),
            nn.BatchNorm2d(dim),
        )
        self.proj1_mp, self.proj1_lif = nn.MaxPool2d(3, 2, 1), lif()
        self.proj_res_conv, self.proj_res_bn = (
            nn.Conv2d(channels, dim, 1, stride=2, bias=False),
            nn.BatchNorm2d(dim),
        )
        self.proj_res_lif = lif()

    def forward(self, x: Tensor) -> Tensor:
        T, B, _, H, W = x.shape
        folded = x.flatten(0, 1)
        x = self.proj_bn(self.proj_conv(folded)).reshape(T, B, -1, H, W)
        x = self.proj_lif(x).flatten(0, 1).contiguous()
        x = self.proj1_mp(self.proj1_bn(self.proj1_conv(x)))
        x = self.proj1_lif(x.reshape(T, B, -1, H // 2, W // 2).contiguous())
        shortcut = self.proj_res_bn(self.proj_res_conv(folded))
        shortcut = shortcut.reshape(T, B, -1, H // 2, W // 2).contiguous()
        return x + self.proj_res_lif(shortcut)


class QKFormer(nn.Module):
    def __init__(self, lif: Any, time: int = 4, dim: int = 16) -> None:
        super().__init__()
        self.T = time
        self.patch_embed1, self.patch_embed2 = (
            PatchEmbed(lif, 3, dim // 2),
            PatchEmbed(lif, dim // 2, dim),
        )
        self.stage1 = nn.ModuleList([Block(TokenQKAttention, lif, dim // 2)])
        self.stage2 = nn.ModuleList([Block(SpikingSelfAttention, lif, dim)])
        self.head = nn.Linear(dim, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = (x.unsqueeze(0)).repeat(self.T, 1, 1, 1, 1)
        x = self.patch_embed1(x)
        for block in self.stage1:
            x = block(x)
        x = self.patch_embed2(x)
        for block in self.stage2:
            x = block(x)
        x = x.flatten(3).mean(3)
        return self.head(x.mean(0))
