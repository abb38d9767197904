"""Profiles by name, profiles of one's own, and limits instead of joules."""

from dataclasses import replace

import pytest
import torch

from picojoule.energy import (
    EnergyProfile,
    MemoryCost,
    core_load,
    energy_j,
    memory_cost,
    profile,
)


def mine(**figures: float) -> EnergyProfile:
    return EnergyProfile(name="mine", source="measured, 2026", **figures)


@pytest.mark.parametrize(
    ("wrong", "nearest"),
    [
        ("lohi", "Nearest: loihi"),
        ("spinnaker2", "Nearest: spinnaker2-2019, spinnaker2-2021"),
        ("45nm", "Nearest: 45nm-fp32, 45nm-fp16, 45nm-int32, 45nm-int8"),
        ("45nm-int8+sram", "Nearest: sram-8kb, sram-32kb, sram-1mb"),
    ],
)
def test_an_unknown_name_gives_the_nearest_and_the_list(wrong: str, nearest: str) -> None:
    with pytest.raises(ValueError, match=r"there is no (profile|memory)") as raised:
        profile(wrong)
    assert nearest in str(raised.value)
    assert "There are: 45nm-fp32" in str(raised.value) or "There are: step" in str(raised.value)


def test_a_name_like_no_other_gives_the_list_alone() -> None:
    with pytest.raises(ValueError, match=r"no profile 'qqq'\. There are: .*loihi.*speck"):
        profile("qqq")
    with pytest.raises(ValueError, match=r"no profile ''\. There are"):
        profile("")


def test_a_name_may_be_written_in_capitals() -> None:
    assert profile("Loihi") is profile("loihi")


def test_what_is_neither_a_name_nor_a_profile_is_refused() -> None:
    with pytest.raises(TypeError, match=r"expected the name of a profile.*got NoneType"):
        profile(None)


def test_a_profile_of_ones_own_goes_wherever_a_name_goes() -> None:
    own = mine(synop_j=5e-12)
    assert profile(own) is own
    assert energy_j(own, synops=2).total_j == 1e-11


@pytest.mark.parametrize("wrong", [23.6, 0.0, -1e-12, float("nan")])
@pytest.mark.parametrize("field", ["synop_j", "mac_j", "neuron_update_j", "memory_j_per_byte"])
def test_a_figure_that_is_not_joules_is_refused(field: str, wrong: float) -> None:
    with pytest.raises(ValueError, match=rf"'mine': {field} is .*23\.6 pJ is 23\.6e-12"):
        mine(**{field: wrong})


def test_a_profile_without_anything_is_refused() -> None:
    with pytest.raises(ValueError, match=r"neither a figure in joules .* nor a limit"):
        mine()
    with pytest.raises(ValueError, match=r"max_synops_per_second_per_core is 0, expected"):
        mine(max_synops_per_second_per_core=0)


def test_a_memory_of_ones_own_is_added_with_its_source() -> None:
    memory = MemoryCost(name="lab", j_per_byte=1e-12, source="measured, 2026", includes="SRAM")
    chip = profile("45nm-int8").with_memory(memory)
    assert memory_cost(memory) is memory
    assert energy_j(chip, memory_bytes=3).memory_j == 3e-12
    with pytest.raises(ValueError, match=r"45nm-int8\+lab.*counted twice"):
        chip.with_memory(memory)


def test_the_load_of_a_core_is_a_share_of_its_limit_and_differentiable() -> None:
    speck = replace(profile("speck"), max_synops_per_second_per_core=1e6)
    synops_per_second = torch.tensor([5e5, 2e6], requires_grad=True)
    load = core_load(speck, synops_per_second)
    assert load.tolist() == [0.5, 2.0]
    load.sum().backward()
    torch.testing.assert_close(synops_per_second.grad, torch.tensor([1e-6, 1e-6]))


def test_joules_of_a_chip_with_limits_alone_are_an_error_even_with_a_number() -> None:
    speck = replace(profile("speck"), max_synops_per_second_per_core=1e6)
    with pytest.raises(ValueError, match=r"'speck' has no energy per operation.*core_load"):
        energy_j(speck, synops=1.0)


def test_counts_of_many_layers_are_not_one_count() -> None:
    with pytest.raises(TypeError, match="synops is a dict, expected one number or tensor"):
        energy_j("loihi", synops={"1": 3.0})  # type: ignore[arg-type]
