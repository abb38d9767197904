"""What the Monitor warns of while something trains is a note of one line."""

import warnings

import pytest

from picojoule.cli.progress import ProgressBar
from picojoule.synops import MonitorWarning


def test_a_warning_of_the_monitor_is_a_note(capsys: pytest.CaptureFixture[str]) -> None:
    sentence = "Monitor: modules were taken for spiking layers: 'n'. Pass spiking=[N] to say so."
    with warnings.catch_warnings(record=True) as others, ProgressBar():
        warnings.simplefilter("always")
        warnings.warn(sentence, MonitorWarning, stacklevel=1)
        warnings.warn("of another kind", UserWarning, stacklevel=1)
    assert [each.category for each in others] == [UserWarning]
    told = " ".join(capsys.readouterr().err.split())
    assert "note: modules were taken for spiking layers: 'n'." in told
    assert "In Python, picojoule.Monitor takes spiking=[N] to say so." in told
    assert "MonitorWarning" not in told
    assert "of another kind" not in told


def test_after_the_bar_warnings_are_shown_as_before() -> None:
    before = warnings.showwarning
    with ProgressBar():
        assert warnings.showwarning != before
    assert warnings.showwarning == before
