"""What numba is told about a kernel beyond its code."""

from __future__ import annotations

from typing import Any

from numba.core.compiler import Compiler


class DistinctArguments(Compiler):
    """Compiles a function none of whose pointers overlap: loops that write become vector instructions."""

    def define_pipelines(self) -> Any:
        self.state.flags.noalias = True
        return super().define_pipelines()
