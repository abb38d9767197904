"""`load_weights`: all of the model's own tensors or none, whatever the file holds."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from picojoule.training.files.pickled import read_pickled
from picojoule.training.files.weights import load_weights

ONES = {"weight": torch.ones(3, 2), "bias": torch.ones(3)}


def zeros() -> nn.Linear:
    layer = nn.Linear(2, 3)
    for parameter in layer.parameters():
        nn.init.zeros_(parameter)
    return layer


def write(tensors: dict[str, Tensor], file: Path) -> Path:
    if file.suffix == ".safetensors":
        save_file(tensors, file)
    else:
        torch.save(tensors, file)
    return file


# what the unpickler of torch raises of each, if it is let
DAMAGED = {
    "UnicodeDecodeError": b"\x80\x02X\x01\x00\x00\x00\xff.",
    "IndexError": b"\x80\x02Q.",
    "struct.error": b"\x80\x02J\x01",
    "KeyError": b"\x80\x02h\x05.",
    "EOFError": b"",
    "RuntimeError": b"PK\x03\x04 and no more",
}


@pytest.mark.parametrize("kind", DAMAGED)
def test_a_damaged_pickle_is_one_kind_of_error_whatever_torch_raises(
    tmp_path: Path, kind: str
) -> None:
    (tmp_path / "w.pt").write_bytes(DAMAGED[kind])
    with pytest.raises(ValueError, match=r"w\.pt holds more than tensors, or is damaged") as found:
        load_weights(zeros(), tmp_path / "w.pt")
    cause = type(found.value.__cause__)
    assert kind in (cause.__name__, f"{cause.__module__}.{cause.__name__}")


def test_an_error_of_the_system_within_is_a_damaged_file_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def seek(*_: object, **__: object) -> None:
        raise OSError(22, "Invalid argument")

    monkeypatch.setattr(torch, "load", seek)
    with pytest.raises(ValueError, match=r"w\.pt holds more than tensors, or is damaged"):
        read_pickled(write(ONES, tmp_path / "w.pt"), "")


@pytest.mark.parametrize("name", ["none.pt", "none.safetensors"])
def test_a_missing_file_is_missing(tmp_path: Path, name: str) -> None:
    with pytest.raises(FileNotFoundError, match=r"none\."):
        load_weights(zeros(), tmp_path / name)


@pytest.mark.parametrize("ending", [".pt", ".safetensors"])
@pytest.mark.parametrize(
    "tensors",
    [
        {},
        {f"module.{name}": value for name, value in ONES.items()},
        {"weight": ONES["weight"]},
        ONES | {"more": torch.ones(1)},
        ONES | {"bias": torch.ones(4)},
        ONES | {"bias": torch.ones(3, dtype=torch.complex64)},
    ],
    ids=["no names", "no name fits", "one is missing", "one too many", "shape", "complex"],
)
def test_what_does_not_fit_is_refused_and_nothing_is_loaded(
    tmp_path: Path, tensors: dict[str, Tensor], ending: str
) -> None:
    model, file = zeros(), write(tensors, tmp_path / f"w{ending}")
    with pytest.raises(ValueError, match=r"of another model; nothing was loaded"):
        load_weights(model, file)
    assert not any(parameter.any() for parameter in model.parameters())


@pytest.mark.parametrize(
    ("tensor", "message"),
    [
        (torch.ones(3, device="meta"), "bias has no values there"),
        (torch.ones(3).to_sparse(), "bias is no plain tensor there"),
    ],
)
def test_tensors_that_cannot_be_copied_are_refused_before_any_is(
    tmp_path: Path, tensor: Tensor, message: str
) -> None:
    model = zeros()
    with pytest.raises(ValueError, match=message):
        load_weights(model, write(ONES | {"bias": tensor}, tmp_path / "w.pt"))
    assert not any(parameter.any() for parameter in model.parameters())


@pytest.mark.parametrize("nest", [lambda x: x, lambda x: {"state_dict": x, "epoch": 3}])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.float64])
def test_what_fits_is_loaded(tmp_path: Path, nest: object, dtype: torch.dtype) -> None:
    model = zeros()
    torch.save(nest({name: x.to(dtype) for name, x in ONES.items()}), tmp_path / "w.pt")  # type: ignore[operator]
    load_weights(model, tmp_path / "w.pt")
    assert all((parameter == 1).all() for parameter in model.parameters())
    assert model.weight.dtype == torch.float32
