"""Formulas of the operators below PyTorch's functions: what scripts and exports call.

They take an operator's arguments, whose order differs from that of the function above it.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from picojoule.synops.formulas import products
from picojoule.synops.formulas.attention import scaled_dot_product_attention
from picojoule.synops.formulas.convolutions import convolution, transposed_convolution
from picojoule.synops.formulas.embedding import embedding, embedding_bag
from picojoule.synops.formulas.synapses import Synapses, contraction, unknown_labels


def either_convolution(
    input: Tensor,
    weight: Tensor,
    bias: Any,
    stride: Any,
    padding: Any,
    dilation: Any,
    transposed: bool,
    output_padding: Any,
    groups: int,
    *_more: Any,
) -> list[Synapses]:
    """aten.convolution: both kinds, and samples with or without their own axis."""
    if transposed:
        return transposed_convolution(
            input, weight, bias, stride, padding, output_padding, groups, dilation
        )
    return convolution(input, weight, bias, stride, padding, dilation, groups)


def mkldnn_convolution(
    input: Tensor, weight: Tensor, bias: Any, padding: Any, stride: Any, dilation: Any, groups: int
) -> list[Synapses]:
    """aten.mkldnn_convolution, whose tensors may be in a layout of their own."""
    return convolution(input, _dense(weight), bias, stride, padding, dilation, groups)


def slow_convolution(
    input: Tensor, weight: Tensor, _size: Any, bias: Any, stride: Any, padding: Any, *more: Any
) -> list[Synapses]:
    """aten.thnn_conv2d and its kind."""
    return convolution(input, weight, bias, stride, padding, more[0] if more else 1)


def conv_tbc(input: Tensor, weight: Tensor, bias: Any, pad: int = 0) -> list[Synapses]:
    """aten.conv_tbc: time first, channels last."""
    return convolution(input.permute(1, 2, 0), weight.permute(2, 1, 0), bias, 1, pad)


def mkldnn_linear(input: Tensor, weight: Tensor, *_more: Any) -> list[Synapses]:
    """aten.mkldnn_linear: of tensors in a layout of their own."""
    return products.linear(input, _dense(weight))


def trilinear(*args: Any, **_: Any) -> list[Synapses]:
    """aten._trilinear, which F.bilinear is made of: input, weight, other input."""
    first, weight, other = args[:3]
    return products.bilinear(first, other, weight)


def attention(query: Tensor, key: Tensor, value: Tensor, *_: Any, **__: Any) -> list[Synapses]:
    """aten._scaled_dot_product_..._attention: axes `b h t e`."""
    return scaled_dot_product_attention(query, key, value)


def fused_attention(
    query: Tensor, key: Tensor, value: Tensor, size: int, heads: int, in_weight: Tensor,
    in_bias: Any, out_weight: Tensor, *_: Any
) -> list[Synapses]:  # fmt: skip
    """aten._native_multi_head_attention: `b t e`, or nested tensors of sequences of several lengths."""
    return _self_attention(query, key, value, size, in_weight, out_weight)


def fused_encoder(
    src: Tensor, size: int, heads: int, in_weight: Tensor, in_bias: Any, out_weight: Tensor,
    out_bias: Any, gelu: bool, norm_first: bool, eps: float, *more: Any, **_: Any
) -> list[Synapses]:  # fmt: skip
    """aten._transformer_encoder_layer_fwd: attention and two linear layers; inside, values are dense."""
    tokens = {"n": sum(_lengths(src))}
    rows = _rows(src)
    if norm_first:  # what the projections get has been normalised
        attention = _self_attention(src, src, src, size, in_weight, out_weight, dense=True)
    else:
        attention = _self_attention(rows, rows, rows, size, in_weight, out_weight, lengths=src)
    feed_forward = [contraction("oi", w, weights=[0], sizes=tokens) for w in (more[4], more[6])]
    return [*attention, *feed_forward]


def _self_attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    size: int,
    in_weight: Tensor,
    out_weight: Tensor,
    lengths: Tensor | None = None,
    dense: bool = False,
) -> list[Synapses]:
    queries, keys = (_lengths(query if lengths is None else lengths),) * 2
    if lengths is None:
        keys = _lengths(key)
    tokens = {"n": sum(queries)}
    if dense:
        projections = [contraction("oi", in_weight, weights=[0], sizes=tokens)]
    else:
        parts = in_weight.chunk(3)
        sources = (query, key, value)
        projections = [
            synapses
            for x, w in zip(sources, parts, strict=True)
            for synapses in products.linear(_rows(x), w)
        ]
    pairs = {"p": sum(q * k for q, k in zip(queries, keys, strict=True)), "e": size}
    one = in_weight.new_ones(())
    meetings = [contraction("", one, sizes=pairs, weights=[0])] * 2
    return [*projections, *meetings, contraction("oe", out_weight, weights=[0], sizes=tokens)]


def _lengths(x: Tensor) -> list[int]:
    if x.is_nested:
        return [len(sequence) for sequence in x.unbind()]
    return [x.shape[1]] * x.shape[0]


def _rows(x: Tensor) -> Tensor:
    return torch.cat(list(x.unbind())) if x.is_nested else x


def mkldnn_rnn(input: Tensor, w_ih: Tensor, w_hh: Tensor, *_: Any, **__: Any) -> list[Synapses]:
    """aten.mkldnn_rnn_layer: all gates from input and hidden values, which are dense."""
    steps = input.numel() // max(input.shape[-1], 1)
    hidden = contraction("oi", w_hh, weights=[0], sizes={"t": steps})
    return [*products.linear(input, w_ih), hidden]


def looked_up(weight: Tensor, indices: Tensor, *_: Any, **__: Any) -> list[Synapses]:
    """aten.embedding: the weight first."""
    return embedding(indices, weight)


def added_up(
    weight: Tensor, indices: Tensor, offsets: Tensor, scale_grad_by_freq: bool = False, mode: int = 0,
    sparse: bool = False, per_sample_weights: Tensor | None = None, include_last_offset: bool = False,
    padding_idx: int = -1,
) -> list[Synapses]:  # fmt: skip
    """aten._embedding_bag: rows that are added up; -1 is no `padding_idx`."""
    padding = padding_idx if padding_idx >= 0 else None
    return embedding_bag(
        indices, weight, per_sample_weights=per_sample_weights, padding_idx=padding
    )


def packed_linear(input: Tensor, packed: Any, *_: Any, **__: Any) -> list[Synapses]:
    """quantized.linear and its kind: weights in a package."""
    weight = packed.unpack()[0]
    return [contraction(f"{_lead(input)}i,oi", input, _dense(weight), weights=[1])]


def packed_convolution(input: Tensor, packed: Any, *_: Any, **__: Any) -> list[Synapses]:
    """quantized.conv2d and its kind."""
    weight = _dense(packed.unpack()[0])
    settings = (packed.stride(), packed.padding(), packed.dilation(), packed.groups())
    axes = weight.ndim - 2  # a package of one axis holds two
    stride, padding, dilation = (list(each)[-axes:] for each in settings[:3])
    if packed.transpose():
        more = list(packed.output_padding())[-axes:]
        return transposed_convolution(
            input, weight, None, stride, padding, more, settings[3], dilation
        )
    return convolution(input, weight, None, stride, padding, dilation, settings[3])


def packed_embedding(packed: Any, indices: Tensor, *_: Any, **__: Any) -> list[Synapses]:
    """quantized.embedding_byte and its kind."""
    return embedding(indices, _dense(packed.unpack()))


def _lead(x: Tensor) -> str:
    return unknown_labels(x.ndim - 1, taken="io")


def _dense(weight: Tensor) -> Tensor:
    """A weight as numbers: out of quantised and mkldnn tensors."""
    if weight.is_quantized:
        return weight.dequantize()
    return weight.to_dense() if weight.is_mkldnn else weight
