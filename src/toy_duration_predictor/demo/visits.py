"""The folders of visits. Each holds what a visitor has uploaded, and the files made from it.

A visit's folder is deleted when its page is closed, or after an hour without use.
"""

import hashlib
import os
import shutil
import tempfile
import time
from contextlib import suppress
from pathlib import Path

IDLE_SECONDS = 3600


class Visits:
    """The folders of all visits.

    Args:
        folder: Where the folders are; it is made.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True)

    def new_folder(self, session: str | None, purpose: str) -> Path:
        """Returns a new folder in a visit's folder. Of those for the same purpose, only the last one stays beside it.

        The page shows the last one's files, and may ask for them, until it has the address of the new ones. Visits
        without use for an hour are deleted, too. Each new folder has a new name, so that no browser shows a file of the
        last one from its cache.
        """
        place = self._place(session)
        place.mkdir(exist_ok=True)
        os.utime(place)
        for other in self._folder.iterdir():
            with suppress(FileNotFoundError):  # another visit may end at this moment
                if other.stat().st_mtime < time.time() - IDLE_SECONDS:
                    shutil.rmtree(other, ignore_errors=True)
        for before_last in sorted(place.glob(f"{purpose}-*"))[:-1]:
            shutil.rmtree(before_last, ignore_errors=True)
        return Path(tempfile.mkdtemp(prefix=f"{purpose}-{time.monotonic_ns():020}-", dir=place))

    def end(self, session: str | None) -> None:
        """Deletes a visit's folder."""
        shutil.rmtree(self._place(session), ignore_errors=True)

    def _place(self, session: str | None) -> Path:
        # The browser chooses this name, which could be any path.
        return self._folder / hashlib.sha256(str(session).encode()).hexdigest()
