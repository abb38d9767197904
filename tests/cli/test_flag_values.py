"""Bounds and groups as flags state them."""

import pytest

from picojoule.cli.flag_values import parsed_bound, parsed_groups


@pytest.mark.parametrize("text", ["", "much", "4=", "4=1,7", "=,"])
def test_a_flag_that_is_no_bound_is_named(text: str) -> None:
    with pytest.raises(ValueError, match="neither a number nor layers with numbers"):
        parsed_bound(text)


@pytest.mark.parametrize("text", ["", "tail", "tail=", "=4", "tail=4,,7", "tail=4,"])
def test_a_flag_that_is_no_group_is_named(text: str) -> None:
    with pytest.raises(ValueError, match="is no name with layers, such as --group tail=4,7"):
        parsed_groups([text])


@pytest.mark.parametrize("texts", [["tail=4,4"], ["tail=4", "tail=7"]])
def test_a_group_or_a_layer_that_comes_twice_is_named(texts: list[str]) -> None:
    with pytest.raises(ValueError, match=f"{texts[-1]!r} names a group or a layer for the second"):
        parsed_groups(texts)


def test_a_layer_that_a_flag_names_twice() -> None:
    with pytest.raises(ValueError, match="'4=1,7=2,4=3' names a layer twice"):
        parsed_bound("4=1,7=2,4=3")
