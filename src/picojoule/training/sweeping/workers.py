"""Training in processes of their own: one may be killed, and none is left behind."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
import threading
import time
from contextlib import suppress
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from pathlib import Path
from typing import NamedTuple

import torch

from picojoule.training.files.only_process import TakenError
from picojoule.training.record.history import Progress
from picojoule.training.settings.config import TrainConfig
from picojoule.training.sweeping.outcome import OneRun, Outcome
from picojoule.training.sweeping.progress import NotesOnly
from picojoule.training.sweeping.run_queue import StoppedError

_ATTEMPTS = 3
_LOOK_S = 0.5


class Workers:
    """A process for each training, so that several go on at once.

    Args:
        trainer: found by name in the new process, so a function of a module.
        jobs: how many share the machine's cores.
    """

    def __init__(self, trainer: OneRun, jobs: int) -> None:
        self._trainer, self._threads = trainer, max(1, (os.cpu_count() or 1) // jobs)
        self._spawn = multiprocessing.get_context("spawn")
        self._running: set[SpawnProcess] = set()
        self._stopped, self._lock = False, threading.Lock()

    def train(self, config: TrainConfig, folder: Path, progress: Progress) -> Outcome:
        """Train in another process; if that is killed, another one goes on from the last checkpoint.

        `progress` gets the notes of the training, and nothing else.

        Raises:
            StoppedError: by :meth:`stop`.
            ChildProcessError: it was killed too often.
            Exception: what the training raised.
        """
        for _ in range(_ATTEMPTS):
            process, answers = self._start(config, folder)
            answer = _answer(answers, progress)
            process.join()
            with self._lock:
                self._running.discard(process)
            if isinstance(answer, Outcome):
                return answer
            if self._stopped:
                raise StoppedError
            if answer is not None:
                raise answer.error()
        raise ChildProcessError(
            f"the process that trained in {folder} ended {_ATTEMPTS} times without a word, the last time with status "
            f"{process.exitcode}. If memory ran out, fewer jobs need less."
        )

    def _start(self, config: TrainConfig, folder: Path) -> tuple[SpawnProcess, Connection]:
        answers, sender = self._spawn.Pipe(duplex=False)
        task = (sender, self._trainer, config, folder, self._threads)
        process = self._spawn.Process(target=_work, args=task, name=f"train {folder.name}")
        with self._lock:
            if self._stopped:
                raise StoppedError
            process.start()
            self._running.add(process)
        sender.close()
        return process, answers

    def stop(self) -> None:
        """End all processes; their runs go on from their last checkpoint another time."""
        with self._lock:
            self._stopped = True
            for process in self._running:
                process.terminate()


class _Failure(NamedTuple):
    """An error on its way from another process, where its class may be one that cannot be sent.

    Args:
        words: what it says.
        pickled: itself; empty if it cannot be.
    """

    words: str
    pickled: bytes

    @classmethod
    def of(cls, error: BaseException) -> _Failure:
        """What is sent."""
        try:
            return cls(str(error), pickle.dumps(error))
        except Exception:
            return cls(f"{type(error).__name__}: {error}", b"")

    def error(self) -> BaseException:
        """The error itself; a RuntimeError of its words if it cannot be made again."""
        try:
            error = pickle.loads(self.pickled)  # noqa: S301  (by a process of ours)
        except Exception:
            error = None
        if isinstance(error, BaseException) and str(error) == self.words:
            return error
        return RuntimeError(self.words)


def _answer(answers: Connection, progress: Progress) -> Outcome | _Failure | None:
    """The last that a process sends; None if it was killed. Notes before that are passed on."""
    with suppress(EOFError):
        while True:
            answer: Outcome | _Failure | str = answers.recv()
            if not isinstance(answer, str):
                return answer
            progress.note(answer)
    return None


def train_when_free(
    trainer: OneRun, config: TrainConfig, folder: Path, progress: Progress
) -> Outcome:
    """Train; if a process that was given up too early is still at it, wait for its end first."""
    while True:
        try:
            return trainer(config, folder, progress)
        except TakenError:
            time.sleep(_LOOK_S)


def _work(
    answers: Connection, trainer: OneRun, config: TrainConfig, folder: Path, threads: int
) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides
    threading.Thread(target=_die_with_the_parent, daemon=True).start()
    torch.set_num_threads(threads)
    try:
        answer: Outcome | _Failure = train_when_free(
            trainer, config, folder, NotesOnly(answers.send)
        )
    except BaseException as error:
        answer = _Failure.of(error)
    answers.send(answer)


def _die_with_the_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    wait([parent.sentinel])
    os._exit(1)
