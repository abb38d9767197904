"""The counting formulas: one entry a function of PyTorch that multiplies by weights.

A formula gets the arguments of a call and gives its :class:`Synapses`. To count another function,
write a formula and enter it here; to count one of your own, hand it to the Monitor.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from picojoule.synops.formulas import products
from picojoule.synops.formulas.attention import multi_head_attention, scaled_dot_product_attention
from picojoule.synops.formulas.convolutions import convolution, transposed_convolution
from picojoule.synops.formulas.embedding import embedding, embedding_bag
from picojoule.synops.formulas.kernels import kernel_formula
from picojoule.synops.formulas.recurrent import cell, layers
from picojoule.synops.formulas.synapses import Synapses, contraction, fixed, masked

Formula = Callable[..., list[Synapses]]

FORMULAS: dict[Callable[..., Any], Formula] = {
    F.linear: products.linear,
    F.bilinear: products.bilinear,
    torch.matmul: products.matmul,
    torch.mm: products.matmul,
    torch.bmm: products.matmul,
    torch.mv: products.matmul,
    torch.dot: products.matmul,
    torch.vdot: products.matmul,
    torch.linalg.matmul: products.matmul,
    torch.linalg.vecdot: products.vecdot,
    torch.inner: products.inner,
    torch.tensordot: products.tensordot,
    torch.einsum: products.einsum,
    torch.linalg.multi_dot: products.multi_dot,
    torch.chain_matmul: products.chain_matmul,
    torch.addmm: products.after_bias,
    torch.addmv: products.after_bias,
    torch.baddbmm: products.after_bias,
    torch.addbmm: products.after_bias,
    Tensor.__matmul__: products.matmul,
    Tensor.__rmatmul__: products.reflected_matmul,
    F.conv1d: convolution,
    F.conv2d: convolution,
    F.conv3d: convolution,
    F.conv_transpose1d: transposed_convolution,
    F.conv_transpose2d: transposed_convolution,
    F.conv_transpose3d: transposed_convolution,
    F.embedding: embedding,
    F.embedding_bag: embedding_bag,
    F.scaled_dot_product_attention: scaled_dot_product_attention,
    F.multi_head_attention_forward: multi_head_attention,
    torch.rnn_tanh_cell: cell,
    torch.rnn_relu_cell: cell,
    torch.lstm_cell: cell,
    torch.gru_cell: cell,
    torch.rnn_tanh: layers,
    torch.rnn_relu: layers,
    torch.lstm: layers,
    torch.gru: layers,
}
for _name in ("matmul", "mm", "bmm", "mv", "dot", "vdot", "inner"):
    FORMULAS[getattr(Tensor, _name)] = FORMULAS[getattr(torch, _name)]
for _name in ("addmm", "addmv", "baddbmm", "addbmm"):
    FORMULAS[getattr(Tensor, _name)] = FORMULAS[getattr(torch, _name)]
    FORMULAS[getattr(Tensor, f"{_name}_")] = FORMULAS[getattr(torch, _name)]


def formula_of(function: Callable[..., Any]) -> Formula | None:
    """The formula of a function or of one of PyTorch's operators; None if it has none."""
    return FORMULAS.get(function) or kernel_formula(function)


__all__ = ["FORMULAS", "Formula", "Synapses", "contraction", "fixed", "formula_of", "masked"]
