"""The geometry of synapses beside PyTorch's convolutions and poolings, coordinate by coordinate."""

from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional as F

from picojoule.events.axes import order_of_taps, taps, transposed_taps, windows

small = st.integers(1, 4)


@given(
    size=st.integers(1, 9), kernel=small, stride=small, padding=st.integers(0, 3), dilation=small
)
def test_taps_are_those_of_a_convolution(
    size: int, kernel: int, stride: int, padding: int, dilation: int
) -> None:
    if size + 2 * padding < dilation * (kernel - 1) + 1:
        return
    weight = torch.arange(1.0, kernel + 1).reshape(1, 1, -1)
    impulses = torch.eye(size)[:, None]
    found = F.conv1d(impulses, weight, stride=stride, padding=padding, dilation=dilation)[:, 0]
    expected = torch.zeros_like(found)
    for place, row in enumerate(taps(size, kernel, stride, padding, dilation, found.shape[1])):
        for tap, output in row:
            expected[place, output] += tap + 1
    assert torch.equal(found, expected)


@given(
    size=st.integers(1, 6), kernel=small, stride=small, padding=st.integers(0, 2), dilation=small
)
def test_taps_are_those_of_a_transposed_convolution(
    size: int, kernel: int, stride: int, padding: int, dilation: int
) -> None:
    if (size - 1) * stride - 2 * padding + dilation * (kernel - 1) + 1 < 1:
        return
    weight = torch.arange(1.0, kernel + 1).reshape(1, 1, -1)
    impulses = torch.eye(size)[:, None]
    found = F.conv_transpose1d(impulses, weight, stride=stride, padding=padding, dilation=dilation)[
        :, 0
    ]
    expected = torch.zeros_like(found)
    for place, row in enumerate(
        transposed_taps(size, kernel, stride, padding, dilation, found.shape[1])
    ):
        for tap, output in row:
            expected[place, output] += tap + 1
    assert torch.equal(found, expected)


@given(size=st.integers(2, 9), kernel=st.integers(2, 4), stride=small, padding=st.integers(0, 1))
def test_windows_are_those_of_a_pooling(size: int, kernel: int, stride: int, padding: int) -> None:
    if size + 2 * padding < kernel:
        return
    found = kernel * F.avg_pool1d(torch.eye(size)[:, None], kernel, stride, padding)[:, 0]
    expected = torch.zeros_like(found)
    for place, row in enumerate(windows(size, kernel, stride, padding, found.shape[1])):
        expected[place, row] = 1
    assert torch.equal(found.round(), expected)


@given(kernel=st.integers(1, 9), stride=small, dilation=small, is_transposed=st.booleans())
def test_the_order_of_taps_has_each_once(
    kernel: int, stride: int, dilation: int, is_transposed: bool
) -> None:
    assert sorted(order_of_taps(kernel, stride, dilation, is_transposed)) == list(range(kernel))
