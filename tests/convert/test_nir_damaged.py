"""Damaged and hostile NIR: one kind of error, which names file, node and field; nothing else happens."""

import random
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import h5py
import nir
import numpy as np
import pytest
import torch
from torch import nn

import picojoule
from picojoule.layers import LIF, ExpLeak, LIFRecurrent

Edit = Callable[[h5py.Group], None]


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with a Linear 'fc', a LIF 'lif' with synapses, a recurrent 'rec', and an 'out' that leaks."""
    torch.manual_seed(0)
    model = nn.Sequential()
    model.add_module("fc", nn.Linear(3, 4))
    model.add_module("lif", LIF(5.0, tau_syn=3.0))
    model.add_module("rec", LIFRecurrent(5.0, nn.Linear(4, 4)))
    model.add_module("out", ExpLeak(4.0))
    path = tmp_path_factory.mktemp("nir") / "sound.nir"
    nir.write(path, picojoule.to_nir(model, torch.rand(1, 5, 3)))
    return path


@pytest.fixture
def edited(sound: Path, tmp_path: Path) -> Callable[[Edit], Path]:
    def edit(change: Edit) -> Path:
        path = tmp_path / "edited.nir"
        path.write_bytes(sound.read_bytes())
        with h5py.File(path, "r+") as file:
            change(file["node"])
        return path

    return edit


def put(place: str, value: Any, **how: Any) -> Edit:
    def change(node: h5py.Group) -> None:
        node.pop(place)
        node.create_dataset(place, data=value, **how)

    return change


def drop(place: str) -> Edit:
    return lambda node: node.pop(place)


def with_edges(*pairs: tuple[str, str]) -> Edit:
    return put("edges", np.array(pairs, "S20") if pairs else np.zeros((0, 2), "S1"))


def add(place: str, **fields: Any) -> Edit:
    def change(node: h5py.Group) -> None:
        for name, value in fields.items():
            node[f"{place}/{name}"] = value

    return change


CHAIN = [("input", "fc"), ("fc", "lif"), ("lif", "rec"), ("rec", "out"), ("out", "output")]
JSON = "nodes/lif/metadata/picojoule"
EDITS: dict[str, tuple[Edit, str]] = {
    "a missing node": (drop("nodes/lif"), "'lif'"),
    "no nodes": (drop("nodes"), "the graph .*'nodes'"),
    "no type": (drop("nodes/fc/type"), "'fc' has no field 'type'"),
    "a type unknown to NIR": (put("nodes/fc/type", "Dense"), r"'fc' \(Dense\) has a 'type'"),
    "a type that is a number": (put("nodes/fc/type", 3.0), "'fc' has a 'type' that is no text"),
    "another type": (put("nodes/fc/type", "LIF"), r"'fc' \(LIF\) has no field 'tau'"),
    "a missing field": (drop("nodes/lif/tau_syn"), r"'lif' \(CubaLIF\) has no field 'tau_syn'"),
    "a field in a subgraph": (drop("nodes/rec/nodes/lif/r"), r"'rec.lif' \(LIF\) has no field 'r'"),
    "an unknown field": (add("nodes/fc", gain=2.0), "'fc' .* has a field 'gain'"),
    "NaN": (put("nodes/fc/weight", np.full((4, 3), np.nan)), "'fc' .* has nan in 'weight'"),
    "infinite": (put("nodes/lif/v_threshold", np.full(4, np.inf)), "has inf in 'v_threshold'"),
    "a size that is infinite": (put("nodes/input/shape", np.array([np.inf])), "'input' .* 'shape' of float64"),
    "a size that is NaN": (put("nodes/input/shape", np.array([np.nan])), "'input' .* 'shape' of float64"),
    "too large for float32": (put("nodes/fc/bias", np.full(4, 1e300)), "has 1e.300 in 'bias'"),
    "a negative time constant": (put("nodes/out/tau", np.full(4, -1.0)), "has -1 in 'tau'"),
    "a time constant below the step": (put("nodes/out/tau", np.full(4, 1e-5)), "time constant"),
    "complex": (put("nodes/fc/bias", np.full(4, 1j)), "'bias' of type complex128"),
    "a text for numbers": (put("nodes/lif/r", "high"), "'r' of type <U4"),
    "texts for numbers": (put("nodes/lif/r", np.array(["a"], "S1")), r"'r' of type .S1"),
    "not UTF-8": (put("nodes/fc/type", np.bytes_(b"\xff\xfe")), "'fc' has a 'type' that is no text"),
    "an empty field": (put("nodes/lif/r", np.zeros(0)), "'lif' .* empty 'r'"),
    "different shapes": (put("nodes/lif/r", np.ones(5)), "'lif' .* different shapes"),
    "a bias of another length": (put("nodes/fc/bias", np.ones(5)), r"'bias' of shape \(5,\)"),
    "a weight without axes": (put("nodes/fc/weight", np.ones(4)), r"'weight' of shape \(4,\)"),
    "neighbours that do not fit": (
        lambda node: [put(f"nodes/fc/{n}", v)(node) for n, v in {"weight": np.ones((5, 3)), "bias": np.ones(5)}.items()],
        "'lif' .* gets 5 from 'fc', where 'itself' has 4",
    ),
    "an edge to nowhere": (with_edges(*CHAIN, ("fc", "moon")), r"edge \('fc', 'moon'\)"),
    "no edges": (with_edges(), "gets no input"),
    "a missing edge": (with_edges(*CHAIN[:2], *CHAIN[3:]), "'rec.lif' .*gets no input"),
    "a node that nobody hears": (
        add("nodes/more", type="Scale", scale=np.ones(4)),
        "'more' .* gets no input",
    ),
    "edges of another shape": (put("edges", np.zeros((3, 3))), r"'edges' of shape \(3, 3\)"),
    "edges of numbers": (put("edges", np.zeros((3, 2))), "'edges' that is no text"),
    "metadata that are no JSON": (put(JSON, "{"), "'lif' .* are no JSON"),
    "metadata that are too deep": (put(JSON, "[" * 100_000), "'lif' .* are no JSON"),
    "metadata of another kind": (put(JSON, "[]"), "'lif' .* are list"),
    "metadata that lack a word": (put(JSON, "{}"), "'lif' .* cannot become a layer"),
    "metadata that call something else": (
        put(JSON, '{"spike_fn": {"name": "os.system"}, "reset_fn": null}'),
        "'lif' .*'os.system'",
    ),
    "metadata that are no group": (
        lambda node: (node["nodes/lif"].pop("metadata"), put_new(node, "nodes/lif/metadata")),
        "'lif' has a 'metadata' that is no group",
    ),
    "a step of another kind": (put("metadata/picojoule", '{"dt": "soon"}'), "no time step"),
    "a step without end": (put("metadata/picojoule", '{"dt": 1e999}'), "no time step"),
    "sizes that unfold": (
        lambda node: (node.pop("nodes/fc/weight"), declared(node, "nodes/fc/weight")),
        "'/node/nodes/fc/weight' brings the declared size to",
    ),
    "data in another file": (
        lambda node: (node.pop("nodes/fc/bias"), elsewhere(node, "nodes/fc/bias")),
        "'/node/nodes/fc/bias' keeps its data in other files",
    ),
    "a link to another file": (
        lambda node: node.__setitem__("nodes/fc/extra", h5py.ExternalLink("/etc/passwd", "/")),
        r"'/node/nodes/fc/extra' is a link \(ExternalLink\)",
    ),
}  # fmt: skip


def put_new(node: h5py.Group, place: str) -> None:
    node[place] = 1.0


def declared(node: h5py.Group, place: str) -> None:
    node.create_dataset(place, (2**20, 2**20), "f4", chunks=(64, 64), fillvalue=1.0)


def elsewhere(node: h5py.Group, place: str) -> None:
    node.create_dataset(place, (4,), "f4", external=[("/etc/passwd", 0, 16)])


@pytest.mark.parametrize("name", EDITS)
def test_file_node_and_field_are_named(name: str, edited: Callable[[Edit], Path]) -> None:
    edit, words = EDITS[name]
    path = edited(edit)
    with pytest.raises(ValueError, match=words) as error:
        picojoule.from_nir(str(path))
    assert str(path) in str(error.value)


def test_the_sound_file_reads(sound: Path) -> None:
    assert picojoule.from_nir(str(sound))(torch.rand(1, 5, 3)).shape == (1, 5, 4)


def test_a_graph_in_memory_is_checked_alike() -> None:
    node = nir.Linear(np.ones((2, 3)))
    node.weight = np.full((2, 3), np.nan)
    with pytest.raises(ValueError, match=r"from_nir: node 'linear' \(Linear\) has nan in 'weight'"):
        picojoule.from_nir(nir.NIRGraph.from_list(node, type_check=False))
    node.weight = "heavy"
    with pytest.raises(ValueError, match=r"node '0' \(Linear\) has a 'weight' of type <U5"):
        picojoule.from_nir(node)


def test_names_are_data(tmp_path: Path) -> None:
    """A name becomes no attribute of the module, and no Python."""
    hostile = ['x", 1) or print("run', "training", "", "forward", "a.b", "a_b", "\udcff\n"]
    chain = {"in": nir.Input({"input": np.array([2])})}
    chain |= {name: nir.Scale(np.array([2.0, 1.0])) for name in hostile}
    chain |= {"out": nir.Output({"output": np.array([2])})}
    names = list(chain)
    edges = [*pairwise(names), ("in", hostile[1])]
    model = picojoule.from_nir(nir.NIRGraph(chain, edges, type_check=False))
    # all factors of 2 for the input, and from the second on for the input that skips the first
    assert model(torch.ones(1, 1, 2)).flatten().tolist() == [2.0**7 + 2.0**6, 2.0]
    assert all(name.isidentifier() for name, _ in model.named_children())


def test_many_edges_that_share_one_long_name_are_read_within_the_limit(
    edited: Callable[[Edit], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    long = "n" * 50_000
    path = edited(put("edges", [[long, long]] * 500, dtype=h5py.string_dtype()))
    monkeypatch.setattr("picojoule.convert.nir.file.size_limit", lambda path: 2**20)
    with pytest.raises(ValueError, match="strings in 'edges' that unfold beyond"):
        picojoule.from_nir(path)


def test_truncated_and_foreign_files(sound: Path, tmp_path: Path) -> None:
    path = tmp_path / "cut.nir"
    whole = sound.read_bytes()
    for damaged in (b"", b"not HDF5", whole[: len(whole) // 2], whole[:-1]):
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match=f"from_nir: {path} is no NIR file, or a damaged one"):
            picojoule.from_nir(path)
    with h5py.File(path, "w") as file:
        file["other"] = 1.0
    with pytest.raises(
        ValueError, match=r"is no NIR file: it has no group 'node', but \['other'\]"
    ):
        picojoule.from_nir(path)
    with pytest.raises(FileNotFoundError, match="there is no file"):
        picojoule.from_nir(tmp_path)


def spoiled(whole: bytes, path: Path, chance: random.Random) -> None:
    """Overwrite some bytes, or change one data set."""
    if chance.random() < 0.5:
        data = bytearray(whole)
        for _ in range(chance.choice([1, 4, 30])):
            data[chance.randrange(len(data))] = chance.randrange(256)
        path.write_bytes(data)
        return
    path.write_bytes(whole)
    with h5py.File(path, "r+") as file:
        places: list[str] = []
        file["node"].visititems(lambda name, part: places.append(name))
        place = chance.choice(places)
        file["node"].pop(place)
        value = chance.choice(
            [None, "LIF", 3, -1e30, np.zeros(0), np.ones((2, 3)), np.full(4, np.nan)]
        )
        if value is not None:
            file["node"][place] = value


def test_sixty_spoiled_files_are_read_or_refused_by_file(sound: Path, tmp_path: Path) -> None:
    chance, path, refused = random.Random(12), tmp_path / "spoiled.nir", 0
    for _ in range(60):
        spoiled(sound.read_bytes(), path, chance)
        try:
            picojoule.from_nir(path)
        except (ValueError, NotImplementedError) as error:
            assert str(path) in str(error), error  # noqa: PT017  (some are sound enough)
            refused += 1
    assert refused > 20
