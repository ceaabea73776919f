"""What the page does, without the page: songs performed for a visit, and the files of that."""

import zipfile
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from toy_duration_predictor.demo.built_in_songs import write_songs
from toy_duration_predictor.demo.choices import LIKE, MOST_SINGERS, Who
from toy_duration_predictor.demo.performance import Drawn, draw, write_performances
from toy_duration_predictor.demo.songs import Song, read_heard, read_song
from toy_duration_predictor.demo.uploads import file_stems, file_suffix
from toy_duration_predictor.demo.view import message_view, performances_view
from toy_duration_predictor.demo.visits import Visits
from toy_duration_predictor.errors import InputError
from toy_duration_predictor.inference.predictor import Predictor
from toy_duration_predictor.inference.references import reference_sums
from toy_duration_predictor.scores.perform import HumanizeSettings, Sings, perform

GONE = "Your files are gone: an hour has passed, or the page has lost its connection. Upload them again."
# Figures that are kept for whoever asks next: of so many songs and singers.
MOST_DRAWN = 500

Files = Mapping[str, Path]


class Upload(NamedTuple):
    """A song that a visitor has uploaded.

    Attributes:
        place: Where the file lies.
        track: The track that the visitor has chosen; None for the one that is found.
    """

    place: Path
    track: str | None = None


Uploads = Mapping[str, Upload]


class Wanted(NamedTuple):
    """What a visitor wants to hear.

    Attributes:
        singers: Numbers of singers, and `LIKE` for the singer of the recordings.
        recordings: Recordings to sing like, by their names.
        strength: See `HumanizeSettings`.
        temperature: See `HumanizeSettings`; 0 stands for a prediction, which has no seed.
        seed: See `HumanizeSettings`.
    """

    singers: Sequence[Who]
    recordings: Files
    strength: float
    temperature: float
    seed: float | None

    def settings(self) -> HumanizeSettings:
        """Returns the settings of the performances.

        Raises:
            InputError: The strength is out of range, or the singers are too many or none.
        """
        sampled = bool(self.temperature)
        settings = HumanizeSettings(
            self.strength, self.temperature if sampled else None, int(self.seed or 0) if sampled else None
        )
        settings.validate()
        if not 1 <= len(self.singers) <= MOST_SINGERS:
            raise InputError(f"Choose a singer, or up to {MOST_SINGERS} of them.")
        return settings


class Studio:
    """A model, the built-in songs, and the folders of visits.

    Args:
        predictor: The model.
        folder: Where all files go.

    Attributes:
        examples: The built-in songs, by their names.
        visits: The folders of visits.
    """

    def __init__(self, predictor: Predictor, folder: Path) -> None:
        self.predictor = predictor
        self.examples = write_songs(folder / "examples")
        self.visits = Visits(folder / "files" / "visits")
        self._drawn = lru_cache(MOST_DRAWN)(self._draw)

    def show(
        self,
        session: str | None,
        song: str | None,
        files: Uploads,
        wanted: Wanted,
        said: Sequence[str],
    ) -> tuple[dict[str, Any], Song | None]:
        """Performs a song.

        Args:
            session: The visit.
            song: The name of an uploaded song, or of a built-in one.
            files: The uploaded songs.
            wanted: The singers and their settings.
            said: What the visitor has to be told already.

        Returns:
            What the page shows, see `view`; and the song. Where it cannot be sung the page shows the reason, and where
            it cannot be read there is no song.
        """
        songs = {name: Upload(place) for name, place in self.examples.items()} | dict(files)
        if song not in songs:
            return message_view(said or ["Choose a song."]), None
        place, track = songs[song]
        read = None
        # Where the visit ends meanwhile, its folder is gone, and nothing is left behind.
        folder = self.visits.new_folder(session, "sung")
        try:
            read = read_song(place.read_bytes(), track)
            settings = wanted.settings()
            singers = [
                (name, sings, self._drawn(place, track, who, wanted.strength, settings.temperature))
                for name, who, sings in self._singers(wanted)
            ]
            performances = write_performances(
                read, self.predictor, singers, settings, folder, Path(f"{song}{file_suffix(place)}")
            )
            return performances_view(performances, f"{place} {track}", [*said, *read.said]), read
        except FileNotFoundError:
            return message_view([GONE]), read
        except InputError as error:
            return message_view([*said, str(error)]), read

    def choose(self, upload: Upload, track: str) -> Upload:
        """Returns an upload with the number of a track, or without one if it is the track that is found."""
        try:
            found = read_song(upload.place.read_bytes()).midi.voice.taken.number
        except FileNotFoundError:  # which is said by what is shown next
            return Upload(upload.place, track)
        return Upload(upload.place, None if track == found else track)

    def pack(self, session: str | None, files: Uploads, wanted: Wanted) -> tuple[Path | None, list[str]]:
        """Performs all uploaded songs, and puts their MIDI files into a zip file.

        Returns:
            The zip file, None if nothing can be sung, and a sentence on each song that cannot.
        """
        said: list[str] = []
        place = self.visits.new_folder(session, "zip") / "sung.zip"
        try:
            settings, singers = wanted.settings(), self._singers(wanted)
        except FileNotFoundError:
            return None, [GONE]
        except InputError as error:
            return None, [str(error)]
        written = 0
        with zipfile.ZipFile(place, "w", zipfile.ZIP_DEFLATED) as packed:
            for name, (file, track) in files.items():
                try:
                    song = read_song(file.read_bytes(), track)
                    sung = [
                        song.sung(perform(song.midi.score, self.predictor, sings, settings)) for _, _, sings in singers
                    ]
                except (FileNotFoundError, InputError) as error:
                    said.append(f"{name}: {error if isinstance(error, InputError) else GONE}")
                    continue
                for stem, content in zip(file_stems((who for who, _, _ in singers), []), sung, strict=True):
                    packed.writestr(f"{name} - {stem}{file_suffix(file)}", content)
                written += len(sung)
        return (place if written else None), said

    def _singers(self, wanted: Wanted) -> list[tuple[str, int | tuple[Path, ...], Sings]]:
        """Returns the name of each singer, what tells them from all others, and the singer."""
        found: list[tuple[str, int | tuple[Path, ...], Sings]] = []
        for each in wanted.singers:
            if each == LIKE and wanted.recordings:
                places = tuple(wanted.recordings.values())
                found.append((like_label(wanted.recordings), places, _like(places, self.predictor.step_beats)))
            elif each in self.predictor.singers:
                found.append((self.predictor.label(int(each)), int(each), Sings(int(each))))
            else:
                raise InputError("This singer is not known; choose another one.")
        return found

    def _draw(
        self, place: Path, track: str | None, who: int | tuple[Path, ...], strength: float, temperature: float | None
    ) -> Drawn:
        sings = _like(who, self.predictor.step_beats) if isinstance(who, tuple) else Sings(who)
        song = read_song(place.read_bytes(), track)
        return draw(song, self.predictor, sings, HumanizeSettings(strength, temperature))


def like_label(recordings: Files) -> str:
    """Returns what the page calls the singer of recordings.

    >>> like_label({"one": Path("one.mid"), "two": Path("two.mid")})
    'Like one and 1 more'
    """
    first, *others = recordings
    return f"Like {first}{f' and {len(others)} more' if others else ''}"


def _like(places: Sequence[Path], step_beats: float) -> Sings:
    return Sings(like=reference_sums([read_heard(place.read_bytes(), step_beats) for place in places]))
