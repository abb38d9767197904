"""Several processes end where one with the whole batch does."""

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest
import torch

from picojoule.training.samples.batches import Process, share_of, steps_of_epoch
from tests.children import free_port, started
from tests.training.commands import assert_close, checkpoint, command, run

NOT_KEPT, OF_NO_USE = 4, 3  # of so short a run; that is no error


def test_two_processes_end_with_the_weights_and_multipliers_of_one(tmp_path: Path) -> None:
    one = run(tmp_path / "one", "--precision", "64-true")
    two = run(tmp_path / "two", "--precision", "64-true", "--devices", "2")
    assert two.returncode == one.returncode == NOT_KEPT, two.stderr
    assert_close(tmp_path / "one", tmp_path / "two", 1e-6)  # the loss itself is float32
    # one process prints and writes; the figures are those over all samples
    assert two.stdout.replace("/two", "/one") == one.stdout
    assert two.stderr == one.stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "status"), [("potential", 0), ("task", NOT_KEPT), ("teacher", OF_NO_USE)]
)
def test_two_processes_learn_another_recipe_as_one_does(
    tmp_path: Path, kind: str, status: int
) -> None:
    recipe = {
        "potential": ["--readout", "potential", "--schedule", "hold", "--optimizer", "sgd"],
        "task": ["--task", f"{Path(__file__).with_name('test_tasks.py')}:Classes"],
        "teacher": ["--teacher", str(tmp_path / "teacher/checkpoint.safetensors")],
    }[kind]
    if kind == "teacher":
        run(tmp_path / "teacher", "--seed", "7", "--epochs", "1")
    arguments = ("--precision", "64-true", *recipe)
    one = run(tmp_path / "one", *arguments)
    two = run(tmp_path / "two", *arguments, "--devices", "2")
    assert two.returncode == one.returncode == status, two.stderr
    assert_close(tmp_path / "one", tmp_path / "two", 1e-6)
    assert two.stdout.replace("/two", "/one") == one.stdout


@pytest.mark.slow
def test_torchrun_does_the_same(tmp_path: Path) -> None:
    run(tmp_path / "one", "--precision", "64-true")
    launcher = ("-m", "torch.distributed.run", "--nproc-per-node", "2")
    two = run(tmp_path / "two", "--precision", "64-true", launcher=launcher)
    assert two.returncode == 1, two.stderr  # torchrun's own word for any status but 0
    assert "exitcode  : 4" in two.stderr
    assert "Figures, pictures and weights are in" in two.stdout
    assert_close(tmp_path / "one", tmp_path / "two", 1e-6)
    assert two.stdout.count("Test accuracy") == 1


@pytest.mark.slow
def test_two_machines_leave_together_with_the_status_of_the_first(tmp_path: Path) -> None:
    meet = (
        "--nnodes",
        "2",
        "--rdzv-backend",
        "c10d",
        "--rdzv-endpoint",
        f"localhost:{free_port()}",
    )
    words = command(tmp_path / "two", launcher=("-m", "torch.distributed.run", *meet))
    pipe = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with started(words, **pipe) as one, started(words, **pipe) as other:
        said = [
            each.communicate(timeout=200) for each in (one, other)
        ]  # an agent that waits does so for 300 s
    assert all("exitcode  : 4" in errors for _, errors in said), said
    assert sum("Figures, pictures and weights are in" in output for output, _ in said) == 1


@pytest.mark.slow
def test_a_run_of_one_process_goes_on_with_two(tmp_path: Path) -> None:
    run(tmp_path / "one", "--precision", "64-true", "--accumulate", "2")
    done = run(
        tmp_path / "one",
        "--precision",
        "64-true",
        "--accumulate",
        "2",
        "--resume",
        "--devices",
        "2",
    )
    assert done.returncode == NOT_KEPT, done.stderr


@pytest.mark.slow
def test_an_error_of_many_processes_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken/thesis.tex").write_text("mine")
    done = run(tmp_path / "taken", "--devices", "2")
    assert done.returncode == 1
    assert "no run's (thesis.tex)" in done.stderr
    assert done.stderr.count("picojoule train:") == 1
    assert "Traceback" not in done.stderr


@pytest.mark.slow
def test_a_process_that_loses_another_says_so_and_leaves_a_checkpoint(tmp_path: Path) -> None:
    out = tmp_path / "run"
    both = command(out, "--devices", "2", "--epochs", "5000")
    with started(both, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL) as first:
        while not [*out.glob("checkpoint.training-*.safetensors")]:  # that of an epoch
            assert first.poll() is None
            time.sleep(0.05)
        found = subprocess.run(
            ["pgrep", "-P", str(first.pid)], capture_output=True, text=True, check=True
        )
        os.kill(int(found.stdout.split()[0]), signal.SIGKILL)
        said = first.communicate(timeout=120)[1]
    assert first.returncode == 1
    assert "another process of this run has ended" in said
    assert "Traceback" not in said
    assert "0.weight" in checkpoint(out)


@pytest.mark.parametrize("world_size", [1, 2, 3])
@pytest.mark.parametrize("accumulate", [1, 2, 4])
def test_processes_and_micro_batches_share_the_same_samples(
    world_size: int, accumulate: int
) -> None:
    samples = torch.arange(100, 123)
    whole = steps_of_epoch(samples, 7, 2, 10, 1, Process())
    parts = [
        steps_of_epoch(samples, 7, 2, 10, accumulate, Process(rank, world_size))
        for rank in range(world_size)
    ]
    for number, step in enumerate(whole):
        mine = [part[number] for part in parts]
        assert torch.equal(torch.cat([x for step in mine for x in step.mine]), step.mine[0])
        assert len({step.weights for step in mine}) == 1
        assert sum(mine[0].weights) == pytest.approx(1)
        assert len({len(step.mine) for step in mine}) == 1
    assert sorted(torch.cat([step.mine[0] for step in whole]).tolist()) == samples.tolist()


def test_the_order_changes_with_seed_and_epoch_only() -> None:
    def order(seed: int, epoch: int) -> list[int]:
        steps = steps_of_epoch(torch.arange(50), seed, epoch, 50, 1, Process())
        return steps[0].mine[0].tolist()

    assert order(1, 0) == order(1, 0)
    assert order(1, 0) != order(1, 1)
    assert order(1, 0) != order(2, 0)


def test_a_step_with_fewer_samples_than_processes_is_refused() -> None:
    with pytest.raises(ValueError, match="a training step has 1 samples for 2 processes"):
        steps_of_epoch(torch.arange(9), 1, 0, 4, 1, Process(0, 2))
    with pytest.raises(ValueError, match="1 samples are too few for 2 processes"):
        share_of(torch.arange(1), Process(0, 2), 4)


def test_more_processes_than_cores_are_refused_before_any_starts(tmp_path: Path) -> None:
    done = run(tmp_path / "many", "--devices", "9999")
    assert done.returncode == 1
    assert "devices is 9999, expected at most" in " ".join(done.stderr.split())
