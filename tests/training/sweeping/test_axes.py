"""Settings of training as axes: what may be one, as users state it, and the runs that follow."""

from typing import Any

import pytest

from picojoule.training import ConfigError, SweepConfig, SweepRun, TrainConfig
from picojoule.training.sweeping.axes import parsed_axes, split_axes

AXES = {"num_timesteps": (3, 5), "learning_rate": (1e-3, 2e-3)}


def test_each_combination_has_its_own_unconstrained_network_and_budgets() -> None:
    config = SweepConfig(budgets=(0.5,), seeds=2, axes=AXES)
    three_slow = (("num_timesteps", 3), ("learning_rate", 1e-3))
    runs = config.runs(1)
    assert runs[:2] == (SweepRun(1, None, three_slow), SweepRun(1, 0.5, three_slow))
    assert len(config.all_runs()) == 2 * 2 * 2 * 2
    assert config.before(runs[1]) == (runs[0],)
    names = {run.name for run in config.all_runs()}
    assert len(names) == 16
    assert "seed2/budget-0.5,num_timesteps=5,learning_rate=0.002" in names


def test_a_value_of_any_letters_is_one_folder() -> None:
    models = ("a/b.py:build", "../a.py:b", "a_b.py:build")
    runs = SweepConfig(budgets=(0.5,), axes={"model": models}).all_runs()
    assert {run.name.count("/") for run in runs} == {1}
    assert len({run.name for run in runs}) == 6


@pytest.mark.parametrize(
    ("axes", "message"),
    [
        ({"num_timestep": (3, 5)}, "no setting 'num_timestep'. Did you mean 'num_timesteps'"),
        ({"synops_per_timestep": (1e4, 2e4)}, "is no axis: the budgets say it"),
        ({"seed": (1, 2)}, "seed is no axis: the seeds follow"),
        ({"data": ("a", "b")}, "data is no axis: accuracies on other data"),
        ({"task": ("a.py:f", "b.py:f")}, "task is no axis: scores of other tasks"),
        ({"within": (0.05, 0.1)}, "within is no axis: it is what all budgets are judged by"),
        ({"epochs": ()}, r"the axis epochs is \(\), expected its values"),
        ({"model": "lenet"}, "the axis model is 'lenet', expected its values"),
        ({"epochs": (2, 2)}, "a value of the axis epochs comes twice"),
        ({"epochs": (2, 0)}, "epochs is 0, expected a whole number >= 1"),
        ({"min_rate": ({"2": 0.1}, 0.2)}, "min_rate is {'2': 0.1}, expected a single"),
    ],
)
def test_what_is_no_axis_is_said(axes: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        SweepConfig(budgets=(0.5,), axes=axes)


def test_a_list_in_a_file_is_an_axis_of_the_settings_own_type() -> None:
    # as YAML gives them: the members of lists are words
    stated = {
        "epochs": 2,
        "num_timesteps": ["3", "5"],
        "min_rate": ["null", "1e-2"],
        "model": ["3"],
    }
    assert split_axes(stated) == (
        {"epochs": 2},
        {"num_timesteps": [3, 5], "min_rate": [None, 0.01], "model": ["3"]},
    )


@pytest.mark.parametrize(
    ("stated", "message"),
    [
        ({"num_timesteps": ["3", "2.5"]}, "run.yaml, line 4: .*is 2.5, expected a whole number"),
        ({"num_timesteps": ["half"]}, "line 4: .*is 'half', expected a whole number"),
        ({"num_timesteps": [["3"]]}, r"line 4: .*is \['3'\], expected a single word or number"),
        ({"steps": ["1"]}, "line 4: there is no setting 'steps'"),
    ],
)
def test_a_member_of_the_wrong_type_is_named_with_its_place(
    stated: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        split_axes(stated, dict.fromkeys(stated, "run.yaml, line 4: "))


def test_axes_as_flags() -> None:
    assert parsed_axes(["num-timesteps=3, 5", "model=a.py:b"]) == {
        "num_timesteps": ["3", "5"],
        "model": ["a.py:b"],
    }
    for wrong in ("num_timesteps", "=3", "epochs=", "epochs=1,,2"):
        with pytest.raises(ValueError, match="is no setting with values"):
            parsed_axes([wrong])
    with pytest.raises(ValueError, match="epochs comes twice"):
        parsed_axes(["epochs=1", "epochs=2"])


def test_a_setting_that_only_some_combinations_allow_is_found_before_any_run() -> None:
    training = TrainConfig(profile="loihi")
    assert SweepConfig((1e-6,), "energy_j", training=training, axes={"epochs": (1, 2)}).axes
    with pytest.raises(ConfigError, match="profile is no axis"):
        SweepConfig((1e-6,), "energy_j", training=training, axes={"profile": ("loihi", "loihi-2")})


def test_a_setting_that_is_a_list_by_itself_is_no_axis() -> None:
    assert split_axes({"unreachable": ["4", "7"]}) == ({"unreachable": ["4", "7"]}, {})
    with pytest.raises(ValueError, match="--axis: unreachable is no axis"):
        parsed_axes(["unreachable=4,7"])


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("synapses=prune,fixed,thin,keep", ("prune", "fixed", "thin", "keep")),
        ("optimizer=adam,sgd", ("adam", "sgd")),
        ("readout=count,potential", ("count", "potential")),
        ("schedule=cosine,hold", ("cosine", "hold")),
        ("teacher=null,runs/a/trained.safetensors", (None, "runs/a/trained.safetensors")),
        ("trim=true,false", (True, False)),
    ],
)
def test_what_training_has_learned_since_is_an_axis(text: str, values: tuple[Any, ...]) -> None:
    _, axes = split_axes(parsed_axes([text]))
    (name,) = axes
    config = SweepConfig(budgets=(0.5,), axes=axes)
    assert config.axes == {name: values}
    assert len({run.name for run in config.all_runs()}) == 2 * len(values)
