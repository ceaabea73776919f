"""The lyrics of a MIDI file, on whatever track they are.

Lyrics are the lyric events of a file; where it has none, its text events, but for the facts that a karaoke file has
after an `@`. They belong to the notes of their own track. Where a track has no notes, or less than half of its lyrics
are at its own notes' beginnings, they belong to the notes of other tracks.
"""

from typing import NamedTuple, TypeAlias

from toy_duration_predictor.data.midi.encodings import decode, find_encoding
from toy_duration_predictor.data.midi.events import LYRIC, META, TEXT, Tracks
from toy_duration_predictor.data.midi.pairs import PERCUSSION, Notes

# The notes of each track, by their channels; see `pairs.channels`.
NotesOfTracks: TypeAlias = list[dict[int, Notes]]


class Lyrics(NamedTuple):
    """The lyrics of a file.

    Attributes:
        kind: Which meta events they are.
        of_tracks: Those of each track: their bytes, by the index of the event.
        ticks: Where those of each track are.
        is_words: Whether a track's lyrics belong to the notes of other tracks.
    """

    kind: int
    of_tracks: list[dict[int, bytes]]
    ticks: list[set[int]]
    is_words: list[bool]


def find_lyrics(tracks: Tracks, notes: NotesOfTracks) -> Lyrics:
    """Returns the lyrics of a file."""
    metas = [[(i, event) for i, event in enumerate(events) if event[1] == META] for events in tracks.tracks]
    kind = LYRIC if any(event[2] == LYRIC for of_track in metas for _, event in of_track) else TEXT
    of_tracks = [
        {i: data for i, (_, _, of, data) in of_track if of == kind and not (kind == TEXT and data.startswith(b"@"))}
        for of_track in metas
    ]
    ticks = [{events[i][0] for i in lyrics} for events, lyrics in zip(tracks.tracks, of_tracks, strict=True)]
    is_words = [
        bool(own) and 2 * len(own & onsets_of(of_track)) < len(own) for own, of_track in zip(ticks, notes, strict=True)
    ]
    return Lyrics(kind, of_tracks, ticks, is_words)


def onsets_of(notes: dict[int, Notes], but: int = PERCUSSION) -> set[int]:
    """Returns the ticks at which notes of a track begin, those of percussion and of channel `but` left out."""
    return {tick for channel, each in notes.items() if channel not in (PERCUSSION, but) for tick in each.onset.tolist()}


def lyrics_of_voice(
    tracks: Tracks, notes: NotesOfTracks, lyrics: Lyrics, track: int, channel: int
) -> dict[int, dict[int, bytes]]:
    """Returns the lyrics that go with the notes of a voice: by their tracks, bytes by the index of the event.

    They are those at the voice's onsets, and those at no note's beginning between them. Text events may be anything:
    those of the voice's track are lyrics at its onsets only, and those of another track if half of them are there.

    Args:
        tracks: The file.
        notes: Its notes.
        lyrics: Its lyrics.
        track: The voice's track, from 0.
        channel: Its channel, from 0.
    """
    onsets = set(notes[track][channel].onset.tolist())
    others: set[int] = set()
    if len(notes[track]) > 1 or any(lyrics.is_words):
        others.update(*(onsets_of(each, channel if i == track else PERCUSSION) for i, each in enumerate(notes)))
    found = {}
    for number, (events, of_track, ticks) in enumerate(zip(tracks.tracks, lyrics.of_tracks, lyrics.ticks, strict=True)):
        if number != track and not lyrics.is_words[number]:
            continue
        sung = len(ticks & onsets)
        if number != track and lyrics.kind == TEXT and (sung < 2 or 2 * sung < len(ticks)):
            continue
        between = lyrics.kind == LYRIC or number != track
        found[number] = {
            i: data
            for i, data in of_track.items()
            if events[i][0] in onsets or (between and events[i][0] not in others)
        }
    return found


def lyric_at(
    tracks: Tracks, lyrics: Lyrics, of_voice: dict[int, dict[int, bytes]], track: int, encoding: str | None
) -> dict[int, str]:
    """Returns the lyric at each tick that has one. Several at one tick are joined.

    Args:
        tracks: The file.
        lyrics: Its lyrics.
        of_voice: Those of the voice; see `lyrics_of_voice`.
        track: The voice's track, whose own lyrics come before those of other tracks.
        encoding: Theirs; None finds it.
    """
    joined: dict[int, bytes] = {}
    for number in sorted(of_voice, key=lambda each: each != track):
        of_track: dict[int, bytes] = {}
        for i, data in of_voice[number].items():
            tick = tracks.tracks[number][i][0]
            of_track[tick] = of_track.get(tick, b"") + data
        joined = of_track | joined
    encoding = encoding or find_encoding(joined.values())
    texts = {data: decode(data, encoding).strip() for data in set(joined.values())}
    if lyrics.kind == TEXT:  # karaoke files begin lines and verses with these
        texts = {data: text.lstrip("\\/") for data, text in texts.items()}
    return {tick: texts[data] for tick, data in joined.items()}
