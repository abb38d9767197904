"""
plot_frontier: what accuracy costs
==================================

:py:obj:`picojoule.plots.plot_frontier` draws accuracy over what was spent. Steps are the Pareto front; a short upright
line is a limit. These are the networks of ``benchmarks/results/tight_limits.json``: LeNet on the bundled
images, three seeds at each limit.
"""

import json
from pathlib import Path
from statistics import mean

from picojoule.plots import FrontierMark, plot_frontier

file = Path("../../../benchmarks/results/tight_limits.json")
by_limit: dict[float, list[tuple[float, float]]] = {}
for run in json.loads(file.read_text())["runs"].values():
    by_limit.setdefault(run["limit"], []).append((run["synops_per_timestep"], run["accuracy"]))

# %%
# A mark is one budget: the mean of its networks, and the networks themselves as small dots. It is on the front if
# nothing that spends less is as accurate.

means = {
    limit: (mean(spent for spent, _ in runs), mean(accuracy for _, accuracy in runs))
    for limit, runs in by_limit.items()
}
front = {
    limit: all(a < accuracy for s, a in means.values() if s < spent)
    for limit, (spent, accuracy) in means.items()
}
marks = [
    FrontierMark(
        name=(f"{limit:,.0f}" if limit else "no limit") if front[limit] else "",
        spent=means[limit][0],
        accuracy=means[limit][1],
        on_front=front[limit],
        limit=limit or None,
        networks=by_limit[limit],
    )
    for limit in means
]
figure = plot_frontier(marks, unit="SynOps per time step in layers 4, 7 and 10")
