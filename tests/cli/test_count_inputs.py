"""What `picojoule count` shows a model, and what it says where a model or a file is at fault."""

import contextlib
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import picojoule
from picojoule.cli.counted_run import run as run_counted
from picojoule.cli.model_input import drawn_or_read, model_input
from picojoule.layers import IAF
from tests.cli.test_count_command import PART, refused, run

NETWORKS = '''
from torch import nn

import part
from picojoule.layers import IAF, FlattenTime, IAFSqueeze, UnflattenTime


class Tokens(nn.Module):
    """Takes token ids, and shares."""

    def __init__(self):
        super().__init__()
        self.table, self.head = nn.Embedding(100, 8), part.ones(nn.Linear(3, 4))

    def forward(self, ids, shares):
        return self.table(ids).sum() + self.head(shares)


def build():
    return nn.Sequential(part.ones(nn.Linear(3, 4, bias=False)), IAF(), part.ones(nn.Linear(4, 2)))


def folding():
    return nn.Sequential(
        FlattenTime(),
        part.ones(nn.Linear(3, 4, bias=False)),
        IAFSqueeze(batch_size=1, spike_threshold=7.0),
        part.ones(nn.Linear(4, 2)),
        UnflattenTime(batch_size=1),
    )


class FoldsItself(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = folding()[1:4]

    def forward(self, x):
        return self.inner(x.flatten(0, 1))


def folded():
    return folding()[1:4]


def ten_steps():
    return nn.Sequential(FlattenTime(), nn.Linear(3, 4), IAFSqueeze(num_timesteps=10))


def raising():
    return {}["depth"]


class Raises(nn.Module):
    def forward(self, x):
        return [][3]


class Silent(nn.Module):
    def forward(self, x):
        assert False
'''


@pytest.fixture(autouse=True)
def in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    Path("networks.py").write_text(NETWORKS)
    Path("part.py").write_text(PART)
    np.save("ones.npy", np.ones((5, 10, 3)))


def counted(*arguments: str) -> tuple[Any, str]:
    """The report, and what was told beside it."""
    done = run(*arguments, "--format", "json")
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout), done.stderr


def synops(*arguments: str) -> float:
    found: float = counted(*arguments)[0]["totals"]["synops_per_sample"]
    return found


def test_tokens_stay_whole_numbers_and_inputs_come_in_their_order() -> None:
    np.save("ids.npy", np.array([[1, 2, 99]], np.uint16))
    inputs = ("--input", "ids.npy", "--input", "ones.npy")
    report, told = counted("./networks.py:Tokens", *inputs)
    (table,) = [row for row in report["layers"] if row["name"] == "table"]
    assert table["synops_per_sample"] == 3 * 8  # 3 look-ups of 8 synapses
    assert "Input: ids.npy, of shape 1,3; ones.npy, of shape 5,10,3." in told


def test_whole_numbers_become_floats_where_the_model_takes_no_others() -> None:
    np.save("counts.npy", np.ones((5, 10, 3), np.uint8))
    report, told = counted("./networks.py:build", "--input", "counts.npy")
    assert report["totals"]["synops_per_sample"] == 360
    assert "Input: counts.npy, of shape 5,10,3, as floats." in told


def test_tensors_by_position_and_by_name() -> None:
    ids, shares = torch.tensor([[1, 2, 3]]), torch.ones(1, 3)
    torch.save([ids, shares], "list.pt")
    torch.save({"shares": shares, "ids": ids}, "names.pt")
    torch.save(ids, "ids.pt")
    torch.save(shares, "shares.pt")
    for files in (["list.pt"], ["names.pt"], ["ids.pt", "shares.pt"]):
        inputs = [word for file in files for word in ("--input", file)]
        assert synops("./networks.py:Tokens", *inputs) == 3 * 8 + 3 * 4


@pytest.mark.parametrize("model", ["folding", "FoldsItself"])
def test_samples_of_layers_built_for_another_batch_are_samples(model: str) -> None:
    """As one sequence, what is left of a sample's 30 units would go into the next: 7 does not divide 30."""
    np.save("four.npy", np.ones((4, 10, 3)))
    report, told = counted(f"./networks.py:{model}", "--input", "four.npy")
    assert (report["samples"], report["num_timesteps"]) == (4, 10)
    spikes = 4 * (10 * 3 // 7)  # of 4 neurons with a threshold of 7
    assert report["totals"]["synops_per_sample"] == 10 * 3 * 4 + 2 * spikes
    assert "--samples" not in told


def test_samples_of_layers_of_sinabs_itself_are_samples() -> None:
    pytest.importorskip("sinabs")
    same = NETWORKS.replace("from picojoule.layers", "from sinabs.layers")
    Path("networks.py").write_text(same.replace("7.0)", "7.0, spike_fn=MultiSpike)"))
    with Path("networks.py").open("a") as file:
        file.write("\n\nfrom sinabs.activation import MultiSpike\n")
    np.save("four.npy", np.ones((4, 10, 3)))
    report, _ = counted("./networks.py:folding", "--input", "four.npy")
    assert (report["samples"], report["num_timesteps"]) == (4, 10)
    assert report["totals"]["synops_per_sample"] == 10 * 3 * 4 + 2 * 4 * 4


def test_samples_in_one_axis_with_the_time_are_asked_for() -> None:
    np.save("folded.npy", np.ones((40, 3)))
    command = ("./networks.py:folded", "--input", "folded.npy")
    report, told = counted(*command)
    assert report["samples"] == 1
    assert "Note: the first axis of the input, 40, is taken for the time steps of 1 sample" in told
    report, told = counted(*command, "--samples", "4")
    assert report["samples"] == 4
    assert report["totals"]["synops_per_sample"] == 10 * 3 * 4 + 2 * 4 * 4
    assert "1 sample" not in told


def test_the_built_in_models_as_train_names_them() -> None:
    printed = run("lenet")
    assert "mean over 1 sample of 5 time steps" in printed.stdout
    two, _ = counted("lenet", "--input", "2,3,1,28,28")
    assert (two["samples"], two["num_timesteps"]) == (2, 3)
    assert run("lenet").stdout == printed.stdout  # the weights are of --seed, too
    assert run("lenet", "--seed", "1").stdout != printed.stdout
    assert counted("recurrent", "--num-timesteps", "7")[0]["num_timesteps"] == 7


def test_a_page_without_matplotlib_has_no_pictures_and_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in [n for n in sys.modules if n.partition(".")[0] == "matplotlib"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    done = run("./networks.py:build", "--input", "ones.npy", "--format", "html")
    assert done.exit_code == 0
    assert "<table>" in done.stdout
    assert "<img" not in done.stdout
    assert "pip install 'picojoule[plot]'" in done.stderr


def test_the_state_that_a_model_comes_with_is_no_part_of_the_count() -> None:
    Path("used.py").write_text(
        "import torch\nfrom networks import build\nmodel = build()\nmodel(0.3 * torch.ones(5, 1, 3))\n"
    )
    report, told = counted("./used.py:model", "--input", "ones.npy")
    assert report["totals"]["synops_per_sample"] == 360
    assert "reset" not in told


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["build"], "--input is missing"),
        (["Tokens", "--input", "5,3"], "missing 1 required positional argument: 'shares'"),
        (["ten_steps", "--input", "20.npy"], "layer '2' was built for num_timesteps=10"),
        (["folded", "--input", "8,3", "--samples", "0"], "--samples is 0"),
        (["folded", "--input", "8,3", "--seed", str(10**20)], f"--seed is {10**20}, expected a whole number from 0"),
        (["folded", "--input", "7,3", "--samples", "2"], "does not go with batch_size=2"),
        (["raising", "--input", "5,3"], "could not be called: KeyError: 'depth' (networks.py, line"),
        (["Raises", "--input", "5,3"], "IndexError: list index out of range (networks.py, line"),
        (["Silent", "--input", "5,3"], "AssertionError (networks.py, line"),
        (["build", "--input", "damaged.npy"], "damaged.npy: no .npy file"),
        (["build", "--input", "words.npy"], "words.npy: holds"),
        (["build", "--input", "huge.npy"], "huge.npy: the header announces"),
        (["build", "--input", "empty.npy"], "empty.npy has no numbers"),
        (["build", "--input", "damaged.pt"], "damaged.pt holds more than tensors, or is damaged"),
        (["build", "--input", "code.pt"], "code.pt holds more than tensors"),
        (["build", "--input", "words.pt"], "words.pt has no numbers"),
        (["build", "--input", "number.pt"], "number.pt: expected a tensor, a list"),
        (["build", "--input", "nothing.pt"], "nothing.pt: No such file"),
        (["build", "--input", "ones.npz"], "expected a shape with the batch first"),
    ],
)  # fmt: skip
def test_faults_are_named(arguments: list[str], message: str) -> None:
    Path("damaged.npy").write_bytes(b"\x93NUMPY\x01\x00v\x00{'descr'")
    header = b"{'descr': '<f4', 'fortran_order': False, 'shape': (1000000000, 1000), }\n"
    size = len(header).to_bytes(2, "little")
    Path("huge.npy").write_bytes(b"\x93NUMPY\x01\x00" + size + header)
    np.save("words.npy", np.array(["one", "two"]))
    np.save("empty.npy", np.ones((0, 3)))
    np.save("20.npy", np.ones((5, 20, 3)))
    Path("damaged.pt").write_bytes(b"PK\x03\x04 and no more")
    torch.save(nn.Linear(3, 4), "code.pt")
    torch.save({"words": "one"}, "words.pt")
    torch.save(3, "number.pt")
    model, *others = arguments
    assert message in refused(f"./networks.py:{model}", *others)


@pytest.mark.parametrize("zipped", [True, False])
def test_damaged_pt_files_are_one_kind_of_error(zipped: bool) -> None:
    torch.save([torch.ones(2, 3)], "good.pt", _use_new_zipfile_serialization=zipped)
    content, random = Path("good.pt").read_bytes(), np.random.default_rng(0)
    for _ in range(100):
        at, length = random.integers(len(content)), random.integers(1, 40)
        damaged = content[:at] + random.bytes(int(random.integers(9))) + content[at + length :]
        Path("damaged.pt").write_bytes(damaged)
        with contextlib.suppress(ValueError):
            model_input(["damaged.pt"], rate=0.1, dense=False, seed=0)


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ("./ends.py:build", "ends.py could not be imported: SystemExit: 3 (ends.py, line 2)"),
        ("./fails.py:build", "ZeroDivisionError: division by zero (fails.py, line 1)"),
        ("lenett", "nor a .nir file, nor lenet or recurrent"),
        ("lenet", "takes frames of shape t c h w"),
    ],
)
def test_models_that_cannot_be_built_are_named(model: str, message: str) -> None:
    Path("ends.py").write_text("import sys\nsys.exit(3)\n")
    Path("fails.py").write_text("1 / 0\n")
    assert message in refused(model, "--input", "5,3")


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (("build", "5,10,3", "7"), "--samples is 7, but layer '1' got 5 samples of 10 time steps"),
        (
            ("folding", "4,10,3", "2"),
            "--samples is 2, but layer '0' got 4 samples of 10 time steps",
        ),
    ],
)
def test_samples_that_cannot_be_are_told_beside_those_that_were_seen(
    command: tuple[str, str, str], message: str
) -> None:
    model, shape, samples = command
    given = ("--input", shape, "--samples", samples)
    assert message in refused(f"./networks.py:{model}", *given)


def test_samples_that_an_axis_contradicts_are_told(tmp_path: Path) -> None:
    given = ("--input", "10,5,3", "--samples", "7", "--time-axis", "tb")
    told = refused("./networks.py:build", *given)
    assert "--samples is 7, but " in told
    assert "Leave --samples out" in told


def test_a_file_with_nan_is_refused_with_its_place(tmp_path: Path) -> None:
    frames = np.zeros((2, 5, 20), dtype=np.float32)
    frames[1, 2, 3] = np.nan
    np.save(tmp_path / "broken.npy", frames)
    with pytest.raises(
        ValueError, match=r"broken\.npy: the value at \[1, 2, 3\] is nan in torch.float32"
    ):
        model_input([str(tmp_path / "broken.npy")], 0.1, False, 0)


def test_a_rate_is_for_random_spikes(tmp_path: Path) -> None:
    file = str(tmp_path / "x.npy")
    np.save(file, np.ones((2, 3)))
    with pytest.raises(ValueError, match="--rate is of random spikes, and each --input is a file"):
        drawn_or_read([file], 0.7, False, 0)
    with pytest.raises(ValueError, match="--rate is of random spikes, and --dense draws values"):
        drawn_or_read(["2,3"], 0.7, True, 0)
    assert drawn_or_read([file], None, False, 0).first.sum() == 6
    assert drawn_or_read([file, "2,3"], 1.0, False, 0).args[1].sum() == 6


def test_dense_is_for_random_inputs(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.ones((2, 5, 20), dtype=np.float32))
    with pytest.raises(ValueError, match=r"--dense draws values .* each --input is a file"):
        model_input([str(tmp_path / "x.npy")], 0.1, True, 0)
    assert len(model_input([str(tmp_path / "x.npy"), "2,3"], 0.1, True, 0).args) == 2


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_a_model_gets_floats_of_its_own_type(dtype: torch.dtype) -> None:
    network = nn.Sequential(nn.Linear(12, 6), IAF(), nn.Linear(6, 3), IAF()).to(dtype)
    shown = model_input(["4,5,12"], 0.5, False, 0)
    with picojoule.Monitor(network) as monitor:
        taken, _ = run_counted(network, monitor, shown, None)
    assert taken.first.dtype == dtype
    assert taken.words.endswith(f"as {str(dtype).removeprefix('torch.')}")
    assert monitor.report().synops_per_sample >= float(shown.first.sum()) * 6 / 4
