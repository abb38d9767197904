"""A tiny network and task that train in seconds."""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

import picojoule
from picojoule.activation import Heaviside
from picojoule.budget import Regulator
from picojoule.layers import IAF

BATCH, TIME, INPUTS, CLASSES = 64, 4, 20, 4


def network(seed: int = 0) -> nn.Sequential:
    torch.manual_seed(seed)
    return nn.Sequential(
        nn.Linear(INPUTS, 60),
        IAF(surrogate_grad_fn=Heaviside()),
        nn.Linear(60, 40),
        IAF(surrogate_grad_fn=Heaviside()),
        nn.Linear(40, CLASSES),
    )


def batch(generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Spikes whose rates tell the class, and the class."""
    labels = torch.randint(CLASSES, (BATCH,), generator=generator)
    rates = torch.full((BATCH, INPUTS), 0.15)
    for c in range(CLASSES):
        rates[labels == c, c * 5 : c * 5 + 5] = 0.6
    draw = torch.rand(BATCH, TIME, INPUTS, generator=generator)
    return (draw < rates[:, None]).float(), labels


def train(
    model: nn.Sequential,
    budget: Regulator | None,
    steps: int,
    scale: float = 1.0,
    seed: int = 1,
    lr: float = 5e-3,
    after: Callable[[], None] = lambda: None,
) -> None:
    """Train with the budget's penalty; `after` is called after each step."""
    generator = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.Adam(model.parameters(), lr=lr)
    decay = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for _ in range(steps):
        x, labels = batch(generator)
        picojoule.reset_states(model)
        loss = scale * F.cross_entropy(model(x).mean(1), labels)
        if budget is not None:
            loss = loss + budget.penalty()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        decay.step()
        if budget is not None:
            budget.step()
        after()


def held_out(model: nn.Sequential, batches: int = 10) -> tuple[picojoule.Monitor, float]:
    """A monitor that has seen data not trained on, and the accuracy there."""
    generator = torch.Generator().manual_seed(99)
    hits = 0
    with torch.no_grad(), picojoule.Monitor(model, accumulate=True) as monitor:
        for _ in range(batches):
            x, labels = batch(generator)
            picojoule.reset_states(model)
            hits += int((model(x).mean(1).argmax(1) == labels).sum())
    return monitor, hits / (batches * BATCH)
