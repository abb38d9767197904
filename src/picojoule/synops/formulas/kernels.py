"""Which operator below PyTorch's functions has which formula, and which multiply in ways that have none."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import torch

from picojoule.synops.formulas import operators, products
from picojoule.synops.formulas.attention import scaled_dot_product_attention
from picojoule.synops.formulas.convolutions import convolution, transposed_convolution
from picojoule.synops.formulas.synapses import Synapses

Formula = Callable[..., list[Synapses]]

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
    "mkldnn_linear": operators.mkldnn_linear,
    "_trilinear": operators.trilinear,
    "convolution": operators.either_convolution,
    "_convolution": operators.either_convolution,
    "convolution_overrideable": operators.either_convolution,
    "mkldnn_convolution": operators.mkldnn_convolution,
    "cudnn_convolution": lambda x, w, padding, stride, dilation, groups, *_: convolution(
        x, w, None, stride, padding, dilation, groups
    ),
    "thnn_conv2d": operators.slow_convolution,
    "_slow_conv2d_forward": operators.slow_convolution,
    "slow_conv3d": operators.slow_convolution,
    "slow_conv3d_forward": operators.slow_convolution,
    "slow_conv_dilated2d": lambda x, w, _, b, stride, padding, dilation: convolution(
        x, w, b, stride, padding, dilation
    ),
    "slow_conv_dilated3d": lambda x, w, _, b, stride, padding, dilation: convolution(
        x, w, b, stride, padding, dilation
    ),
    "_conv_depthwise2d": lambda x, w, _, b, stride, padding, dilation: convolution(
        x, w, b, stride, padding, dilation, x.shape[1]
    ),
    "conv_tbc": operators.conv_tbc,
    "conv1d": convolution,
    "conv2d": convolution,
    "conv3d": convolution,
    "conv_transpose1d": transposed_convolution,
    "conv_transpose2d": transposed_convolution,
    "conv_transpose3d": transposed_convolution,
    "_scaled_dot_product_flash_attention_for_cpu": operators.attention,
    "_scaled_dot_product_flash_attention": operators.attention,
    "_scaled_dot_product_efficient_attention": operators.attention,
    "_scaled_dot_product_cudnn_attention": operators.attention,
    "_scaled_dot_product_fused_attention_overrideable": operators.attention,
    "scaled_dot_product_attention": scaled_dot_product_attention,
    "_native_multi_head_attention": operators.fused_attention,
    "_transformer_encoder_layer_fwd": operators.fused_encoder,
    "mkldnn_rnn_layer": operators.mkldnn_rnn,
    "embedding": operators.looked_up,
    "_embedding_bag": operators.added_up,
    "_embedding_bag_forward_only": operators.added_up,
}
_QUANTIZED: dict[str, Formula] = {
    name: formula
    for names, formula in {
        """linear linear_relu linear_dynamic linear_relu_dynamic linear_dynamic_fp16
        linear_relu_dynamic_fp16 linear_leaky_relu linear_tanh""": operators.packed_linear,
        """conv1d conv1d_relu conv2d conv2d_relu conv3d conv3d_relu conv1d_dynamic conv2d_dynamic
        conv3d_dynamic conv_transpose1d conv_transpose2d conv_transpose3d conv_transpose1d_dynamic
        conv_transpose2d_dynamic conv_transpose3d_dynamic""": operators.packed_convolution,
        """embedding_byte embedding_4bit""": operators.packed_embedding,
    }.items()
    for name in names.split()
}
_HIGHER_ORDER: dict[str, Formula] = {"flex_attention": operators.attention}
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
