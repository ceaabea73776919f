"""The lyrics of a MIDI file, on whatever track they are.

Lyrics are the lyric events of a file; where it has none, its text events, but for the facts that a karaoke file has
after an `@`. They belong to the notes of their own track. Where a track has no notes, or most of its lyrics are not at
its own notes' beginnings, they belong to the notes of other tracks.
"""

from toy_duration_predictor.data.midi.pairs import PERCUSSION, Notes
from toy_duration_predictor.data.midi.smf import LYRIC, META, TEXT, Tracks


def lyric_events(tracks: Tracks) -> list[dict[int, bytes]]:
    """Returns the lyrics of each track: their bytes, by the index of the event."""
    metas = [[(i, event) for i, event in enumerate(events) if event[1] == META] for events in tracks.tracks]
    kind = LYRIC if any(event[2] == LYRIC for of_track in metas for _, event in of_track) else TEXT
    return [
        {i: data for i, (_, _, of, data) in of_track if of == kind and not (kind == TEXT and data.startswith(b"@"))}
        for of_track in metas
    ]


def lyric_ticks(tracks: Tracks, notes: list[dict[int, Notes]]) -> tuple[list[set[int]], set[int]]:
    """Returns the ticks of each track's lyrics, and those of all lyrics that belong to the notes of other tracks.

    Args:
        tracks: The file.
        notes: The notes of each track by their channels; see `pairs.channels`.
    """
    own = [{events[i][0] for i in lyrics} for events, lyrics in zip(tracks.tracks, lyric_events(tracks), strict=True)]
    words: set[int] = set()
    for ticks, of_track in zip(own, notes, strict=True):
        if ticks and 2 * len(ticks & onsets_of(of_track)) < len(ticks):
            words |= ticks
    return own, words


def onsets_of(notes: dict[int, Notes]) -> set[int]:
    """Returns the ticks at which notes of a track begin, those of percussion left out."""
    return {tick for channel, each in notes.items() if channel != PERCUSSION for tick in each.onset.tolist()}
