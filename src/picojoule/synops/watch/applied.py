"""How often a layer was applied to each sample: once, as behind a sum over time, or once a time step."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence

from picojoule.synops.watch.pass_size import PassSize


class Applied:
    """The calls of each line in one forward pass, by the shape of what they were given.

    Example:
        >>> applied = Applied()
        >>> applied.add("first", (4, 10, 3), 1)
        >>> applied.add("last", (4, 3), 1)
        >>> size = PassSize(samples=4, num_timesteps=10)
        >>> applied.times("first", size), applied.times("last", size)
        (10, 1)
    """

    def __init__(self) -> None:
        self._shapes: dict[str, Counter[tuple[int, ...]]] = {}

    def add(self, name: str, shape: tuple[int, ...], calls: int) -> None:
        """Enter calls."""
        self._shapes.setdefault(name, Counter())[shape] += calls

    def times(self, name: str, size: PassSize, others: Collection[float] = ()) -> float:
        """How often the layer was applied to each sample, at most once a time step.

        Args:
            name: of the line.
            size: of the pass.
            others: time steps that layers have besides.
        """
        if 0 in size or (size.num_timesteps <= 1 and not others):
            return 1
        steps = size.num_timesteps, *(each for each in others if each)
        found = [(n, _times(x, size.samples, steps)) for x, n in self._shapes.get(name, {}).items()]
        most = max((times for _, times in found if times > 1), default=size.num_timesteps)
        return max(min(sum(n * times for n, times in found), most), 1)


def _times(shape: tuple[int, ...], samples: float, steps: Sequence[float]) -> float:
    """Of one call; where samples and time cannot be told from other axes, once a time step."""
    if len(shape) < 2:
        return 1
    for each in steps:
        if shape[0] % (samples * each) == 0 or {samples, each} <= {*shape[:2]}:
            return each
    return 1 if shape[0] == samples and steps[0] not in shape[1:] else steps[0]
