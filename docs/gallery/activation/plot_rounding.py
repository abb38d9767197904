"""
Quantize and StochasticRounding
===============================

Both round in the forward pass and let the gradient through unchanged: :py:obj:`picojoule.activation.Quantize` always
down, :py:obj:`picojoule.activation.StochasticRounding` up or down at random, right on average.
"""

import matplotlib.pyplot as plt
import torch

from picojoule.activation import Quantize, StochasticRounding

torch.manual_seed(0)
values = torch.linspace(-1, 3, 401, requires_grad=True)
down = Quantize.apply(values)
at_random = StochasticRounding.apply(values.expand(200, -1))

# %%
# The slope of both is one everywhere, as if nothing had been rounded.

(slope,) = torch.autograd.grad(down.sum(), values)
print("slopes of Quantize:", slope.unique().tolist())

figure, axes = plt.subplots()
x = values.detach()
axes.plot(x, x, color="0.7", label="unrounded")
axes.step(x, down.detach(), where="post", label="Quantize")
axes.scatter(x[::4], at_random[0, ::4].detach(), s=12, color="C1", label="StochasticRounding")
axes.plot(x, at_random.mean(0).detach(), color="C1", lw=1, label="its mean over 200 draws")
axes.set(title="Rounding", xlabel="Value", ylabel="Rounded value", yticks=range(-1, 4))
axes.legend(loc="upper left")
plt.show()
