"""`python`, run to its end, by a fork of a process that has imported PyTorch: a fresh one takes two seconds for that."""

from __future__ import annotations

import json
import os
import runpy
import signal
import subprocess
import sys
import tempfile
import types
from functools import cache
from pathlib import Path
from typing import Any


def python(
    *arguments: object, cwd: Path | None = None, timeout: int = 240, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run `python -c CODE`, `python -m MODULE` or `python FILE` with their arguments.

    Args:
        arguments: what stands behind `python`.
        cwd: the folder that it runs in. Default: this process's.
        timeout: seconds from which on it is ended; its status is -14 then.
        environment: variables on top of this process's.
    """
    words = [str(each) for each in arguments]
    request: dict[str, Any] = {
        "arguments": words,
        "cwd": str(cwd or Path.cwd()),
        "timeout": timeout,
        "environment": {**os.environ, **environment},
    }
    with tempfile.TemporaryDirectory() as folder:
        files = request["files"] = [f"{folder}/stdout", f"{folder}/stderr"]
        server = _server()
        assert server.stdin is not None
        assert server.stdout is not None
        server.stdin.write(json.dumps(request) + "\n")
        server.stdin.flush()
        status = int(server.stdout.readline())
        out, err = (Path(file).read_text() for file in files)
    return subprocess.CompletedProcess(words, status, out, err)


@cache
def _server() -> subprocess.Popen[str]:
    """Ends when this process does, which closes the server's input."""
    command = [sys.executable, __file__]
    return subprocess.Popen(command, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE)


def _requested() -> dict[str, Any]:
    """In the server: answer each request with the status of a child. In the child: what is requested of it."""
    for line in iter(sys.stdin.readline, ""):
        child = os.fork()
        if child == 0:
            request: dict[str, Any] = json.loads(line)
            return request
        _, status = os.waitpid(child, 0)
        sys.stdout.write(f"{os.waitstatus_to_exitcode(status)}\n")
        sys.stdout.flush()
    sys.exit()


def _become(request: dict[str, Any]) -> None:
    """Take on the streams, folder, variables and path that a fresh `python` would have."""
    signal.alarm(request["timeout"])
    for number, file in enumerate([os.devnull, *request["files"]]):
        opened = os.open(file, os.O_RDWR | os.O_CREAT)
        os.dup2(opened, number)
        os.close(opened)
    os.chdir(request["cwd"])
    os.environ.clear()
    os.environ.update(request["environment"])
    paths = [path for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path]
    sys.path[0:0] = [path for path in paths if path not in sys.path]


def _run(kind: str, *rest: str) -> None:
    """What `python` does with its arguments."""
    if kind == "-c":
        sys.argv, sys.path[:0] = ["-c", *rest[1:]], [""]
        main = sys.modules["__main__"] = types.ModuleType("__main__")
        exec(compile(rest[0], "<string>", "exec"), main.__dict__)
    elif kind == "-m":
        sys.argv, sys.path[:0] = ["-m", *rest[1:]], [str(Path.cwd())]
        runpy.run_module(rest[0], run_name="__main__", alter_sys=True)
    else:
        sys.argv, sys.path[:0] = [kind, *rest], [str(Path(kind).resolve().parent)]
        runpy.run_path(kind, run_name="__main__")


if __name__ == "__main__":
    import torch

    del sys.path[0]  # this file's folder
    requested = _requested()
    _become(requested)
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", torch.get_num_threads())))
    _run(*requested["arguments"])
