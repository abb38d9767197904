"""What one published source says an operation costs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, get_args

Evidence = Literal["measured", "modelled", "vendor", "not stated"]
Scope = Literal["compute only", "compute and memory", "incremental", "all-in", "not stated"]

FIGURES = ("synop_j", "mac_j", "neuron_update_j", "memory_j_per_byte")
MOST_J = 1e-3  # no operation costs a millijoule: such a figure is in another unit


@dataclass(frozen=True, kw_only=True)
class MemoryCost:
    """What one published source says a byte moved to or from memory costs.

    Args:
        name: how `profile("chip+name")` finds it.
        j_per_byte: joules for one byte, read or written.
        source: authors, venue, year, DOI or address.
        includes: which memory this is.
        verified: False if the figure is recalled rather than read in the source.

    Raises:
        ValueError: the figure is not a positive number of joules.

    Example:
        >>> from picojoule.energy import memories
        >>> [f"{memory.j_per_byte:.4g}" for memory in memories() if memory.name == "step"]
        ['2.496e-11']
    """

    name: str
    j_per_byte: float
    source: str
    includes: str
    verified: bool = True

    def __post_init__(self) -> None:
        _check_joules(
            f"MemoryCost {self.name!r}", "j_per_byte", self.j_per_byte, "24.96 pJ is 24.96e-12."
        )


@dataclass(frozen=True, kw_only=True)
class EnergyProfile:
    """Joules per operation of one chip or technology, as one source published them.

    A figure the source does not give is None; what it costs is then unknown, not zero.

    Args:
        name: how `profile(name)` finds it, such as "loihi".
        synop_j: joules for one synaptic operation, an accumulation (AC).
        mac_j: joules for one multiply-accumulate.
        neuron_update_j: joules for one neuron in one time step.
        memory_j_per_byte: joules for one byte read or written.
        technology_nm: process node, nm.
        voltage_v: supply, V.
        source: authors, venue, year, DOI or address.
        evidence: how the source came by its figures: "measured" on a chip; "modelled", by simulation or
            from tables; "vendor", what the makers state without saying how.
        pre_silicon: whether they are from before there was a chip, or without one; None if not stated.
        scope: "compute only", arithmetic; "compute and memory"; "incremental", one more operation of a
            chip that runs anyway; "all-in", the power of the whole chip over its operations.
        includes: what the figures contain and what they leave out.
        arithmetic_only: the figures leave memory out, so a memory may be added:
            `profile("45nm-int8+step")`.
        limits: what the source publishes instead of joules; the profile then has no figure.
        max_synops_per_second_per_core: the limit, SynOps/s, where it is published.
        skips_zero_weights: whether a spike costs nothing at a weight of zero; None if no source says so. What
            `Monitor(weights="nonzero")` counts is what a chip spends that skips them.
        zero_weights: what that source says, and where.
        note: a conflict between sources, or anything else a reader should know.
        verified: False if a figure is recalled rather than read in the source.

    Raises:
        ValueError: a figure is not a positive number of joules, there is neither a figure nor a
            limit, or evidence or scope is another word.

    Example:
        >>> from picojoule.energy import energy_j
        >>> mine = EnergyProfile(name="mine", synop_j=2e-12, source="own measurement, 2026")
        >>> energy_j(mine, synops=1e6).total_j
        2e-06
    """

    name: str
    source: str
    synop_j: float | None = None
    mac_j: float | None = None
    neuron_update_j: float | None = None
    memory_j_per_byte: float | None = None
    technology_nm: float | None = None
    voltage_v: float | None = None
    evidence: Evidence = "not stated"
    pre_silicon: bool | None = None
    scope: Scope = "not stated"
    includes: str = "not stated"
    arithmetic_only: bool = False
    limits: str = ""
    max_synops_per_second_per_core: float | None = None
    skips_zero_weights: bool | None = None
    zero_weights: str = ""
    note: str = ""
    verified: bool = True

    def __post_init__(self) -> None:
        figures = {field: getattr(self, field) for field in FIGURES}
        for field, joules in figures.items():
            if joules is not None:
                words = "Or None where the source has no figure. 23.6 pJ is 23.6e-12."
                _check_joules(f"EnergyProfile {self.name!r}", field, joules, words)
        limit = self.max_synops_per_second_per_core
        if limit is not None and not limit > 0:
            raise ValueError(
                f"EnergyProfile {self.name!r}: max_synops_per_second_per_core is {limit}, expected SynOps/s > 0."
            )
        if not (any(figures.values()) or self.limits or limit):
            raise ValueError(
                f"EnergyProfile {self.name!r} has neither a figure in joules ({', '.join(FIGURES)}) nor a limit. "
                "Give at least one."
            )
        for field, kinds in (("evidence", Evidence), ("scope", Scope)):
            if getattr(self, field) not in get_args(kinds):
                raise ValueError(
                    f"EnergyProfile {self.name!r}: {field} is {getattr(self, field)!r}; choose one of "
                    f"{list(get_args(kinds))}."
                )

    def zero_weights_note(self, weights: Literal["all", "nonzero"]) -> str:
        """What a count of synapses assumes of zero weights, beside what this chip does with them.

        Args:
            weights: whether zero weights were counted as synapses ("all") or not ("nonzero").

        Example:
            >>> from picojoule.energy import profile
            >>> profile("speck").zero_weights_note("nonzero")
            'Zero weights are not counted, as if speck skipped them, of which no source says whether it does.'
        """
        name, why = self.name, f" ({self.zero_weights})" if self.zero_weights else ""
        if weights == "all":
            return (
                "Zero weights are counted as synapses"
                + {
                    True: f", which {name} skips{why}: weights='nonzero' leaves them out.",
                    False: f", as {name} spends on them{why}.",
                    None: f"; whether {name} skips them, no source says.",
                }[self.skips_zero_weights]
            )
        return (
            "Zero weights are not counted, "
            + {
                True: f"as {name} skips them{why}.",
                False: f"but {name} spends on them{why}: weights='all' counts what it spends.",
                None: f"as if {name} skipped them, of which no source says whether it does.",
            }[self.skips_zero_weights]
        )

    def grade(self) -> str:
        """What kind of figures these are, in words: evidence, scope, node and voltage.

        Example:
            >>> from picojoule.energy import profile
            >>> profile("loihi").grade()
            'modelled, pre-silicon, incremental, 14 nm, 0.75 V'
        """
        evidence = f"evidence {self.evidence}" if self.evidence == "not stated" else self.evidence
        scope = f"scope {self.scope}" if self.scope == "not stated" else self.scope
        words = [evidence, "pre-silicon" if self.pre_silicon else "", scope]
        words += [f"{self.technology_nm:g} nm"] if self.technology_nm is not None else []
        words += [f"{self.voltage_v:g} V"] if self.voltage_v is not None else []
        return ", ".join(filter(None, words))

    def has_joules(self) -> bool:
        """Whether the source gives any energy at all.

        Example:
            >>> from picojoule.energy import profile
            >>> profile("loihi").has_joules(), profile("speck").has_joules()
            (True, False)
        """
        return any(getattr(self, field) for field in FIGURES)

    def keeps_memory_apart(self) -> bool:
        """Whether memory is outside the figures for an operation, and so has to be added.

        Example:
            >>> from picojoule.energy import profile
            >>> [profile(name).keeps_memory_apart() for name in ("45nm-int8", "22nm-dram", "loihi")]
            [True, True, False]
        """
        return self.arithmetic_only or self.memory_j_per_byte is not None

    def with_memory(self, memory: MemoryCost) -> EnergyProfile:
        """This profile with the price of a memory access added.

        Args:
            memory: what a byte costs.

        Returns:
            A profile called "name+memory" that cites both sources.

        Raises:
            ValueError: this profile's figures contain memory, or it has a price for it already.

        Example:
            >>> from picojoule.energy import memories, profile
            >>> step = next(memory for memory in memories() if memory.name == "step")
            >>> profile("45nm-int8").with_memory(step).name
            '45nm-int8+step'
        """
        if not self.arithmetic_only or self.memory_j_per_byte is not None:
            raise ValueError(
                f"EnergyProfile {self.name!r} cannot take the memory {memory.name!r}: its figures are not bare "
                f"arithmetic (they include: {self.includes}), so memory would be counted twice. Use it as it is, "
                "or add the memory to a profile with arithmetic_only=True."
            )
        return replace(
            self,
            name=f"{self.name}+{memory.name}",
            memory_j_per_byte=memory.j_per_byte,
            source=f"{self.source}; memory: {memory.source}",
            scope="compute and memory",
            includes=f"{self.includes}; memory apart ({memory.includes})",
            arithmetic_only=False,
            verified=self.verified and memory.verified,
        )


def _check_joules(owner: str, field: str, joules: object, words: str) -> None:
    """Raise ValueError if a figure is no number of joules that an operation may cost."""
    if not isinstance(joules, int | float) or not 0 < joules < MOST_J:
        raise ValueError(
            f"{owner}: {field} is {joules!r}, expected joules between 0 and {MOST_J}. {words}"
        )
