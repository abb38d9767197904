"""Run benchmarks: `python benchmarks/run.py [work ...] [--quick] [--peers | --no-peers]`."""

import sys
from pathlib import Path

if __name__ == "__main__":
    # a script's own folder comes first on the path, where `benchmarks` itself cannot be found
    sys.path[0] = str(Path(__file__).resolve().parents[1])
    from benchmarks.allocator import keep_freed_memory

    keep_freed_memory()
    from benchmarks.command import main

    main()
