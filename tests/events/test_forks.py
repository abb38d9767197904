"""A forked process runs networks, whatever its parent did with them, and says so where it cannot. A hang is a timeout."""

import subprocess
import sys

import pytest

START = """
import multiprocessing, os, sys, threading, time
import torch
from torch import nn
from picojoule import events, layers

KINDS = {"step": {}, "always": {"dense": "always"}, "depth": {"order": "depth"}}

def use_openmp():
    torch.set_num_threads(2)
    (torch.rand(500000) * 2).sum()

def model():
    torch.manual_seed(0)
    made = nn.Sequential(
        nn.Conv2d(2, 8, 3, bias=False), layers.IAFSqueeze(batch_size=4), layers.SumPool2d(2),
        nn.Flatten(), nn.Linear(8 * 15 * 15, 10, bias=False), layers.IAFSqueeze(batch_size=4),
    )
    for parameter in made.parameters():
        parameter.data.copy_((parameter.abs() * 256).round() / 256)  # exact, and none inhibits
    return made

# large enough for PyTorch to share its operators out over threads
X = (torch.rand(4 * 12, 2, 32, 32, generator=torch.Generator().manual_seed(1)) < 0.1).float()

MODEL = model()  # PyTorch itself would hang where a child makes its weights

def made(kind):
    return events.compile(MODEL, X, **KINDS[kind])

def forked(work):
    child = os.fork()
    if child == 0:
        try:
            work()
        except BaseException as error:
            print(repr(error), file=sys.stderr, flush=True)
            os._exit(1)
        os._exit(0)
    end = time.monotonic() + 60
    while time.monotonic() < end:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            assert status == 0
            return
        time.sleep(0.01)
    os.kill(child, 9)
    os.waitpid(child, 0)
    raise AssertionError("the child hangs")
"""


def runs(code: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", START + code], capture_output=True, text=True, timeout=200
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("kind", ["step", "always", "depth"])
def test_a_network_runs_in_a_fork_before_and_after_its_first_call(kind: str) -> None:
    runs(f"""
use_openmp()
network = made({kind!r})
expected = made({kind!r})(X)
assert expected.any()

def same(own):
    assert torch.equal(own(X), expected)
    assert own.report().synops_per_sample > 0
    own.reset_count()
    assert torch.get_num_threads() == 2  # it was one inside

def work():
    same(made({kind!r}))  # compiled in the child
    same(network)
    network.reset()
    forked(lambda: same(network))  # in a child of the child

forked(work)  # before the first call in the parent
same(network)
network.reset()
forked(work)
same(network)
""")


def test_streams_recordings_and_the_gap_run_in_a_fork() -> None:
    runs("""
use_openmp()
network = events.compile(MODEL, X[:4 * 3])
assert network(X[:4 * 3]).any()
network.reset()
given = {"t": list(range(0, 40000, 10)), "x": [k % 32 for k in range(4000)], "y": [k // 7 % 32 for k in range(4000)], "p": [0] * 4000}
expected = network.run_events(given, dt_us=1000)
stream = network.stream(dt_us=1000)
whole = network.stream(dt_us=1000)
spikes = sum(len(out.t_us) for out in (whole.push(given), whole.flush(40000)))
assert spikes == expected.sum() > 0
first = {name: column[:2000] for name, column in given.items()}
rest = {name: column[2000:] for name, column in given.items()}
begun = len(stream.push(first).t_us)

def work():
    network.reset()
    assert torch.equal(network.run_events(given, dt_us=1000), expected)
    found = sum(len(out.t_us) for out in (stream.push(rest), stream.flush(40000)))
    assert begun + found == spikes
    assert stream.report().synops_per_sample == whole.report().synops_per_sample
    table = events.gap(MODEL, [(X.reshape(4, 12, 2, 32, 32), torch.arange(4))])
    assert table.rows[0].synops_per_sample > 0

forked(work)
""")


def test_workers_of_a_data_loader_run_a_network() -> None:
    runs("""
use_openmp()
network = made("step")
expected = network(X)
network.reset()

class Answers(torch.utils.data.Dataset):
    def __len__(self):
        return 4

    def __getitem__(self, index):
        network.reset()
        return network(X) + index

loader = torch.utils.data.DataLoader(
    Answers(), batch_size=None, num_workers=2, multiprocessing_context="fork", timeout=100
)
for index, found in enumerate(loader):
    assert torch.equal(found, expected + index)
""")


def test_a_network_goes_to_a_process_that_is_spawned() -> None:
    runs("""
import pickle
network = made("step")
expected = network(X)
code = (
    "import pickle, sys, torch; network, x, expected = pickle.load(sys.stdin.buffer);"
    "network.reset(); assert torch.equal(network(x), expected)"
)
import subprocess
subprocess.run([sys.executable, "-c", code], input=pickle.dumps((network, X, expected)), check=True, timeout=100)
""")


def test_a_fork_in_the_middle_of_a_call_of_another_thread_is_an_error_there() -> None:
    runs("""
network = made("step")
network(X)
inside, go_on = threading.Event(), threading.Event()

def slowly(*_):
    inside.set()
    go_on.wait()
    return run(*_)

run, network._run = network._run, slowly
other = threading.Thread(target=network, args=(X,))
other.start()
inside.wait()

def work():
    try:
        network.report()
    except RuntimeError as error:
        assert "was forked while another thread ran the network" in str(error), error
    else:
        raise AssertionError("no error")
    fresh = network.fresh()
    del fresh._run
    assert torch.equal(fresh(X), made("step")(X))

forked(work)
go_on.set()
other.join()
network.report()
""")
