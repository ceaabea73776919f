"""Projects in libresvip's own model, and what is in them."""

import numpy as np
from libresvip.model.base import Note, ParamCurve, Params, Points, Project, SingingTrack, SongTempo, TimeSignature
from libresvip.model.point import Point

BAR = 1920
# The notes of a track: length and the rest after it, ticks, and pitch.
NOTES = [(480, 0, 60), (240, 0, 64), (240, 240, 62), (960, 0, 67), (480, 120, 60), (360, 0, 65), (480, 0, 60)]
ENGLISH = ["la", "so", "me", "you", "day", "go", "hi"]


def a_project(lyrics=ENGLISH, tracks=2, tempos=((0, 110.0),)):
    """Two singers; the second one sings three semitones higher. The pitch curve is nearly flat in each note."""
    singing = []
    for number in range(tracks):
        notes, tick, points = [], 480, [Point.start_point()]
        for (length, rest, pitch), lyric in zip(NOTES, lyrics, strict=True):
            notes.append(Note(start_pos=tick, length=length, key_number=pitch + 3 * number, lyric=lyric))
            cents = 100 * notes[-1].key_number
            # Some formats leave out values that are the same as the one before.
            points += [Point(tick + BAR + at, cents + at // 20 % 3) for at in range(0, length, 20)]
            points.append(Point(tick + BAR + length - 1, -100))  # the curve is interrupted after each note
            tick += length + rest
        curve = ParamCurve(points=Points(root=[*points, Point.end_point()]))
        singing.append(SingingTrack(title=f"singer {number}", note_list=notes, edited_params=Params(pitch=curve)))
    return Project(
        song_tempo_list=[SongTempo(position=position, bpm=bpm) for position, bpm in tempos],
        time_signature_list=[TimeSignature()],
        track_list=singing,
    )


def tracks_of(project):
    return [track for track in project.track_list if track.type_ == "Singing" and track.note_list]


def times_of(project):
    """Onset and end of each note of each track, from the first onset on."""
    times = [np.array([(note.start_pos, note.end_pos) for note in track.note_list]) for track in tracks_of(project)]
    return [each.ravel() - each[0, 0] for each in times]


def tempos_of(project):
    return [(each.position, round(each.bpm, 2)) for each in project.song_tempo_list]


def cents_in(track):
    """The pitch curve in the middle half of each note: how far from the note's own pitch, cents, at most."""
    points = [point for point in track.edited_params.pitch.points.root if point.y > 0]
    away = []
    for note in track.note_list:
        start, quarter = note.start_pos + BAR, note.length / 4
        within = [point.y for point in points if start + quarter < point.x < start + 3 * quarter]
        away += [abs(cents - 100 * note.key_number) for cents in within]
    return away
