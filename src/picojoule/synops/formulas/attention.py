"""Formulas of attention."""

from __future__ import annotations

import inspect
import math
from typing import Any

from torch import Tensor
from torch.nn import functional as F

from picojoule.synops.formulas.products import linear
from picojoule.synops.formulas.synapses import Synapses, contraction, unknown_labels


def scaled_dot_product_attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    *,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> list[Synapses]:
    """Scores of every query with every key, and values weighted by them.

    The softmax makes the weights dense, whatever the scores were made of. Masked pairs count: the
    weights are there.
    """
    if enable_gqa:  # each key and value is heard by a group of query heads
        groups = query.shape[-3] // key.shape[-3]
        query = query.reshape(*query.shape[:-3], key.shape[-3], groups, *query.shape[-2:])
        key, value = key.unsqueeze(-3), value.unsqueeze(-3)
    lead = unknown_labels(max(query.ndim, key.ndim, value.ndim) - 2)
    q, k, v = (lead[len(lead) - (x.ndim - 2) :] for x in (query, key, value))
    queries = {"l": query.shape[-2]}
    scores = contraction(f"{q}le,{k}se", query, key)
    leads = {label: n for label, n in zip(q, query.shape[:-2], strict=True) if n > 1}
    return [scores, contraction(f"{v}sf", value, sizes={**queries, **leads})]


_MHA = inspect.signature(F.multi_head_attention_forward)


def multi_head_attention(*args: Any, **kwargs: Any) -> list[Synapses]:
    """Projections of query, key and value; dense scores and weighting; the projection of the result.

    What the projections give is dense, so only they have spikes.
    """
    call = _MHA.bind(*args, **kwargs)
    call.apply_defaults()
    a = call.arguments
    query, key, value = a["query"], a["key"], a["value"]
    weights = (
        [a["q_proj_weight"], a["k_proj_weight"], a["v_proj_weight"]]
        if a["use_separate_proj_weight"]
        else list(a["in_proj_weight"].chunk(3))
    )
    synapses = [*linear(query, weights[0])]
    for static, source, weight in (("static_k", key, weights[1]), ("static_v", value, weights[2])):
        if a[static] is None:
            synapses += linear(source, weight)
    more_keys = (a["bias_k"] is not None) + bool(a["add_zero_attn"])
    size = a["embed_dim_to_check"]
    pairs = {"n": query.shape[0], "s": key.shape[0] + more_keys, "e": size}
    batch = {"b": math.prod(query.shape[1:-1])}
    # scores and weighted values: as many products each
    synapses += [contraction("", query.new_ones(()), sizes={**pairs, **batch}, weights=[0])] * 2
    out = contraction("oe", a["out_proj_weight"], weights=[0], sizes={"n": pairs["n"], **batch})
    return [*synapses, out]
