"""Residual networks: spike-element-wise (SEW) and with membrane shortcuts (MS), as their repositories write them."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tests.models.neurons import mem_update

# ---- SEW-ResNet: neurons on both branches, joined by a sum or a gate


class SeqToANNContainer(nn.Sequential):
    """Layers without time, over the first two axes as one."""

    def forward(self, x_seq: Tensor) -> Tensor:
        lead = [x_seq.shape[0], x_seq.shape[1]]
        y = super().forward(x_seq.flatten(0, 1))
        return y.view([*lead, *y.shape[1:]])


def sew_function(x: Tensor, y: Tensor, cnf: str) -> Tensor:
    if cnf == "ADD":
        return x + y
    if cnf == "AND":
        return x * y
    return x * (1.0 - y)  # IAND


class BasicBlock(nn.Module):
    def __init__(
        self, lif: Any, container: Any, channels: int, planes: int, stride: int, cnf: str
    ) -> None:
        super().__init__()
        self.conv1 = container(
            nn.Conv2d(channels, planes, 3, stride, 1, bias=False), nn.BatchNorm2d(planes)
        )
        self.sn1 = lif()
        self.conv2 = container(
            nn.Conv2d(planes, planes, 3, 1, 1, bias=False), nn.BatchNorm2d(planes)
        )
        self.sn2, self.cnf = lif(), cnf
        self.downsample = None
        if stride != 1 or channels != planes:
            self.downsample = nn.Sequential(
                container(
                    nn.Conv2d(channels, planes, 1, stride, bias=False), nn.BatchNorm2d(planes)
                ),
                lif(),
            )

    def forward(self, x: Tensor) -> Tensor:
        identity = x
        out = self.sn1(self.conv1(x))
        out = self.sn2(self.conv2(out))
        if self.downsample is not None:
            identity = self.downsample(x)
        return sew_function(identity, out, self.cnf)


class SEWResNet(nn.Module):
    """The first convolution sees the image once; what it gave is repeated."""

    def __init__(
        self,
        lif: Any,
        time: int = 4,
        cnf: str = "ADD",
        container: Any = SeqToANNContainer,
    ) -> None:
        super().__init__()
        self.T = time
        self.conv1, self.bn1 = nn.Conv2d(3, 8, 3, 1, 1, bias=False), nn.BatchNorm2d(8)
        self.sn1 = lif()
        self.maxpool = container(nn.MaxPool2d(kernel_size=3, stride=2, padding=1))
        self.layer1 = BasicBlock(lif, container, 8, 8, 1, cnf)
        self.layer2 = BasicBlock(lif, container, 8, 16, 2, cnf)
        self.avgpool = container(nn.AdaptiveAvgPool2d((1, 1)))
        self.fc = nn.Linear(16, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = self.bn1(self.conv1(x))
        x.unsqueeze_(0)
        x = x.repeat(self.T, 1, 1, 1, 1)
        x = self.maxpool(self.sn1(x))
        x = self.layer2(self.layer1(x))
        x = torch.flatten(self.avgpool(x), 2)
        return self.fc(x.mean(dim=0))


class SEWForEvents(nn.Module):
    """Frames `b t c h w`, turned to time first; no mean before the last layer."""

    def __init__(self, plif: Any) -> None:
        super().__init__()
        self.conv = nn.Sequential(
            SeqToANNContainer(nn.Conv2d(2, 8, 3, 1, 1, bias=False), nn.BatchNorm2d(8)),
            plif(),
            SeqToANNContainer(nn.MaxPool2d(2, 2)),
            BasicBlock(plif, SeqToANNContainer, 8, 8, 1, "ADD"),
            SeqToANNContainer(nn.MaxPool2d(2, 2)),
        )
        self.out = nn.Linear(8 * 16, 10, bias=True)

    def forward(self, x: Tensor) -> Tensor:
        x = x.permute(1, 0, 2, 3, 4)
        x = self.conv(x)
        return self.out(x.flatten(2)).mean(0)


# ---- MS-ResNet: its convolution loops over time itself, and fills what it gives step by step


class Snn_Conv2d(nn.Conv2d):  # noqa: N801
    def forward(self, input: Tensor) -> Tensor:  # noqa: A002
        T = mem_update.time_window
        h = (input.size(3) - self.kernel_size[0] + 2 * self.padding[0]) // self.stride[0] + 1
        w = (input.size(4) - self.kernel_size[0] + 2 * self.padding[0]) // self.stride[0] + 1
        c1 = torch.zeros(T, input.size(1), self.weight.size(0), h, w, device=input.device)
        for i in range(T):
            c1[i] = F.conv2d(
                input[i],
                self.weight,
                self.bias,
                self.stride,
                self.padding,
                self.dilation,
                self.groups,
            )
        return c1


class batch_norm_2d(nn.Module):  # noqa: N801
    """Over channels, which are brought to the second axis and back."""

    def __init__(self, features: int, weight: float = 0.5) -> None:
        super().__init__()
        self.bn = nn.BatchNorm3d(features)
        nn.init.constant_(self.bn.weight, weight)

    def forward(self, x: Tensor) -> Tensor:
        y = x.transpose(0, 2).contiguous().transpose(0, 1).contiguous()
        y = self.bn(y)
        return y.contiguous().transpose(0, 1).contiguous().transpose(0, 2)


class MSBlock(nn.Module):
    def __init__(self, channels: int, planes: int, stride: int) -> None:
        super().__init__()
        self.residual_function = nn.Sequential(
            mem_update(),
            Snn_Conv2d(channels, planes, kernel_size=3, stride=stride, padding=1, bias=False),
            batch_norm_2d(planes),
            mem_update(),
            Snn_Conv2d(planes, planes, kernel_size=3, padding=1, bias=False),
            batch_norm_2d(planes, 0.2),
        )
        self.shortcut = nn.Sequential()
        if stride != 1 or channels != planes:
            self.shortcut = nn.Sequential(
                nn.AvgPool3d((1, 2, 2), stride=(1, 2, 2)),
                Snn_Conv2d(channels, planes, kernel_size=1, bias=False),
                batch_norm_2d(planes),
            )

    def forward(self, x: Tensor) -> Tensor:
        return self.residual_function(x) + self.shortcut(x)


class MSResNet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Sequential(
            Snn_Conv2d(3, 8, kernel_size=3, padding=1, stride=2), batch_norm_2d(8)
        )
        self.mem_update = mem_update()
        self.conv2_x, self.conv3_x = MSBlock(8, 8, 1), MSBlock(8, 16, 2)
        self.fc = nn.Linear(16, 10)

    def forward(self, x: Tensor) -> Tensor:
        T = mem_update.time_window
        frames = torch.zeros(T, x.size(0), 3, x.size(2), x.size(3), device=x.device)
        for i in range(T):
            frames[i] = x
        output = self.conv3_x(self.conv2_x(self.conv1(frames)))
        output = self.mem_update(output)
        output = F.adaptive_avg_pool3d(output, (None, 1, 1))
        output = output.view(output.size(0), output.size(1), -1)
        output = output.sum(dim=0) / output.size(0)
        return self.fc(output)
