"""A process that shows damaged files to readers, and tells how each took it.

    python -m tests.fuzz.worker READER SEED     # one file again, with the traceback

Without arguments it reads lines of JSON, `[reader, seed]`, and answers each with a line: "read",
"refused", or what went wrong. A reader may take 5 s of processor time and 1 GiB of memory; who takes more
time is ended by the kernel, which its parent sees.
"""

import json
import os
import re
import resource
import signal
import sys
import tempfile
import warnings
from pathlib import Path
from random import Random

from tests.fuzz.readers import READERS, Reader

_SECONDS = 5
_GROWTH_BYTES = 2**30


class Place:
    """A folder of sound files for one reader; one of them is damaged at a time."""

    def __init__(self, reader: Reader, folder: Path) -> None:
        self.reader, self.folder = reader, folder
        folder.mkdir()
        reader.write(folder)
        reader.read(folder)  # the files are sound, and whatever is imported at first use is there
        written = sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())
        self.sound = {n: (folder / n).read_bytes() for n in reader.victims or written}

    def show(self, seed: int) -> str:
        """How the reader takes the damaged file of a seed."""
        draws = Random(f"{self.reader.name} {seed}")
        victim = draws.choice(list(self.sound))
        content = self.reader.damaged(self.sound[victim], draws)
        (self.folder / victim).write_bytes(content)
        try:
            self.reader.read(self.folder)
        except self.reader.errors as error:
            return _fault_of_refusal(error, (Path(victim).name, *self.reader.tells)) or "refused"
        finally:
            (self.folder / victim).write_bytes(self.sound[victim])
        return "read"


def _fault_of_refusal(error: Exception, names: tuple[str, ...]) -> str | None:
    said = f"{type(error).__name__}: {error}"
    if re.search(
        "memory allocation|(unable to|can't) allocate|out of memory|MemoryError", said, re.I
    ):
        return f"ran out of memory: {said[:300]}"
    if not any(name in said for name in names):
        return f"does not name the file: {said[:300]}"
    return None


def _peak_bytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _answer(place: Place, seed: int) -> str:
    before = _peak_bytes()
    signal.setitimer(signal.ITIMER_PROF, _SECONDS)
    try:
        answer = place.show(seed)
    except BaseException as error:  # everything undocumented is what is looked for
        answer = f"raised {type(error).__name__}: {str(error)[:300]}"
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
    grown = _peak_bytes() - before
    return answer if grown < _GROWTH_BYTES else f"took {grown >> 20} MiB of memory ({answer})"


def _limit_memory() -> None:
    """1 GiB more than now, as address space: what is reserved and not used counts too."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * os.sysconf("SC_PAGE_SIZE") + _GROWTH_BYTES
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def main() -> None:
    warnings.simplefilter("error")
    signal.signal(signal.SIGPROF, signal.SIG_DFL)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with tempfile.TemporaryDirectory() as scratch:
        wanted = sys.argv[1:]
        places = {
            reader.name: Place(reader, Path(scratch) / str(number))
            for number, reader in enumerate(READERS)
            if not wanted or reader.name == wanted[0]
        }
        if wanted:
            print(places[wanted[0]].show(int(wanted[1])))  # noqa: T201
            return
        _limit_memory()
        print(json.dumps("ready"), flush=True)  # noqa: T201
        for line in sys.stdin:
            name, seed = json.loads(line)
            print(json.dumps(_answer(places[name], seed)), flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
