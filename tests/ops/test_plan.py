"""What a kernel is specialised on, and under which names it reads a neuron."""

from dataclasses import replace

import pytest

from picojoule.activation import MembraneSubtract, MultiSpike, SingleExponential
from picojoule.ops import plan, spec
from picojoule.ops.plan import PARAMETERS, plan_from, plan_of, unsupported_part, values_of
from picojoule.ops.spec import NeuronSpec

PLAIN = NeuronSpec(
    alpha_mem=1.0,
    alpha_syn=None,
    norm_input=False,
    min_v_mem=None,
    connect=None,
    threshold=1.0,
    spike=MultiSpike(),
    reset=MembraneSubtract(),
    surrogate=SingleExponential(),
    record=False,
)
EVERYTHING = replace(
    PLAIN, alpha_mem=0.9, alpha_syn=0.8, norm_input=True, min_v_mem=-1.0, reset=MembraneSubtract(0.7),
    alpha_adapt=0.6, adapt_scale=1.8,
)  # fmt: skip


def test_the_parameters_are_in_the_order_of_the_one_list_and_each_has_a_value() -> None:
    assert plan_of(PLAIN).parameters == ("threshold",)
    assert plan_of(EVERYTHING).parameters == PARAMETERS
    values = values_of(EVERYTHING)
    assert all(values[name] is not None for name in PARAMETERS)
    assert (values["gain_mem"], values["gain_adapt"]) == (1 - 0.9, 1 - 0.6)


def test_each_name_is_the_place_in_the_list() -> None:
    for place, name in enumerate(PARAMETERS):
        assert getattr(plan, name.upper()) == place


def test_a_plan_is_its_text() -> None:
    for neuron in (PLAIN, EVERYTHING):
        made = plan_of(neuron, shared=True, dtype="bfloat16")
        assert plan_from(str(made)) == made


def test_a_neuron_with_a_field_that_is_new_to_the_kernels_is_none_of_theirs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert unsupported_part(EVERYTHING) is None
    monkeypatch.setattr(spec, "_NOT_COMPUTED", (("min_v_mem", None), ("adapt_scale", 0.0)))
    assert unsupported_part(PLAIN) is None
    assert unsupported_part(EVERYTHING) == "the kernels do not compute min_v_mem"
