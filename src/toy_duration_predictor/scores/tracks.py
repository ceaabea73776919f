"""What `tdp tracks` shows: the voices of a MIDI file, and which one is taken."""

from pathlib import Path

from toy_duration_predictor.data.midi.encodings import checked_encoding
from toy_duration_predictor.data.midi.smf import parse
from toy_duration_predictor.data.midi.voices import choose, voices
from toy_duration_predictor.errors import InputError
from toy_duration_predictor.scores.recordings import read_file
from toy_duration_predictor.sections import Section


def tracks_section(path: Path, encoding: str | None = None) -> Section:
    """Returns a table of a file's voices.

    Args:
        path: A MIDI file.
        encoding: That of its names; None finds it.

    Raises:
        InputError: The file cannot be used, or there is no such encoding; the message says which file, and why.
    """
    try:
        tracks = parse(read_file(path))
        found = voices(tracks, checked_encoding(encoding))
        taken = choose(found)
    except InputError as error:
        raise InputError(f"{path}: {str(error).rstrip('.')}.") from error
    rows = [
        (
            "*" if each.number == taken.number else "",
            each.number,
            each.name,
            str(each.channel),
            f"{each.notes:,}",
            f"{each.lyrics:,}",
            f"{each.overlap:.0%}",
            taken.why if each.number == taken.number else each.why,
        )
        for each in found
    ]
    heads = ("", "track", "name", "channel", "notes", "lyrics", "overlap", "by")
    remarks = " ".join(f"The file is read, though {remark}." for remark in tracks.remarks)
    others = [each.number for each in found if not each.is_percussion and each.number != taken.number]
    how = f"; --track takes another, such as --track {others[-1]}" if others else ""
    return Section(f"* is the voice{how}", heads, rows, remarks)
