"""Whether nobody but this user, and root, can have put there what is at a path.

Machine code that is loaded is run with all the rights of the process, and a checksum only tells that it is whole.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

WRITABLE_BY_OTHERS = stat.S_IWGRP | stat.S_IWOTH
MOST_LINKS = 40


class UntrustedError(Exception):
    """Somebody else can have written what is at a path; the message names path and reason."""


def check_way_to(folder: Path) -> None:
    """Raise unless only this user and root can put another folder in the place of this one.

    Each folder on the way is looked at, from the root on, and links are followed as the system follows them. So
    the answer cannot be overtaken: who could change the way after it was looked at was refused.

    Raises:
        UntrustedError: somebody else owns or may write to a folder or link on the way. A folder such as `/tmp`,
            where everybody may write but only move what is theirs, is no fault.
        OSError: there is no such way.
    """
    here, ahead, links = Path("/"), list(reversed(folder.parts)), 0
    while ahead:
        part = ahead.pop()
        here = here.parent if part == ".." else here / part
        found = here.lstat()
        check_owner(here, found)
        if stat.S_ISLNK(found.st_mode):
            links += 1
            if links > MOST_LINKS:
                raise UntrustedError(
                    f"{folder} leads through more than {MOST_LINKS} symbolic links"
                )
            ahead.extend(reversed(here.readlink().parts))
            here = here.parent
        elif not found.st_mode & stat.S_ISVTX:
            check_mode(here, found)


def check_owner(path: Path, found: os.stat_result) -> None:
    """Raise UntrustedError if somebody else owns it; root could change anything anyway."""
    if found.st_uid not in (0, os.geteuid()):
        raise UntrustedError(f"{path} belongs to another user (number {found.st_uid})")


def check_mode(path: Path, found: os.stat_result) -> None:
    """Raise UntrustedError if others than the owner may write to it."""
    if found.st_mode & WRITABLE_BY_OTHERS:
        mode = f"{stat.S_IMODE(found.st_mode):o}"
        raise UntrustedError(f"others may write to {path} (mode {mode}; chmod go-w {path})")
