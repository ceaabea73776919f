"""Standard MIDI Files: bytes to events and back, nothing interpreted and nothing lost.

Written for this project because the libraries at hand either decode lyrics before their bytes can be seen, and lose
lyrics in CP949, or take longer for a song than the rest of its preparation. The format is "Standard MIDI Files 1.0"
(RP-001) of the MIDI Manufacturers Association.
"""

from typing import NamedTuple, TypeAlias

from toy_duration_predictor.errors import InputError

META, SYSEX, SYSEX_ESCAPE = 0xFF, 0xF0, 0xF7
TEXT, TRACK_NAME, LYRIC, END_OF_TRACK, SET_TEMPO, TIME_SIGNATURE = 0x01, 0x03, 0x05, 0x2F, 0x51, 0x58

# No song goes on beyond this: at 960 ticks per beat and 120 beats a minute it is twelve days.
LAST_TICK = 2**31 - 1
LARGEST_FILE = 64 * 2**20

# An event is (tick, status, kind, data). Ticks count from the beginning. In a channel message, `kind` is the first data
# byte, and `data` the second one, if there is one. In another event, `data` is the payload; `kind` is a meta event's
# type, or else 0. It is a plain tuple because making any other object takes longer than reading the event.
Event: TypeAlias = tuple[int, int, int, bytes]


class Tracks(NamedTuple):
    """A file: its format (0 or 1), its ticks per beat, and the events of each track."""

    format: int
    ticks_per_beat: int
    tracks: list[list[Event]]


def refuse_large(size: int) -> None:
    """Refuses a file of more bytes than `LARGEST_FILE`; given the size, a file need not be read into memory first.

    Raises:
        InputError: It is larger.
    """
    if size > LARGEST_FILE:
        raise InputError(f"it is larger than {LARGEST_FILE >> 20} MiB")


def parse(content: bytes) -> Tracks:
    """Reads a file.

    Running status is resolved. Chunks that are not tracks are skipped. A track may lack its end.

    Raises:
        InputError: It is not a MIDI file of format 0 or 1 with ticks per beat, or it is damaged. The message gives the
            reason and the byte.
    """
    if content[:4] != b"MThd" or len(content) < 14:
        raise InputError("it is not a Standard MIDI File")
    refuse_large(len(content))
    form, division = int.from_bytes(content[8:10]), int.from_bytes(content[12:14])
    if form > 1:
        raise InputError(f"it is of format {form}; only 0 and 1 can be read")
    if division >= 0x8000 or division == 0:
        raise InputError("it does not count in ticks per beat")
    tracks = []
    position = 8 + int.from_bytes(content[4:8])  # a header may be longer than it is today
    while position + 8 <= len(content):
        name, size = content[position : position + 4], int.from_bytes(content[position + 4 : position + 8])
        position += 8
        if position + size > len(content):
            raise InputError(f"the chunk at byte {position} is cut: it has {size} bytes, and the file ends before that")
        if name == b"MTrk":
            tracks.append(_parse_track(content, position, position + size))
        position += size
    if not tracks:
        raise InputError("it has no tracks")
    return Tracks(form, division, tracks)


def _parse_track(content: bytes, position: int, end: int) -> list[Event]:
    events: list[Event] = []
    append = events.append
    tick = status = 0
    while position < end:
        delta = content[position]
        # Reading takes most of its time in this loop, and most times are one byte, for which no function is called.
        if delta < 0x80:
            position += 1
        else:
            delta, position = _variable_length(content, position, end)
        tick += delta
        if tick > LAST_TICK:
            raise InputError(f"the event at byte {position} lies {tick} ticks from the beginning")
        if position >= end:
            raise InputError(f"a track is cut at byte {position}")
        byte = content[position]
        if byte >= 0x80:
            position += 1
            if byte < 0xF0:  # only a channel message's status runs on to the events after it
                status = byte
        elif status:
            byte = status
        else:
            raise InputError(f"byte {position} is neither an event nor has one before it")

        if byte < 0xF0:
            # Program changes and channel pressures have one data byte, other messages two; a data byte is below 0x80.
            after = position + (1 if 0xC0 <= byte < 0xE0 else 2)
            if after > end or content[position] >= 0x80 or content[after - 1] >= 0x80:
                raise InputError(f"the event at byte {position} is damaged")
            append((tick, byte, content[position], content[position + 1 : after]))
            position = after
        elif byte in (META, SYSEX, SYSEX_ESCAPE):
            kind = 0
            if byte == META:
                if position >= end:
                    raise InputError(f"a track is cut at byte {position}")
                kind = content[position]
                position += 1
            length, position = _variable_length(content, position, end)
            if position + length > end:
                raise InputError(f"the event at byte {position} is damaged: it has {length} bytes, and its track fewer")
            append((tick, byte, kind, content[position : position + length]))
            position += length
            if byte == META and kind == END_OF_TRACK:
                break
        else:
            raise InputError(f"byte {position - 1} is {byte:#x}, which no track can have")
    return events


def _variable_length(content: bytes, position: int, end: int) -> tuple[int, int]:
    """Returns a variable-length quantity of at most four bytes, and where it ends."""
    value = 0
    for place in range(position, min(position + 4, end)):
        byte = content[place]
        value = value << 7 | byte & 0x7F
        if byte < 0x80:
            return value, place + 1
    raise InputError(f"the number at byte {position} is damaged")


def unparse(tracks: Tracks) -> bytes:
    """Returns the bytes of a file, without running status. Events are in the order of their ticks."""
    chunks = [b"MThd" + (6).to_bytes(4) + b"".join(n.to_bytes(2) for n in (tracks[0], len(tracks.tracks), tracks[1]))]
    return b"".join(chunks + [_track_chunk(events) for events in tracks.tracks])


def replace_track(content: bytes, track: int, events: list[Event]) -> bytes:
    """Returns a file with the events of one track replaced. Every other byte is as it was.

    Args:
        content: A file that `parse` reads.
        track: The track's number, from 0.
        events: The new events, in the order of their ticks.
    """
    position = 8 + int.from_bytes(content[4:8])
    while True:
        end = position + 8 + int.from_bytes(content[position + 4 : position + 8])
        if content[position : position + 4] == b"MTrk":
            if track == 0:
                return content[:position] + _track_chunk(events) + content[end:]
            track -= 1
        position = end


def _track_chunk(events: list[Event]) -> bytes:
    body = bytearray()
    before = 0
    for tick, status, kind, data in events:
        body += _as_variable_length(tick - before)
        before = tick
        body.append(status)
        if status == META or status < 0xF0:
            body.append(kind)
        if status >= 0xF0:
            body += _as_variable_length(len(data))
        body += data
    return b"MTrk" + len(body).to_bytes(4) + bytes(body)


def _as_variable_length(value: int) -> bytes:
    groups = [value & 0x7F]
    while value := value >> 7:
        groups.append(value & 0x7F | 0x80)
    return bytes(reversed(groups))
