"""Networks whose neurons are lines of the model: nothing that a hook could see is called once a step."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tests.models.neurons import Heaviside


class SurrogateSpike(torch.autograd.Function):
    """The spike function of the SpyTorch tutorials, which writes ones where the threshold is passed."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        out = torch.zeros_like(x)
        out[x > 0] = 1.0
        return out

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        (x,) = ctx.saved_tensors
        return grad / (100.0 * x.abs() + 1.0) ** 2


class SpyTorch(nn.Module):
    """`run_snn` of the tutorials, with its recurrent weights; spikes `b t n`."""

    def __init__(self, n: int = 20, hidden: int = 16, out: int = 3) -> None:
        super().__init__()
        self.w1 = nn.Parameter(torch.empty(n, hidden).normal_(0.1, 0.3))
        self.v1 = nn.Parameter(torch.empty(hidden, hidden).normal_(0.0, 0.1))
        self.w2 = nn.Parameter(torch.empty(hidden, out).normal_(0.0, 0.3))

    def forward(self, inputs: Tensor) -> tuple[Tensor, list[Tensor]]:
        batch, steps = inputs.shape[:2]
        syn = torch.zeros(batch, self.v1.shape[0])
        mem = torch.zeros(batch, self.v1.shape[0])
        out = torch.zeros(batch, self.v1.shape[0])
        mem_rec, spk_rec = [], []
        h1_from_input = torch.einsum("abc,cd->abd", (inputs, self.w1))
        for t in range(steps):
            h1 = h1_from_input[:, t] + torch.einsum("ab,bc->ac", (out, self.v1))
            mthr = mem - 1.0
            out = SurrogateSpike.apply(mthr)
            rst = out.detach()
            new_syn = 0.9 * syn + h1
            mem = (0.8 * mem + syn) * (1.0 - rst)
            syn = new_syn
            mem_rec.append(mem)
            spk_rec.append(out)
        spk = torch.stack(spk_rec, dim=1)
        h2 = torch.einsum("abc,cd->abd", (spk, self.w2))
        flt = torch.zeros(batch, self.w2.shape[1])
        outputs = []
        for t in range(steps):
            flt = 0.9 * flt + h2[:, t]
            outputs.append(flt)
        return torch.stack(outputs, dim=1), [torch.stack(mem_rec, dim=1), spk]


class DietSNN(nn.Module):
    """Layers in a ModuleList, potentials in a dictionary, leaks and thresholds learned; the image at every step."""

    def __init__(self, steps: int = 4) -> None:
        super().__init__()
        self.steps = steps
        self.features = nn.ModuleList(
            [
                nn.Conv2d(3, 8, 3, padding=1, bias=False),
                nn.AvgPool2d(2),
                nn.Conv2d(8, 16, 3, padding=1, bias=False),
            ]
        )
        self.classifier = nn.Linear(16 * 64, 10, bias=False)
        self.threshold = nn.ParameterDict({str(k): nn.Parameter(torch.tensor(0.2)) for k in (0, 2)})
        self.leak = nn.ParameterDict({str(k): nn.Parameter(torch.tensor(0.9)) for k in (0, 2)})

    def forward(self, x: Tensor) -> Tensor:
        mem: dict[int, Any] = {0: 0.0, 2: 0.0}
        total: Any = 0.0
        for _ in range(self.steps):
            out = x
            for k, layer in enumerate(self.features):
                if isinstance(layer, nn.Conv2d):
                    mem[k] = self.leak[str(k)] * mem[k] + layer(out)
                    mem_thr = mem[k] / self.threshold[str(k)] - 1.0
                    out = Heaviside.apply(mem_thr)
                    mem[k] = mem[k] - self.threshold[str(k)] * (mem_thr > 0).float()
                else:
                    out = layer(out)
            total = total + self.classifier(F.dropout(out.flatten(1), 0.0))
        return total
