"""`picojoule info`: what runs here, and why the rest does not."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from picojoule.cli.environment import Environment, environment
from picojoule.cli.failure import explained
from picojoule.energy import profiles
from picojoule.ops.availability import KernelCache, Support


def info(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")] = False,
) -> None:
    """Show versions, threads, the cache of kernels, and which implementation of an op runs here.

    Each implementation is tried on a plain float32 call, so a kernel that is not in the cache is
    compiled. The reason stands beside one that cannot run; the reference runs in its place. Below are the profiles
    for joules, and whether a spike costs anything at a weight of zero there.
    """
    with explained("picojoule info", stated={}, flags={}):
        found = environment()
        if as_json:
            chips = {each.name: asdict(each) for each in profiles()}
            typer.echo(json.dumps(asdict(found) | {"profiles": chips}, indent=2))
            return
        console = Console()
        console.print(_surroundings(found))
        console.print(_implementations(found.implementations))
        console.print(_chips())


def _surroundings(found: Environment) -> Table:
    table = Table(title="Versions, device, threads, cache", show_header=False)
    rows = {name: version or "not installed" for name, version in found.versions.items()}
    rows |= found.devices
    if "cuda:0" not in found.devices:
        rows["cuda"] = "no device"
    whose = (
        f"threads of their own: {found.why_own_threads}" if found.why_own_threads else "the same"
    )
    rows["threads"] = (
        f"PyTorch {found.torch_threads}, CPU kernels {found.kernel_threads} ({whose}), "
        f"cores of this process {found.cores}"
    )
    rows["compiled kernels"] = _cache(found.cache)
    for name, value in rows.items():
        table.add_row(name, Text(value, overflow="fold"))
    return table


def _cache(cache: KernelCache) -> str:
    if cache.folder is None:
        return "not kept: there is no home folder; set PICOJOULE_CACHE"
    why_not = cache.why_not or (None if cache.writable else "cannot be written")
    state = f" ({why_not}: each process compiles its own)" if why_not else ""
    return f"{cache.kernels} in {cache.folder}{state}"


def _implementations(rows: tuple[Support, ...]) -> Table:
    table = Table(title="Which implementation runs a plain float32 call")
    devices = list(dict.fromkeys(row.device for row in rows))
    for heading in ("op", "impl", *(f"on {device}" for device in devices)):
        table.add_column(heading)
    cells: dict[tuple[str, str], list[Text]] = {}
    for row in rows:
        cells.setdefault((row.op, row.implementation), []).append(Text(_answer(row)))
    for (op, implementation), answers in cells.items():
        table.add_row(op, implementation, *answers)
    return table


def _answer(row: Support) -> str:
    if row.why_not is not None:
        return f"no: {row.why_not}"
    return 'yes, "auto" takes it' if row.auto else "yes"


def _chips() -> Table:
    table = Table(title="Energy profiles: what a SynOp costs, and a spike at a weight of zero")
    for heading in ("profile", "pJ/SynOp", "figures", "zero weights"):
        table.add_column(heading)
    for each in profiles():
        price = "no joules" if each.synop_j is None else f"{each.synop_j * 1e12:.4g}"
        zeros = {True: "skipped", False: "cost as much", None: "unknown"}[each.skips_zero_weights]
        table.add_row(each.name, price, Text(each.grade()), Text(zeros))
    return table
