"""What a count says in the end: the public Monitor and its reports, priced and drawn.

The package stands above `energy` and `plots`, because a report prices and draws; counting itself
is in :mod:`picojoule.synops`, which knows of neither.
"""

from picojoule.report.conventions import CONVENTIONS, ConventionCount
from picojoule.report.monitor import Monitor
from picojoule.report.record import InputTensor
from picojoule.report.report import Report
from picojoule.report.row import Row

__all__ = ["CONVENTIONS", "ConventionCount", "InputTensor", "Monitor", "Report", "Row"]
