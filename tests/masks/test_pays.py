"""Fewer connections are refused where they would save on paper alone."""

import dataclasses
import warnings

import pytest

from picojoule.budget import BudgetWarning, check_pays
from picojoule.energy import profile

SKIPS, SPENDS, UNKNOWN = "loihi", "odin", "speck"
ALL = (None, SKIPS, SPENDS, UNKNOWN)


@pytest.mark.parametrize(
    ("chips", "kind", "weights"),
    [
        (ALL, "keep", "all"),
        ((None, SKIPS, UNKNOWN), "keep", "nonzero"),
        ((None, SKIPS), "prune", "nonzero"),
        ((None, SKIPS), "fixed", "nonzero"),
        (ALL, "thin", "nonzero"),
    ],
)
def test_what_pays_passes_in_silence(
    chips: tuple[str | None, ...], kind: str, weights: str
) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for chip in chips:
            check_pays(chip, kind, weights)


@pytest.mark.parametrize("kind", ["prune", "fixed"])
@pytest.mark.parametrize("chip", ALL)
def test_single_weights_that_count_all_the_same(chip: str | None, kind: str) -> None:
    with pytest.raises(ValueError, match=f"synapses='{kind}' .* nothing would be saved") as error:
        check_pays(chip, kind, "all")
    assert ("synapses='thin'" in str(error.value)) == (chip == SPENDS)


@pytest.mark.parametrize("kind", ["prune", "fixed"])
def test_single_weights_on_a_chip_that_spends_on_them(kind: str) -> None:
    with pytest.raises(ValueError, match=r"saves nothing: 'odin' spends on zero weights \(.*256"):
        check_pays(SPENDS, kind, "nonzero")
    with pytest.raises(ValueError, match=r"skips_zero_weights=False.*synapses='thin'"):
        check_pays(
            dataclasses.replace(profile(SKIPS), skips_zero_weights=False, zero_weights=""),
            kind,
            "nonzero",
        )
    with pytest.warns(BudgetWarning, match="no source says whether 'speck' skips"):
        check_pays(UNKNOWN, kind, "nonzero")
    check_pays(dataclasses.replace(profile(UNKNOWN), skips_zero_weights=True), kind, "nonzero")


def test_weights_pruned_before_on_a_chip_that_spends_on_them() -> None:
    with pytest.raises(ValueError, match=r"the monitor does not count them.*weights='all'"):
        check_pays(SPENDS, "keep", "nonzero")


def test_thinned_channels_that_count_all_the_same() -> None:
    for chip in ALL:
        with pytest.warns(BudgetWarning, match="what goes into thinned channels still counts"):
            check_pays(chip, "thin", "all")
