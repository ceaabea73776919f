"""Projects of singing editors, read and written by `libresvip` (https://github.com/SoulMelody/LibreSVIP, MIT licence).

Of a project `libresvip` carries the notes with their lyrics, the tempo, the time signatures, the names of tracks, and
those curves that it knows in the format. It writes a file anew, and what it does not know gets the editor's default.
What was written is read again: other notes or another tempo are refused, and what else is not carried is said.

Each singing track is a voice, in which notes do not overlap. Times are ticks, `TICKS_PER_BEAT` a beat, from the first
bar. The ticks of curves count from one bar before.

Shapes: `N` notes of a track.
"""

from pathlib import Path
from typing import Any

import numpy as np

from toy_duration_predictor.errors import InputError
from toy_duration_predictor.scores.converters import Converter
from toy_duration_predictor.scores.score import Opened, Score, to_voice, warp

TICKS_PER_BEAT = 480
# Formats that libresvip reads and writes. Left out: those that are read without it; `.aisp`, `.nn` and `.y77`, in which
# notes lie on a coarse grid; and `.xvsq`, of which libresvip takes the seconds of tempo changes for ticks.
EDITORS = (
    *(".ace", ".acep", ".ccs", ".dspx", ".dv", ".mtp", ".musicxml", ".ppsf", ".s5p", ".svip", ".svip3", ".tlp"),
    *(".tlpx", ".tsmsln", ".tssln", ".ufdata", ".vfp", ".vog", ".vspx", ".vsq", ".vvproj", ".vxf"),
)
CURVES = ("pitch", "volume", "breath", "gender", "strength")
# Formats that store seconds or frames round the times of notes to a few ticks.
AWAY = 3


def open_editor(content: bytes, suffix: str, track: int | None) -> Opened:
    """Reads a project. Each singing track with notes is a voice.

    Args:
        content: The file.
        suffix: Its format, one of `EDITORS`, or `XML` for MusicXML.
        track: The only singing track to read, from 0; None for all of them.

    Raises:
        InputError: The extra `editors` is not installed, or the file cannot be used; the message says why.
    """
    converter = Converter(suffix)
    project, warned = converter.load(content)
    singing = _singing(project)
    if not singing:
        raise InputError("it has no singing track with notes")
    if track is not None and not 0 <= track < len(singing):
        raise InputError(f"it has no singing track {track}; it has {len(singing)} with notes, from 0")
    chosen = list(range(len(singing))) if track is None else [track]
    scores = [_score(singing[i], i) for i in chosen]
    remarks: list[str] = []

    def write(times: list[np.ndarray]) -> bytes:
        moved = project.model_copy(deep=True)
        # An audio track names a file, and libresvip would read it, wherever it lies.
        moved.track_list = [each for each in moved.track_list if each.type_ == "Singing"]
        tracks = _singing(moved)
        bar = round(project.time_signature_list[0].bar_length()) if project.time_signature_list else 4 * TICKS_PER_BEAT
        for i, score, new in zip(chosen, scores, times, strict=True):
            _move(tracks[i], score.times, new, bar)
        written, also_warned = converter.dump(moved.model_copy(deep=True))
        lost = _lost(moved, converter.load(written)[0])
        # Of an empty name libresvip makes that of a folder.
        audio = sum(each.type_ != "Singing" and "." in Path(each.audio_file_path).name for each in project.track_list)
        lost += [f"{audio} audio {'track' if audio == 1 else 'tracks'}"] if audio else []
        remarks.extend(f"it is not carried: {what}" for what in lost)
        remarks.extend(f"libresvip says: {warning}" for warning in dict.fromkeys(warned + also_warned))
        return written

    return Opened(scores, write, remarks)


def _singing(project: Any) -> list[Any]:
    """Returns the singing tracks that have notes, and puts the notes in the order of their onsets."""
    tracks = [each for each in project.track_list if each.type_ == "Singing" and each.note_list]
    for each in tracks:
        each.note_list.sort(key=lambda note: note.start_pos)
    return tracks


def _score(track: Any, number: int) -> Score:
    notes = track.note_list
    onset, end, pitch = ([getattr(note, name) for note in notes] for name in ("start_pos", "end_pos", "key_number"))
    return to_voice(onset, end, pitch, TICKS_PER_BEAT, f"singing track {number}")


def _move(track: Any, before: np.ndarray, after: np.ndarray, bar: int) -> None:
    """Moves the notes of a track, and the points of its curves along with them.

    Args:
        track: libresvip's.
        before: int64 `(2N,)`; the times of its notes.
        after: int64 `(2N,)`; the times that they move to.
        bar: The ticks of the first bar, which the ticks of curves count, too.
    """
    for note, start, end in zip(track.note_list, after[::2].tolist(), after[1::2].tolist(), strict=True):
        note.start_pos, note.length = start, end - start
    for name in CURVES:
        points = getattr(track.edited_params, name).points
        if points.root:
            ticks = np.array([point.x for point in points.root], dtype=np.int64) - bar
            moved = (warp(ticks, before, after) + bar).tolist()
            # Some formats have one value a tick. Of several, the last one counts.
            by_tick = {tick: point._replace(x=tick) for tick, point in zip(moved, points.root, strict=True)}
            points.root = list(by_tick.values())


def _lost(wanted: Any, read: Any) -> list[str]:
    """Returns what a written file lacks.

    Args:
        wanted: The project that was to be written.
        read: What is read of the file.

    Raises:
        InputError: Notes or tempo are others, which would be another performance.
    """
    tracks, again = _singing(wanted), _singing(read)
    times, times_again = ([_times(each.note_list) for each in either] for either in (tracks, again))
    if [len(each) for each in times] != [len(each) for each in times_again]:
        raise InputError("libresvip writes another number of notes than it has")
    away = max(int(np.abs(one - other).max()) for one, other in zip(times, times_again, strict=True))
    if away > AWAY:
        raise InputError(f"libresvip writes its notes up to {away / TICKS_PER_BEAT:.3g} beats away from their place")
    tempos = [[(each.position, round(each.bpm, 2)) for each in either.song_tempo_list] for either in (wanted, read)]
    if tempos[0] != tempos[1]:
        raise InputError(f"libresvip writes another tempo (from {tempos[0]} to {tempos[1]})")
    lost = []
    for track, other in zip(tracks, again, strict=True):
        notes = list(zip(track.note_list, other.note_list, strict=True))
        for name in ("lyric", "pronunciation", "key_number"):
            changed = sum((getattr(one, name) or "") != (getattr(two, name) or "") for one, two in notes)
            notes_changed = f"{changed:,} {'note' if changed == 1 else 'notes'}"
            lost += [f"the {name.replace('_', ' ')} of {notes_changed}"] if changed else []
        gone = [name for name in CURVES if _is_curve(track, name) and not _is_curve(other, name)]
        lost += [f"the curve of {name}" for name in gone]
        if track.ai_singer_name != other.ai_singer_name:
            lost.append(f"the singer {track.ai_singer_name}".strip())
    if _signatures(wanted) != _signatures(read):
        lost.append("time signatures")
    return list(dict.fromkeys(lost))


def _times(notes: list[Any]) -> np.ndarray:
    return np.array([(note.start_pos, note.end_pos) for note in notes], dtype=np.int64).ravel()


def _is_curve(track: Any, name: str) -> bool:
    """Tells whether a curve has a point beside those that libresvip adds at both ends."""
    return len(getattr(track.edited_params, name).points.root) > 2


def _signatures(project: Any) -> list[tuple[int, int]]:
    """Returns the time signatures, without those that say the same again."""
    pairs = [(each.numerator, each.denominator) for each in project.time_signature_list]
    return [pair for i, pair in enumerate(pairs) if i == 0 or pair != pairs[i - 1]]
