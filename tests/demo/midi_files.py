"""MIDI files that the tests make."""

import io
import zipfile

from toy_duration_predictor.data.midi.smf import LYRIC, META, Tracks, parse, unparse
from toy_duration_predictor.data.midi.voice import Voice, read_voice


def midi(notes: int = 8, lyric: bytes = b"la", ticks: int = 240, others: int = 0) -> bytes:
    """A song of equal notes, at two beats a second; and a second track of other notes."""
    events = [(0, META, 0x51, (500_000).to_bytes(3))]
    for i in range(notes):
        events += [(i * ticks, META, LYRIC, lyric), (i * ticks, 0x90, 60 + i % 12, b"\x50")]
        events.append(((i + 1) * ticks, 0x80, 60 + i % 12, b"\0"))
    second = []
    for i in range(others):
        second += [(i * 960, 0x91, 40, b"\x50"), (i * 960 + 480, 0x81, 40, b"\0")]
    return unparse(Tracks(1 if others else 0, 480, [events, *([second] if others else [])]))


def voice(content: bytes) -> Voice:
    return read_voice(parse(content))


def zipped() -> bytes:
    """A thousandfold of itself."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("song.mid", bytes(1_000_000))
    return archive.getvalue()
