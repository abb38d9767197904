"""Formulas of the operators below PyTorch's functions, by their names: what scripts and exports call.

They take an operator's arguments, whose order differs from that of the function above it.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import torch
from torch import Tensor

from picojoule.synops.formulas import products
from picojoule.synops.formulas.attention import scaled_dot_product_attention
from picojoule.synops.formulas.convolutions import convolution, transposed_convolution
from picojoule.synops.formulas.embedding import embedding
from picojoule.synops.formulas.synapses import Synapses, contraction, unknown_labels

Formula = Callable[..., list[Synapses]]


def _convolution(
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


def _mkldnn_convolution(
    input: Tensor, weight: Tensor, bias: Any, padding: Any, stride: Any, dilation: Any, groups: int
) -> list[Synapses]:
    """aten.mkldnn_convolution, whose tensors may be in a layout of their own."""
    return convolution(input, _dense(weight), bias, stride, padding, dilation, groups)


def _slow_convolution(
    input: Tensor, weight: Tensor, _size: Any, bias: Any, stride: Any, padding: Any, *more: Any
) -> list[Synapses]:
    """aten.thnn_conv2d and its kind."""
    return convolution(input, weight, bias, stride, padding, more[0] if more else 1)


def _conv_tbc(input: Tensor, weight: Tensor, bias: Any, pad: int = 0) -> list[Synapses]:
    """aten.conv_tbc: time first, channels last."""
    return convolution(input.permute(1, 2, 0), weight.permute(2, 1, 0), bias, 1, pad)


def _linear(input: Tensor, weight: Tensor, *_more: Any) -> list[Synapses]:
    """aten.mkldnn_linear: of tensors in a layout of their own."""
    return products.linear(input, _dense(weight))


def _trilinear(*args: Any, **_: Any) -> list[Synapses]:
    """aten._trilinear, which F.bilinear is made of: input, weight, other input."""
    first, weight, other = args[:3]
    return products.bilinear(first, other, weight)


def _attention(query: Tensor, key: Tensor, value: Tensor, *_: Any, **__: Any) -> list[Synapses]:
    """aten._scaled_dot_product_..._attention: axes `b h t e`."""
    return scaled_dot_product_attention(query, key, value)


def _fused_attention(
    query: Tensor, key: Tensor, value: Tensor, size: int, heads: int, in_weight: Tensor,
    in_bias: Any, out_weight: Tensor, *_: Any
) -> list[Synapses]:  # fmt: skip
    """aten._native_multi_head_attention: `b t e`, or nested tensors of sequences of several lengths."""
    return _self_attention(query, key, value, size, in_weight, out_weight)


def _fused_encoder(
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


def _mkldnn_rnn(input: Tensor, w_ih: Tensor, w_hh: Tensor, *_: Any, **__: Any) -> list[Synapses]:
    """aten.mkldnn_rnn_layer: all gates from input and hidden values, which are dense."""
    steps = input.numel() // max(input.shape[-1], 1)
    hidden = contraction("oi", w_hh, weights=[0], sizes={"t": steps})
    return [*products.linear(input, w_ih), hidden]


def _embedding(weight: Tensor, indices: Tensor, *_: Any, **__: Any) -> list[Synapses]:
    return embedding(indices, weight)


def _packed_linear(input: Tensor, packed: Any, *_: Any, **__: Any) -> list[Synapses]:
    """quantized.linear and its kind: weights in a package."""
    weight = packed.unpack()[0]
    return [contraction(f"{_lead(input)}i,oi", input, _dense(weight), weights=[1])]


def _packed_convolution(input: Tensor, packed: Any, *_: Any, **__: Any) -> list[Synapses]:
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


def _packed_embedding(packed: Any, indices: Tensor, *_: Any, **__: Any) -> list[Synapses]:
    """quantized.embedding_byte and its kind."""
    return embedding(indices, _dense(packed.unpack()))


def _lead(x: Tensor) -> str:
    return unknown_labels(x.ndim - 1, taken="io")


def _dense(weight: Tensor) -> Tensor:
    """A weight as numbers: out of quantised and mkldnn tensors."""
    if weight.is_quantized:
        return weight.dequantize()
    return weight.to_dense() if weight.is_mkldnn else weight


# aten's own names, one entry an operator
_ATEN: dict[str, Formula] = {
    "mm": products.matmul,
    "bmm": products.matmul,
    "mv": products.matmul,
    "dot": products.matmul,
    "vdot": products.matmul,
    "matmul": products.matmul,
    "_int_mm": products.matmul,
    "_scaled_mm": products.matmul,
    "_sparse_mm": products.matmul,
    "_sparse_sparse_matmul": products.matmul,
    "_sparse_mm_reduce_impl": products.matmul,
    "addmm": products.after_bias,
    "addmv": products.after_bias,
    "baddbmm": products.after_bias,
    "addbmm": products.after_bias,
    "sspaddmm": products.after_bias,
    "_sparse_addmm": products.after_bias,
    "_addmm_activation": products.after_bias,
    "addmm_": products.after_bias,
    "addmv_": products.after_bias,
    "baddbmm_": products.after_bias,
    "addbmm_": products.after_bias,
    "linear": products.linear,
    "mkldnn_linear": _linear,
    "_trilinear": _trilinear,
    "convolution": _convolution,
    "_convolution": _convolution,
    "convolution_overrideable": _convolution,
    "mkldnn_convolution": _mkldnn_convolution,
    "cudnn_convolution": lambda x, w, padding, stride, dilation, groups, *_: convolution(
        x, w, None, stride, padding, dilation, groups
    ),
    "thnn_conv2d": _slow_convolution,
    "_slow_conv2d_forward": _slow_convolution,
    "slow_conv3d": _slow_convolution,
    "slow_conv3d_forward": _slow_convolution,
    "slow_conv_dilated2d": lambda x, w, _, b, stride, padding, dilation: convolution(
        x, w, b, stride, padding, dilation
    ),
    "slow_conv_dilated3d": lambda x, w, _, b, stride, padding, dilation: convolution(
        x, w, b, stride, padding, dilation
    ),
    "_conv_depthwise2d": lambda x, w, _, b, stride, padding, dilation: convolution(
        x, w, b, stride, padding, dilation, x.shape[1]
    ),
    "conv_tbc": _conv_tbc,
    "conv1d": convolution,
    "conv2d": convolution,
    "conv3d": convolution,
    "conv_transpose1d": transposed_convolution,
    "conv_transpose2d": transposed_convolution,
    "conv_transpose3d": transposed_convolution,
    "_scaled_dot_product_flash_attention_for_cpu": _attention,
    "_scaled_dot_product_flash_attention": _attention,
    "_scaled_dot_product_efficient_attention": _attention,
    "_scaled_dot_product_cudnn_attention": _attention,
    "_scaled_dot_product_fused_attention_overrideable": _attention,
    "scaled_dot_product_attention": scaled_dot_product_attention,
    "_native_multi_head_attention": _fused_attention,
    "_transformer_encoder_layer_fwd": _fused_encoder,
    "mkldnn_rnn_layer": _mkldnn_rnn,
    "embedding": _embedding,
    "_embedding_bag": _embedding,
    "_embedding_bag_forward_only": _embedding,
}
_QUANTIZED: dict[str, Formula] = {
    name: formula
    for names, formula in {
        """linear linear_relu linear_dynamic linear_relu_dynamic linear_dynamic_fp16
        linear_relu_dynamic_fp16 linear_leaky_relu linear_tanh""": _packed_linear,
        """conv1d conv1d_relu conv2d conv2d_relu conv3d conv3d_relu conv1d_dynamic conv2d_dynamic
        conv3d_dynamic conv_transpose1d conv_transpose2d conv_transpose3d conv_transpose1d_dynamic
        conv_transpose2d_dynamic conv_transpose3d_dynamic""": _packed_convolution,
        """embedding_byte embedding_4bit""": _packed_embedding,
    }.items()
    for name in names.split()
}
_HIGHER_ORDER: dict[str, Formula] = {"flex_attention": _attention}
_BY_NAMESPACE = {"aten": _ATEN, "quantized": _QUANTIZED}
# they multiply by what is made of a matrix (its inverse, its factors), in more than one product
_LINEAR_ALGEBRA = frozenset(
    [
        "linalg_inv_ex",
        "_linalg_solve_ex",
        "linalg_solve_triangular",
        "triangular_solve",
        "cholesky_solve",
        "linalg_lu_solve",
        "lu_solve",
        "linalg_ldl_solve",
        "linalg_lstsq",
        "ormqr",
        "linalg_householder_product",
        "linalg_matrix_exp",
        "cholesky_inverse",
        "linalg_pinv",
        "_linalg_det",
        "_linalg_slogdet",
        "lstm",
        "gru",
        "rnn_tanh",
        "rnn_relu",
        "quantized_lstm",
        "quantized_gru",
        "miopen_rnn",
        "_cudnn_rnn",
        "matmul_int8",
        "_weight_int8pack_mm",
        "_weight_int4pack_mm",
        "_weight_int4pack_mm_for_cpu",
        "_scaled_grouped_mm",
        "_grouped_mm",
    ]
)
_QUANTIZED_UNKNOWN = ("linear", "conv", "matmul", "mul", "lstm", "gru", "rnn", "embedding")


@cache
def kernel_formula(function: Any) -> Formula | None:
    """The formula of an operator or its packet, `torch.ops.aten.mm` or `torch.ops.aten.mm.default`; else None."""
    if isinstance(function, torch._ops.HigherOrderOperator):
        return _HIGHER_ORDER.get(function.__name__)
    namespace, name = _namespace_and_name(function)
    return _BY_NAMESPACE.get(namespace, {}).get(name)


@cache
def multiplies_in_unknown_ways(function: Any) -> bool:
    """Whether an operator is known to multiply, but not how often."""
    namespace, name = _namespace_and_name(function)
    if namespace == "quantized":
        words = name.split("_")
        return words[-1] not in ("prepack", "unpack") and name.startswith(_QUANTIZED_UNKNOWN)
    return namespace == "aten" and name in _LINEAR_ALGEBRA


def is_pytorchs_own(function: Any) -> bool:
    """Whether an operator came with PyTorch or with Picojoule, so that what it does is known."""
    return _namespace_and_name(function)[0] in ("aten", "prim", "prims", "quantized", "picojoule")


def _namespace_and_name(function: Any) -> tuple[str, str]:
    if isinstance(function, torch._ops.OpOverload):
        function = function.overloadpacket
    if not isinstance(function, torch._ops.OpOverloadPacket):
        return "", ""
    namespace, _, name = function._qualified_op_name.partition("::")
    return namespace, name
