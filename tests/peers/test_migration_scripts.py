"""The scripts of the migration guides: before, in a peer, and after, in Picojoule, print the same.

Each pair has one network with one seed and prints SynOps, firing rates and spikes, so equal lines mean equal
spikes. Rounding is no part of the promise: no potential of these networks comes that near its threshold.
"""

import re
import warnings
from pathlib import Path

import pytest

from tests.python import python

SCRIPTS = Path(__file__).parents[2] / "docs/migration/scripts"
PEERS = ["sinabs", "snntorch", "spikingjelly", "norse"]


def printed(*command: str) -> str:
    ran = python(*command, OMP_NUM_THREADS="1")
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def needs(peer: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pytest.importorskip(peer)


@pytest.mark.parametrize("peer", PEERS)
def test_both_scripts_print_the_same(peer: str) -> None:
    needs(peer)
    before, after = (printed(str(SCRIPTS / f"{peer}_{when}.py")) for when in ("before", "after"))
    assert after == before
    rates = [float(rate) for rate in re.findall(r"([\d.]+) spikes per", after)]
    assert len(rates) >= 2
    assert all(rates)
    assert "SynOps per" in after


def test_the_script_for_sinabs_runs_as_it_is() -> None:
    needs("sinabs")
    script = str(SCRIPTS / "sinabs_before.py")
    assert printed("-m", "picojoule.compat.sinabs", script) == printed(script)


@pytest.mark.parametrize("peer", PEERS)
def test_only_the_script_before_imports_the_peer(peer: str) -> None:
    imports = rf"^(from|import) {peer}"
    before, after = ((SCRIPTS / f"{peer}_{when}.py").read_text() for when in ("before", "after"))
    assert re.search(imports, before, re.M)
    assert not re.search(imports, after, re.M)
    assert "picojoule" not in before
