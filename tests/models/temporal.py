"""Networks that keep time on the second axis or within the first: temporal-efficient training, conversion, BrainCog."""

import torch
from torch import Tensor, nn

from tests.models.neurons import IF, BrainCogNode, ExpandTemporalDim, LIFSpike, MergeTemporalDim

# ---- temporal-efficient training: batch, time


class SeqToANN(nn.Module):
    def __init__(self, *layers: nn.Module) -> None:
        super().__init__()
        self.module = layers[0] if len(layers) == 1 else nn.Sequential(*layers)

    def forward(self, x_seq: Tensor) -> Tensor:
        y_shape = [x_seq.shape[0], x_seq.shape[1]]
        y_seq = self.module(x_seq.flatten(0, 1).contiguous())
        y_shape.extend(y_seq.shape[1:])
        return y_seq.view(y_shape)


class Layer(nn.Module):
    def __init__(self, channels: int, planes: int, kernel: int, stride: int, pad: int) -> None:
        super().__init__()
        self.fwd = SeqToANN(
            nn.Conv2d(channels, planes, kernel, stride, pad), nn.BatchNorm2d(planes)
        )
        self.act = LIFSpike()

    def forward(self, x: Tensor) -> Tensor:
        return self.act(self.fwd(x))


def add_dimention(x: Tensor, time: int) -> Tensor:
    """The image at every step; the caller's tensor has an axis more after it, as in the repositories."""
    x.unsqueeze_(1)
    return x.repeat(1, time, 1, 1, 1)


class TETNet(nn.Module):
    """A VGG whose outputs keep their time axis; images are repeated, frames `b t c h w` come with time."""

    def __init__(self, time: int = 4, channels: int = 3, events: bool = False) -> None:
        super().__init__()
        self.T, self.events = time, events
        pool = SeqToANN(nn.AvgPool2d(2))
        self.features = nn.Sequential(
            Layer(channels, 8, 3, 1, 1), Layer(8, 16, 3, 1, 1), pool, Layer(16, 16, 3, 1, 1), pool
        )
        self.classifier = nn.Sequential(SeqToANN(nn.Linear(16 * 16, 10)))

    def forward(self, x: Tensor) -> Tensor:
        if not self.events:
            x = add_dimention(x, self.T)
        x = self.features(x)
        return self.classifier(torch.flatten(x, 2))


# ---- conversion with learned thresholds: (time, batch) in one axis


class ConvertedNet(nn.Module):
    def __init__(self, time: int = 4) -> None:
        super().__init__()
        self.T, self.merge, self.expand = time, MergeTemporalDim(), ExpandTemporalDim(time)
        self.layer1 = nn.Sequential(
            nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), IF(time, 0.75), nn.AvgPool2d(2)
        )
        self.layer2 = nn.Sequential(
            nn.Conv2d(8, 16, 3, padding=1), nn.BatchNorm2d(16), IF(time, 0.5), nn.AvgPool2d(2)
        )
        self.classifier = nn.Sequential(
            nn.Flatten(), nn.Linear(16 * 16, 12), IF(time, 0.25), nn.Linear(12, 10)
        )

    def forward(self, x: Tensor) -> Tensor:
        x = x.unsqueeze(0).repeat(self.T, 1, 1, 1, 1)
        x = self.merge(x)
        x = self.classifier(self.layer2(self.layer1(x)))
        return self.expand(x)


# ---- BrainCog: an encoder makes the sequence; the model loops, or folds (time, batch) into one axis


class Encoder(nn.Module):
    def __init__(self, step: int, layer_by_layer: bool) -> None:
        super().__init__()
        self.step, self.layer_by_layer = step, layer_by_layer

    @torch.no_grad()
    def forward(self, inputs: Tensor) -> Tensor:
        if inputs.ndim == 4:
            outputs = inputs.unsqueeze(0).repeat(self.step, 1, 1, 1, 1)
        else:
            outputs = inputs.permute(1, 0, 2, 3, 4).contiguous()
        return outputs.flatten(0, 1) if self.layer_by_layer else outputs


class BaseConvModule(nn.Module):
    def __init__(self, channels: int, planes: int, step: int, layer_by_layer: bool) -> None:
        super().__init__()
        self.conv, self.bn = (
            nn.Conv2d(channels, planes, 3, padding=1, bias=False),
            nn.BatchNorm2d(planes),
        )
        self.node = BrainCogNode(step=step, layer_by_layer=layer_by_layer)

    def forward(self, x: Tensor) -> Tensor:
        return self.node(self.bn(self.conv(x)))


class BrainCogNet(nn.Module):
    def __init__(self, step: int = 4, layer_by_layer: bool = False, channels: int = 3) -> None:
        super().__init__()
        self.step, self.layer_by_layer = step, layer_by_layer
        self.encoder = Encoder(step, layer_by_layer)
        self.feature = nn.Sequential(
            BaseConvModule(channels, 8, step, layer_by_layer),
            nn.AvgPool2d(2),
            BaseConvModule(8, 16, step, layer_by_layer),
            nn.AvgPool2d(2),
            nn.Flatten(),
        )
        self.fc = nn.Linear(16 * 16, 10)

    def reset(self) -> None:
        for module in self.modules():
            if hasattr(module, "n_reset"):
                module.n_reset()

    def forward(self, inputs: Tensor) -> Tensor:
        inputs = self.encoder(inputs)
        self.reset()
        if self.layer_by_layer:
            x = self.fc(self.feature(inputs))
            return x.unflatten(0, (self.step, -1)).mean(0)
        outputs = [self.fc(self.feature(inputs[t])) for t in range(self.step)]
        return sum(outputs) / len(outputs)
