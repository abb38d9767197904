"""How numba makes a kernel and the pieces that it is put together from: as LLVM's code, of which nothing is run here.

numba would optimise each piece, make machine code of it and load that, though the kernel has the piece within and
is all that is called. Without, a kernel takes half the time to make.
"""

from __future__ import annotations

import functools
from typing import Any

from numba.core.codegen import AOTCodeLibrary, JITCPUCodegen
from numba.core.compiler import Compiler
from numba.core.typed_passes import DumpParforDiagnostics, InlineOverloads, NopythonRewrites
from numba.core.untyped_passes import (
    FindLiterallyCalls,
    InlineClosureLikes,
    InlineInlinables,
    LiteralPropagationSubPipelinePass,
    LiteralUnroll,
    MakeFunctionToJitFunction,
    RewriteDynamicRaises,
    WithLifting,
)

# of closures, literals, `with`, `raise` and array expressions: a piece has none, and each looks through all of it
UNNEEDED = (
    WithLifting, InlineClosureLikes, RewriteDynamicRaises, MakeFunctionToJitFunction, InlineInlinables,
    FindLiterallyCalls, LiteralUnroll, LiteralPropagationSubPipelinePass, InlineOverloads, NopythonRewrites,
    DumpParforDiagnostics,
)  # fmt: skip


class OptimisedCode(AOTCodeLibrary):
    """Code that is optimised and stays LLVM's."""

    def get_pointer_to_function(self, _name: str) -> int:
        """There is no machine code."""
        self._ensure_finalized()
        return 0


class PlainCode(OptimisedCode):
    """Code that is optimised where it ends up."""

    def _optimize_functions(self, module: Any) -> None:
        module.data_layout = self._codegen._data_layout

    def _optimize_final_module(self) -> None:
        pass


class Codegen(JITCPUCodegen):
    """For this processor, as numba's own; no memory holds what it makes."""

    def _add_module(self, module: Any) -> None:
        pass

    def set_env(self, env_name: str, env: Any) -> None:
        """Nothing here raises or makes Python objects."""


@functools.cache
def _codegen() -> Codegen:
    return Codegen("picojoule")


class Piece(Compiler):
    """Compiles what goes into a kernel; the kernel optimises it."""

    library: type[OptimisedCode] = PlainCode

    def define_pipelines(self) -> Any:
        self.state.library = self.library(_codegen(), self.state.func_id.func_qualname)
        (pipeline,) = super().define_pipelines()
        pipeline.passes = [each for each in pipeline.passes if each[0] not in UNNEEDED]
        pipeline.finalize()
        return [pipeline]


class OptimisedPiece(Piece):
    """Compiles what goes into a kernel as it is after all optimisations."""

    library = OptimisedCode


class DistinctArguments(OptimisedPiece):
    """Compiles a kernel none of whose pointers overlap: loops that write become vector instructions."""

    def define_pipelines(self) -> Any:
        self.state.flags.noalias = True
        return super().define_pipelines()
