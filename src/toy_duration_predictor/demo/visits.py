"""The files of visits: what a visitor has uploaded, and in a folder for each visit what was made from it.

They are deleted when the page is closed, or after an hour without use. Uploads lie where Gradio puts them, which is one
place for a file that several visitors upload. So it stays until the last of these visits ends.
"""

import hashlib
import os
import shutil
import tempfile
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from threading import Lock

IDLE_SECONDS = 3600


class Visits:
    """The files of all visits.

    Args:
        folder: Where the folders are; it is made.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._uploads: dict[Path, set[Path]] = {}
        self._lock = Lock()
        folder.mkdir(parents=True)

    def new_folder(self, session: str | None, purpose: str) -> Path:
        """Returns a new folder in a visit's folder. Of those for the same purpose, only the last one stays beside it.

        The page shows the last one's files, and may ask for them, until it has the address of the new ones. Visits
        without use for an hour are deleted, too. Each new folder has a new name, so that no browser shows a file of the
        last one from its cache.
        """
        place = self._place(session)
        place.mkdir(exist_ok=True)
        with self._lock:
            uploads = list(self._uploads.get(place, ()))
        for used in (place, *uploads):
            with suppress(FileNotFoundError):
                os.utime(used)  # Gradio, too, deletes what is older than an hour
        for other in self._folder.iterdir():
            with suppress(FileNotFoundError):  # another visit may end at this moment
                if other.stat().st_mtime < time.time() - IDLE_SECONDS:
                    self._delete(other)
        for before_last in sorted(place.glob(f"{purpose}-*"))[:-1]:
            shutil.rmtree(before_last, ignore_errors=True)
        return Path(tempfile.mkdtemp(prefix=f"{purpose}-{time.monotonic_ns():020}-", dir=place))

    def add(self, session: str | None, uploads: Iterable[str | Path]) -> None:
        """Adds uploads, which stay until the visit ends."""
        with self._lock:
            self._uploads.setdefault(self._place(session), set()).update(map(Path, uploads))

    def end(self, session: str | None) -> None:
        """Deletes a visit's files."""
        self._delete(self._place(session))

    def _delete(self, place: Path) -> None:
        shutil.rmtree(place, ignore_errors=True)
        with self._lock:
            uploads = self._uploads.pop(place, set())
            for upload in uploads.difference(*self._uploads.values()):
                upload.unlink(missing_ok=True)

    def _place(self, session: str | None) -> Path:
        # The browser chooses this name, which could be any path.
        return self._folder / hashlib.sha256(str(session).encode()).hexdigest()
