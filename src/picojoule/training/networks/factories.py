"""Models and data sets that a user names: a function in a module or a file."""

from __future__ import annotations

import ast
import contextlib
import copy
import importlib
import importlib.util
import inspect
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from torch import nn

from picojoule.convert import from_nir
from picojoule.near_names import did_you_mean, nearest
from picojoule.training.networks.their_code import SHOWN, reason

BUILT_IN = ("lenet", "recurrent")
_OR_A_MODEL = f", nor a .nir file, nor {' or '.join(BUILT_IN)}"
_INSTALL = "Install what has it in the environment that picojoule runs in."


def load_model(name: str, num_timesteps: int | None = None) -> nn.Module:
    """The model of that name.

    Args:
        name: `module:factory` of a module on Python's path; `path/to/file.py:factory`, which is run
            with its folder on the path; or a `.nir` file. No other code is imported.
        num_timesteps: of a `.nir` file whose layers are to take batch and time in one axis.

    Raises:
        ValueError: the name has no such form, there is no such module or factory, or it gives no model.
        ImportError: the module cannot be imported.

    Example:
        >>> load_model("picojoule.training.networks.lenet:lenet", 10).__class__.__name__
        Traceback (most recent call last):
        ValueError: 'picojoule.training.networks.lenet:lenet' could not be called without arguments: it needs batch_size. Name a function that takes none; it can call this one with the arguments it needs.
    """
    if name.endswith(".nir"):
        if not Path(name).is_file():
            raise ValueError(_no_file(Path(name), "./mynet.nir"))
        return from_nir(name, num_timesteps=num_timesteps)
    model = called(name, _OR_A_MODEL)
    if not isinstance(model, nn.Module):
        raise ValueError(
            f"{name!r} gave a value of type {type(model).__name__}, expected a torch.nn.Module. Let it return the model."
        )
    return model


def load_datasets(name: str) -> tuple[Any, Any]:
    """The training and the test set that a function gives, of the same forms of name.

    Raises:
        ValueError: as of :func:`load_model`, or it gives no pair of data sets.
        ImportError: the module cannot be imported.

    Example:
        >>> train, test = load_datasets("picojoule.data:load_data")
        >>> len(train), len(test)
        (6000, 2000)
    """
    pair: Any = called(name)
    sized = isinstance(pair, tuple) and len(pair) == 2 and all(map(_is_map_style, pair))
    if not sized:
        raise ValueError(
            f"{name!r} gave {_kind_of(pair)}, expected two data sets, (train, test), each with len(d) and "
            "d[i] -> (frames, label)."
        )
    train, test = pair
    return train, test


def called(name: str, otherwise: str = "") -> Any:
    """What `module:factory` or `file.py:factory` gives when it is called without arguments.

    Args:
        name: the function; a module (`nn.Module`) in its place is copied.
        otherwise: what else the name could have been, for the message.
    """
    check_form(name, otherwise)
    place, _, factory = name.rpartition(":")
    is_file = place.endswith(".py")
    module = _from_file(Path(place), factory) if is_file else _from_path(place, factory)
    return _built(name, _attribute(module, place, factory))


def check_form(name: str, otherwise: str = _OR_A_MODEL) -> None:
    """Raise ValueError unless it is `module:factory` or `file.py:factory`.

    Args:
        name: what was given.
        otherwise: what else it could have been, for the message.
    """
    place, colon, factory = name.rpartition(":")
    if not (colon and place and factory):
        either, other = ("neither", " nor") if otherwise else ("not", " or")
        hint = did_you_mean(name, BUILT_IN if otherwise else ())
        if name.endswith(".py"):
            hint = _function_in(Path(name))
        raise ValueError(
            f"{name!r} is {either} module:factory,{other} file.py:factory{otherwise}. "
            f"{hint.strip() or 'Example: ./mynet.py:build'}"
        )


def _no_file(file: Path, example: str, function: str = "") -> str:
    """That it is missing, and what there is instead, as it is typed."""
    here = file.parent if file.parent.is_dir() else Path()
    near = nearest(file.name, [path.name for path in here.glob(f"*{file.suffix}")])
    hint = f"Give its path, as in {example}{function}."
    if near:
        hint = f"Did you mean {_as_typed(here / near[0])}{function}?"
    return f"There is no file {file}. {hint}"


def _as_typed(file: Path) -> str:
    return str(file) if file.is_absolute() else f"./{file}"


def _function_in(file: Path) -> str:
    """How to name a function of a file that was named alone; its code is read and not run."""
    names: list[str] = []
    with contextlib.suppress(OSError, SyntaxError, ValueError):
        body = ast.parse(file.read_text()).body
        kinds = (ast.FunctionDef, ast.ClassDef)
        names = [each.name for each in body if isinstance(each, kinds) and each.name[0] != "_"]
    others = f" There are {', '.join(names[:12])}." if len(names) > 1 else ""
    return f"Add the function that makes it, as in {_as_typed(file)}:{names[0] if names else 'build'}.{others}"


def _kind_of(value: Any) -> str:
    """What it is; of a tuple also what is in it, which may be the fault."""
    kind = type(value).__name__
    if not isinstance(value, tuple):
        return f"a value of type {kind}"
    return f"a {kind} of {', '.join(type(each).__name__ for each in value[:4]) or 'nothing'}"


def _is_map_style(value: Any) -> bool:
    return hasattr(value, "__len__") and hasattr(value, "__getitem__")


def _from_path(place: str, factory: str) -> ModuleType:
    try:
        return importlib.import_module(place)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{place}.".startswith(f"{error.name}."):
            raise ImportError(f"{place} could not be imported: {error}. {_INSTALL}") from error
        file = Path(*place.split(".")).with_suffix(".py")
        hint = f" Did you mean ./{file}:{factory}?" if file.is_file() else ""
        raise ValueError(
            f"There is no module {error.name!r} on Python's path.{hint} A file is named by its path, "
            f"as in ./mynet.py:{factory}."
        ) from None
    except (Exception, SystemExit) as error:
        raise _not_imported(place, error) from error


def _from_file(file: Path, factory: str) -> ModuleType:
    if not file.is_file():
        raise ValueError(_no_file(file, "./mynet.py", f":{factory}"))
    spec = importlib.util.spec_from_file_location(file.stem, file.resolve())
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.path.insert(0, str(file.resolve().parent))
    sys.modules[file.stem] = module  # as if imported: classes look up their module by name
    try:
        spec.loader.exec_module(module)
    except ModuleNotFoundError as error:
        raise ImportError(f"{file} could not be imported: {error}. {_INSTALL}") from error
    except SyntaxError as error:
        raise ValueError(
            f"{file}, line {error.lineno}: {error.msg}. Mend it; python {file} shows the place."
        ) from error
    except (Exception, SystemExit) as error:
        raise _not_imported(str(file), error) from error
    return module


def _not_imported(place: str, error: BaseException) -> ImportError:
    return ImportError(f"{place} could not be imported: {reason(error)}. {SHOWN}")


def _attribute(module: ModuleType, place: str, factory: str) -> Any:
    found: Any = module
    for part in factory.split("."):
        if not hasattr(found, part):
            theirs = [name for name in vars(module) if not name.startswith("_")]
            listed = f" There are {', '.join(theirs[:12])}." if theirs else ""
            hint = did_you_mean(part, dir(found), otherwise=listed)
            raise ValueError(f"{place} has no {factory!r}.{hint}")
        found = getattr(found, part)
    return found


def _built(name: str, factory: Any) -> Any:
    if isinstance(factory, nn.Module):
        return copy.deepcopy(factory)
    if not callable(factory):
        raise ValueError(
            f"{name!r} is of type {type(factory).__name__}, neither a model nor a function. Name a function that makes "
            "the model, as in ./mynet.py:build."
        )
    missing = _arguments_without_default(factory)
    if missing:
        raise ValueError(
            f"{name!r} could not be called without arguments: it needs {', '.join(missing)}. "
            "Name a function that takes none; it can call this one with the arguments it needs."
        )
    try:
        return factory()
    except Exception as error:
        raise ValueError(f"{name!r} could not be called: {reason(error)}. {SHOWN}") from error


def _arguments_without_default(factory: Callable[..., Any]) -> list[str]:
    try:
        parameters = inspect.signature(factory).parameters.values()
    except ValueError:  # built in, and says nothing
        return []
    variadic = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return [p.name for p in parameters if p.default is p.empty and p.kind not in variadic]
