"""What becomes of a network or stream whose call ended in the middle."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


class Interrupted:
    """Whether a call was cut short, by Ctrl-C or for want of memory: some layers are ahead of others then.

    To copy all states before each call, as a way back, would cost as much as a layer of few events. So all but `reset` is
    an error from then on.

    Args:
        owner: what the object is called in messages.
    """

    def __init__(self, owner: str) -> None:
        self._owner, self._happened = owner, False

    def check(self) -> None:
        """Raise RuntimeError if a call was cut short."""
        if self._happened:
            raise RuntimeError(
                f"{self._owner}: a call was interrupted, so some layers are ahead of others, and counts are of a part. Call "
                "reset(), which forgets both."
            )

    @contextmanager
    def noted(self) -> Iterator[None]:
        """Around a call. A ValueError is of what came, before anything changed."""
        try:
            yield
        except ValueError:
            raise
        except BaseException:
            self._happened = True
            raise

    def ends(self) -> bool:
        """After a reset: whether there was one, so that counts have to be forgotten, too."""
        happened, self._happened = self._happened, False
        return happened
