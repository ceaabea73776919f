"""Standard MIDI Files: their header, their chunks, and the RIFF file that one may be in. `events` reads the tracks.

Many files are not quite as the format has it, and other programs play them. They are read where no event of a track is
in doubt, and what was found is said in `Tracks.remarks`:

| found | is read as |
| --- | --- |
| bytes after the last track that the header counts | no part of the song |
| fewer tracks than the header counts | what is there |
| a track's length is wrong | the track up to its end event, where the next track or the file's end follows |
| a data byte above 127, in a message that is no note | its value, where the track ends as its length says |
| format 2 | format 0, if it has one track |
"""

from typing import NamedTuple

from toy_duration_predictor.data.midi.events import (
    END_OF_TRACK,
    LAST_TICK,
    LYRIC,
    META,
    SET_TEMPO,
    SYSEX,
    TEXT,
    TIME_SIGNATURE,
    TRACK_NAME,
    Body,
    Event,
    Tracks,
    parse_track,
    track_bytes,
)
from toy_duration_predictor.errors import InputError

__all__ = [
    "END_OF_TRACK",
    "LARGEST_FILE",
    "LAST_TICK",
    "LYRIC",
    "META",
    "SET_TEMPO",
    "SUFFIXES",
    "SYSEX",
    "TEXT",
    "TIME_SIGNATURE",
    "TRACK_NAME",
    "Event",
    "Tracks",
    "parse",
    "refuse_large",
    "replace_tracks",
    "unparse",
]

LARGEST_FILE = 64 * 2**20
# What names of such files end in: Standard MIDI Files, files for karaoke, and MIDI files in RIFF files.
SUFFIXES = (".mid", ".midi", ".kar", ".rmi")


class Chunk(NamedTuple):
    """A track's place: the byte of its chunk's name, the one after its events, and the one after the chunk."""

    begin: int
    events_end: int
    end: int


def refuse_large(size: int) -> None:
    """Refuses a file of more bytes than `LARGEST_FILE`; given the size, a file need not be read into memory first.

    Raises:
        InputError: It is larger.
    """
    if size > LARGEST_FILE:
        raise InputError(f"it is larger than {LARGEST_FILE >> 20} MiB")


def parse(content: bytes) -> Tracks:
    """Reads a file. Chunks that are not tracks are skipped. A track may lack its end.

    Raises:
        InputError: It is not a MIDI file of format 0 or 1 with ticks per beat, or it is damaged. The message gives the
            reason and the byte.
    """
    refuse_large(len(content))
    return _read(content[slice(*_standard(content))])[0]


def unparse(tracks: Tracks) -> bytes:
    """Returns the bytes of a file, without running status. Events are in the order of their ticks."""
    numbers = (tracks.format, len(tracks.tracks), tracks.ticks_per_beat)
    chunks = [_chunk(b"MThd", b"".join(number.to_bytes(2) for number in numbers))]
    return b"".join(chunks + [_chunk(b"MTrk", track_bytes(events)) for events in tracks.tracks])


def replace_tracks(content: bytes, new: dict[int, list[Event]], ticks_per_beat: int | None = None) -> bytes:
    """Returns a file with the events of some tracks replaced. Every other byte is as it was.

    Args:
        content: A file that `parse` reads.
        new: The events of tracks, in the order of their ticks, by the track's number from 0.
        ticks_per_beat: The resolution to write; None leaves it.
    """
    begin, end = _standard(content)
    within = content[begin:end]
    parts = [within[:12], ticks_per_beat.to_bytes(2) if ticks_per_beat else within[12:14]]
    position = 14
    for number, chunk in enumerate(_read(within)[1]):
        if number in new:
            # Bytes of the chunk that come after the track's end stay behind it.
            body = track_bytes(new[number]) + within[chunk.events_end : chunk.end]
            parts += [within[position : chunk.begin], _chunk(b"MTrk", body)]
            position = chunk.end
    changed = b"".join([*parts, within[position:]])
    if begin == 0:
        return changed
    # A chunk of a RIFF file has an even number of bytes, and the outer chunk has all others in it.
    after = content[end + (end - begin) % 2 :]
    inner = content[12 : begin - 4] + len(changed).to_bytes(4, "little") + changed + bytes(len(changed) % 2) + after
    return content[:4] + (len(inner) + 4).to_bytes(4, "little") + content[8:12] + inner


def _standard(content: bytes) -> tuple[int, int]:
    """Returns where the Standard MIDI File begins and ends: in a RIFF file it is the chunk `data`."""
    begin, end = 0, len(content)
    if content[:4] == b"RIFF" and content[8:12] == b"RMID":
        begin = 12
        while content[begin : begin + 4] not in (b"data", b""):
            size = int.from_bytes(content[begin + 4 : begin + 8], "little")
            begin += 8 + size + size % 2
        end = min(begin + 8 + int.from_bytes(content[begin + 4 : begin + 8], "little"), end)
        begin += 8
    if content[begin : begin + 4] != b"MThd" or end - begin < 14:
        raise InputError("it is not a Standard MIDI File")
    return begin, end


def _read(content: bytes) -> tuple[Tracks, list[Chunk]]:
    form, count, division = (int.from_bytes(content[i : i + 2]) for i in (8, 10, 12))
    if form > 2 or (form == 2 and count != 1):
        raise InputError(f"it is of format {form}, with {count} tracks; only 0 and 1 can be read, and 2 with one track")
    if division >= 0x8000 or division == 0:
        raise InputError("it does not count in ticks per beat")
    tracks: list[list[Event]] = []
    chunks: list[Chunk] = []
    remarks = ["it is of format 2, with one track"] if form == 2 else []
    position = 8 + int.from_bytes(content[4:8])  # a header may be longer than it is today
    while position + 8 <= len(content) and (len(chunks) < count or not count):
        begin, end = position + 8, position + 8 + int.from_bytes(content[position + 4 : position + 8])
        if content[position : position + 4] == b"MTrk":
            body, chunk_end = _read_track(content, begin, end)
            if chunk_end != end:
                remarks.append("a track has not the length that it says")
            if body.too_large:
                remarks.append("a message that is no note has a value above 127")
            tracks.append(body.events)
            chunks.append(Chunk(position, body.end, chunk_end))
            end = chunk_end
        elif end > len(content):
            break
        position = end
    if not tracks:
        raise InputError("it has no tracks")
    if len(tracks) < count:
        remarks.append("it has fewer tracks than its header counts")
    if position < len(content):
        remarks.append("bytes follow the last track that its header counts")
    return Tracks(form, division, tracks, tuple(dict.fromkeys(remarks))), chunks


def _read_track(content: bytes, begin: int, end: int) -> tuple[Body, int]:
    """Returns a track, and where the next chunk begins.

    Args:
        content: The file.
        begin: The byte after the chunk's length.
        end: Where the chunk ends by its length.
    """

    def closes(body: Body) -> bool:
        return body.is_ended and content[body.end : body.end + 4] in (b"MTrk", b"")

    failed, body = None, None
    try:
        body = parse_track(content, begin, min(end, len(content)))
    except InputError as error:
        failed = error
    follows = content[end : end + 4] in (b"MTrk", b"")
    if body and body.end == end and (body.is_ended or (follows and not body.too_large)):
        return body, end
    if body and body.is_ended and (closes(body) or end > len(content)):
        chunk_end = body.end
    elif body and body.is_ended and not body.too_large:
        chunk_end = end
    else:
        # The track may go on beyond its length.
        longer = None
        try:
            longer = parse_track(content, begin, len(content))
        except InputError as error:
            failed = failed or error
        if longer and closes(longer):
            body, chunk_end = longer, longer.end
        elif body and end <= len(content) and not body.too_large:
            return body, end
        elif end > len(content):
            size = end - begin
            raise InputError(f"the chunk at byte {begin} is cut: it has {size} bytes, and the file ends before that")
        else:
            raise failed or InputError(f"the track at byte {begin} is damaged")
    if body.too_large:
        raise InputError(f"the track at byte {begin} is damaged: it has values above 127, and not the length it says")
    return body, chunk_end


def _chunk(name: bytes, body: bytes) -> bytes:
    return name + len(body).to_bytes(4) + body
