"""Which notes of a MIDI file are the voice: one rule for `tdp prepare`, `tdp humanize` and the page.

A voice is one channel of a track, and never channel 10, which is percussion. Where there are several, these decide, in
this order:

1. **lyrics**: most notes that begin with a lyric, the less of its other notes have none, the better. A voice has a
   lyric at a tenth of its notes at least, and at two.
2. **name**: the track is named as a voice: vocal, vox, voice or sing, then melody or soprano, then lead, in any case.
   Names of backing voices come after them.
3. **one note at a time**: the share of overlapping notes is under `MOST_OVERLAP`, or else the least; then most notes.

Voices that are alike in all of these are taken in the order of the file.
"""

import re
from typing import NamedTuple

from toy_duration_predictor.data.midi.encodings import decode, find_encoding
from toy_duration_predictor.data.midi.lyrics import Lyrics, NotesOfTracks, find_lyrics
from toy_duration_predictor.data.midi.pairs import PERCUSSION, channels
from toy_duration_predictor.data.midi.smf import META, TRACK_NAME, Tracks
from toy_duration_predictor.errors import InputError

# The share of overlapping notes above which notes are no voice; see `Notes.overlap`. docs/data.md has its reasons.
MOST_OVERLAP = 0.1
# How many of the voices a message names.
MOST_NAMED = 16

# The first row with a word that is part of a track's name decides.
BACKING = re.compile(r"back|bgv|\bbg\b|harm|choir|chor|和声|コーラス|코러스|합창", re.IGNORECASE)
NAMES = tuple(
    re.compile(words, re.IGNORECASE)
    for words in (
        r"vocal|vox|voice|\bsing|gesang|\bchant\b|\bcanto|ボーカル|ヴォーカル|歌|보컬|노래|人声|主唱",
        r"melod|mélod|sopran|メロ|멜로디|旋律",
        r"\blead",
    )
)


class Candidate(NamedTuple):
    """A channel of a track that may be the voice.

    Attributes:
        number: What `choose` and the option `--track` call it: the track's number from 0, such as `1`; and the channel
            where the track has several, such as `1:4`.
        track: The track, from 0.
        channel: The channel, from 1 to 16, as musicians count them.
        name: The track's name; empty where it has none.
        notes: How many notes it has.
        lyrics: How many of its onsets have a lyric.
        overlap: The share of its notes that overlap, from 0 to 1; see `Notes.overlap`.
        why: What speaks for it, or was it chosen by: `lyrics`, `name`, `one note at a time`, `fewest overlaps`,
            `the only one`, `asked for`; or against it, `percussion`.
        onsets: How many ticks have a note that begins there.
    """

    number: str
    track: int
    channel: int
    name: str
    notes: int
    lyrics: int
    overlap: float
    why: str
    onsets: int

    @property
    def is_percussion(self) -> bool:
        """Whether it is on the channel of percussion, so that it is no voice."""
        return self.channel == PERCUSSION + 1

    def __str__(self) -> str:
        """Returns its number, name and notes, for messages.

        >>> str(Candidate("1:4", 1, 4, "Vocal", 200, 180, 0.0, "lyrics", 200))
        "track 1:4 'Vocal' (channel 4, 200 notes, 180 lyrics)"
        """
        name = f" '{self.name}'" if self.name else ""
        counts = [(self.notes, "note"), (self.lyrics, "lyric")]
        counted = ", ".join(f"{count:,} {what}{'' if count == 1 else 's'}" for count, what in counts if count)
        return f"track {self.number}{name} (channel {self.channel}, {counted})"


def voices(tracks: Tracks, encoding: str | None = None) -> list[Candidate]:
    """Returns the channels with notes of all tracks, those of percussion among them, in the order of the file.

    Args:
        tracks: The file.
        encoding: That of its names; None finds it.
    """
    notes = [channels(events) for events in tracks.tracks]
    return candidates(tracks, notes, find_lyrics(tracks, notes), encoding)


def candidates(tracks: Tracks, notes: NotesOfTracks, lyrics: Lyrics, encoding: str | None) -> list[Candidate]:
    """Returns what `voices` does, of a file whose notes and lyrics have been found."""
    words = set().union(*(ticks for ticks, is_words in zip(lyrics.ticks, lyrics.is_words, strict=True) if is_words))
    names = [next((e[3] for e in events if e[1] == META and e[2] == TRACK_NAME), b"") for events in tracks.tracks]
    encoding = encoding or find_encoding(names)
    found = []
    for track, of_track in enumerate(notes):
        for channel, of_channel in of_track.items():
            onsets = set(of_channel.onset.tolist())
            candidate = Candidate(
                number=f"{track}" if len(of_track) == 1 else f"{track}:{channel + 1}",
                track=track,
                channel=channel + 1,
                name=_shown(decode(names[track], encoding)),
                notes=len(of_channel.on),
                lyrics=len(onsets & (lyrics.ticks[track] | words)),
                overlap=of_channel.overlap(),
                why="",
                onsets=len(onsets),
            )
            found.append(candidate._replace(why=_why(candidate)))
    return found


def choose(found: list[Candidate], wanted: int | str | None = None) -> Candidate:
    """Returns the voice, with `why` it was chosen.

    Args:
        found: What `voices` returns.
        wanted: The number of a track, or of a channel within it; None goes by the rule at the top of this file. Where a
            track has several channels, and its number alone is given, the rule decides between them.

    Raises:
        InputError: There is no such voice, or none at all. The message lists the voices.
    """
    sung = [each for each in found if not each.is_percussion]
    if wanted is not None:
        track, _, channel = str(wanted).strip().partition(":")
        asked = [each for each in sung if str(each.track) == track and channel in ("", str(each.channel))]
        if not asked:
            listed = "; ".join(map(str, sung[:MOST_NAMED])) or "none"
            more = f"; and {len(sung) - MOST_NAMED} more" if len(sung) > MOST_NAMED else ""
            raise InputError(f"none of its voices is number {wanted}; its voices are: {listed}{more}")
        return min(asked, key=_rank)._replace(why="asked for")
    if not sung:
        raise InputError("it has no notes but percussion" if found else "it has no notes")
    best = min(sung, key=_rank)
    return best if len(sung) > 1 else best._replace(why="the only one")


def refuse_overlap(voice: Candidate) -> None:
    """Refuses notes that overlap too much to be a voice.

    Raises:
        InputError: Their share is above `MOST_OVERLAP`.
    """
    if voice.overlap > MOST_OVERLAP:
        raise InputError(
            f"{voice} is no voice: {voice.overlap:.0%} of its notes overlap, of a voice's at most {MOST_OVERLAP:.0%}"
        )


def checked_number(wanted: int | str | None) -> str | None:
    """Returns the number of a voice as text, or None for none.

    Raises:
        InputError: It is no number of a track, or of a track and a channel.
    """
    if wanted is None or re.fullmatch(r"\d+(:([1-9]|1[0-6]))?", str(wanted).strip()):
        return None if wanted is None else str(wanted).strip()
    raise InputError(f"track={wanted}: give a track's number, from 0, or a track and its channel, such as 1:4.")


def whole_track(wanted: int | str | None) -> int | None:
    """Returns the number of a track in a format whose tracks have no channels, or None for none.

    Raises:
        InputError: It is no number.
    """
    number = checked_number(wanted)
    if number and not number.isdigit():
        raise InputError(f"its tracks have no channels; give the track's number alone, not {number}")
    return int(number) if number else None


def _shown(name: str) -> str:
    """Returns a name in one line, without what a terminal would take for commands."""
    return " ".join("".join(letter if letter.isprintable() else " " for letter in name).split())


def _rank(candidate: Candidate) -> tuple[float, int, float, int]:
    """Returns what puts candidates into an order, the best first; see the top of this file."""
    lyrics = candidate.lyrics**2 / candidate.onsets if _has_lyrics(candidate) else 0.0
    return -lyrics, _name_rank(candidate.name), max(candidate.overlap, MOST_OVERLAP), -candidate.notes


def _has_lyrics(candidate: Candidate) -> bool:
    return candidate.lyrics >= 2 and 10 * candidate.lyrics >= candidate.onsets


def _name_rank(name: str) -> int:
    """Returns 0 for the best name of a voice, and `2 * len(NAMES)` for one that is none."""
    found = next((rank for rank, words in enumerate(NAMES) if words.search(name)), None)
    if found is None:
        return 2 * len(NAMES)
    return found + len(NAMES) if BACKING.search(name) else found


def _why(candidate: Candidate) -> str:
    if candidate.is_percussion:
        return "percussion"
    if _has_lyrics(candidate):
        return "lyrics"
    if _name_rank(candidate.name) < 2 * len(NAMES):
        return "name"
    return "one note at a time" if candidate.overlap <= MOST_OVERLAP else "fewest overlaps"
