"""``python -m picojoule.compat.sinabs script.py [arguments]``, or ``-m module [arguments]``."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

from picojoule.compat.sinabs import install

USAGE = """usage: python -m picojoule.compat.sinabs [--signed-synops] script.py [arguments of the script]
       python -m picojoule.compat.sinabs [--signed-synops] -m module [arguments of the module]
Runs a program written for sinabs on Picojoule: its `import sinabs` means Picojoule.
  --signed-synops  count negative inputs with their sign, as sinabs does, not by their magnitude"""


def main(arguments: list[str]) -> None:
    """Run the script or module that the arguments name, as ``python`` would."""
    signed = arguments[:1] == ["--signed-synops"]
    arguments = arguments[signed:]
    if arguments[:1] == ["-m"] and len(arguments) > 1:
        install(signed_synops=signed)
        sys.argv = arguments[1:]
        sys.path[0] = str(Path.cwd())
        runpy.run_module(arguments[1], run_name="__main__", alter_sys=True)
    elif arguments and not arguments[0].startswith("-"):
        script = Path(arguments[0])
        if not script.exists():
            raise SystemExit(f"picojoule.compat.sinabs: there is no file {script}.\n{USAGE}")
        install(signed_synops=signed)
        sys.argv = arguments
        sys.path[0] = str(script.resolve().parent)
        runpy.run_path(str(script), run_name="__main__")
    else:
        asked = arguments in (["-h"], ["--help"])
        print(USAGE, file=sys.stdout if asked else sys.stderr)
        raise SystemExit(0 if asked else 2)


if __name__ == "__main__":
    main(sys.argv[1:])
