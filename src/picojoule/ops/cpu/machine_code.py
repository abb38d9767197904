"""Machine code in this process: from an LLVM module to an object file to an address."""

from __future__ import annotations

from typing import Any

_kept_alive: list[Any] = []


def object_file(assembly: str) -> bytes:
    """The object file of an LLVM module, for this processor."""
    import llvmlite.binding as llvm

    code: bytes = _target().emit_object(llvm.parse_assembly(assembly))
    return code


def load(code: bytes, name: str) -> int:
    """Address of a function of an object file; it stays there as long as the process lives."""
    import llvmlite.binding as llvm

    engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), _target())
    engine.add_object_file(llvm.ObjectFileRef.from_data(code))
    engine.finalize_object()
    _kept_alive.append(engine)
    address: int = engine.get_function_address(name)
    return address


def _target() -> Any:
    import llvmlite.binding as llvm

    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    return llvm.Target.from_default_triple().create_target_machine(
        cpu=llvm.get_host_cpu_name(),
        features=llvm.get_host_cpu_features().flatten(),
        opt=3,
        reloc="default",
        codemodel="jitdefault",
        jit=True,
    )
