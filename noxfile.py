"""What a release is checked by, in environments of its own: `make release-check`, or one session by `nox -s NAME`.

Each installs the wheel that was built, never the tree, and runs from a folder outside it.
"""

from __future__ import annotations

import os
import tarfile
import zipfile
from pathlib import Path

import nox

ROOT = Path(__file__).parent
DIST = ROOT / "build" / "dist"
# one CPU build; a plain "torch" may bring gigabytes of CUDA (the Makefile has the same words)
TORCH = os.environ.get("TORCH", "torch==2.13.0")
EXTRAS = ["", "train", "plot", "nir", "events", "postgres", "all"]
# the oldest of everything that pyproject.toml allows, in one environment
OLDEST = (
    "torch==2.6.0 numpy==1.26.* numba==0.61.* rich==13.0.* typer==0.19.* lightning-fabric==2.4.*"
    " optuna==4.0.* pyyaml==6.0.* safetensors==0.4.3 tensorboard==2.14.* matplotlib==3.8.*"
    " nir==1.0.7 h5py==3.8.* aedat==2.3.*"
)

nox.options.default_venv_backend = "venv"
nox.options.reuse_existing_virtualenvs = False
nox.options.error_on_missing_interpreters = False


def _wheel() -> Path:
    wheels = sorted(DIST.glob("*.whl"))
    if len(wheels) != 1:
        raise SystemExit(f"{len(wheels)} wheels in {DIST}, expected one: run `nox -s dist` first")
    return wheels[0]


def _install(session: nox.Session, extra: str, *others: str) -> None:
    session.install(TORCH)
    session.install(f"{_wheel()}[{extra}]" if extra else str(_wheel()), *others)


def _smoke(session: nox.Session) -> None:
    session.chdir(session.create_tmp())
    session.run("python", str(ROOT / "tools" / "smoke.py"))


@nox.session
def dist(session: nox.Session) -> None:
    """Wheel and source distribution, by their rules, with the same files of the package in both."""
    session.install("build", "twine")
    for old in DIST.glob("*"):
        old.unlink()
    session.run("python", "-m", "build", "--outdir", str(DIST), str(ROOT))
    session.run("twine", "check", "--strict", *map(str, DIST.glob("*")))
    (sdist,) = DIST.glob("*.tar.gz")
    with zipfile.ZipFile(_wheel()) as wheel, tarfile.open(sdist) as source:
        packed = {name for name in wheel.namelist() if name.startswith("picojoule/")}
        prefix = f"{sdist.name.removesuffix('.tar.gz')}/src/"
        given = {
            member.name.removeprefix(prefix)
            for member in source.getmembers()
            if member.isfile() and member.name.startswith(prefix)
        }
    if packed != given:
        session.error(f"in one of wheel and sdist alone: {sorted(packed ^ given)}")


@nox.session
@nox.parametrize("extra", EXTRAS)
def install(session: nox.Session, extra: str) -> None:
    """The wheel with one extra in an empty environment: every command, or the extra's name."""
    _install(session, extra)
    _smoke(session)


@nox.session
def doctests(session: nox.Session) -> None:
    """The examples of all docstrings, in the installed package."""
    _install(session, "all", "pytest")
    session.chdir(session.create_tmp())
    # from a folder that is not above the package: a pattern is of whole paths; Triton is not everywhere
    words = "pytest -q --doctest-modules --ignore-glob=/*/ops/triton/* -p no:cacheprovider --pyargs picojoule"
    session.run(*words.split())


@nox.session(python=["3.11", "3.12", "3.13"])
def python(session: nox.Session) -> None:
    """Each Python of the classifiers that this machine has."""
    _install(session, "all")
    _smoke(session)


@nox.session
def oldest(session: nox.Session) -> None:
    """The oldest releases that pyproject.toml allows: the commands, and the tests of layers, budgets and joules."""
    session.install(*OLDEST.split(), "pytest", "hypothesis")
    session.install(f"{_wheel()}[train,plot,nir,events]")
    _smoke(session)
    session.chdir(ROOT)
    session.run(
        *["pytest", "-q", "-m"], "not slow", *["tests/layers", "tests/budget", "tests/energy"]
    )


@nox.session
def newest(session: nox.Session) -> None:
    """The newest releases of everything, PyTorch among them."""
    session.install("torch", f"{_wheel()}[all]")
    _smoke(session)
