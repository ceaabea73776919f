"""The events of a track in a Standard MIDI File: bytes to events and back, nothing interpreted and nothing lost.

Written for this project because the libraries at hand either decode lyrics before their bytes can be seen, and lose
lyrics in CP949, or take longer for a song than the rest of its preparation. The format is "Standard MIDI Files 1.0"
(RP-001) of the MIDI Manufacturers Association. `smf` has what lies around the tracks.
"""

from typing import NamedTuple, TypeAlias

from toy_duration_predictor.errors import InputError

META, SYSEX, SYSEX_ESCAPE = 0xFF, 0xF0, 0xF7
TEXT, TRACK_NAME, LYRIC, END_OF_TRACK, SET_TEMPO, TIME_SIGNATURE = 0x01, 0x03, 0x05, 0x2F, 0x51, 0x58

# No song goes on beyond this: at 960 ticks per beat and 120 beats a minute it is twelve days.
LAST_TICK = 2**31 - 1

# An event is (tick, status, kind, data). Ticks count from the beginning. In a channel message, `kind` is the first data
# byte, and `data` the second one, if there is one. In another event, `data` is the payload; `kind` is a meta event's
# type, or else 0. It is a plain tuple because making any other object takes longer than reading the event.
Event: TypeAlias = tuple[int, int, int, bytes]


# Messages that stand in tracks of some files, and have their data bytes alone: how many.
SYSTEM = {0xF1: 1, 0xF2: 2, 0xF3: 1, 0xF6: 0} | dict.fromkeys(range(0xF8, 0xFF), 0)


class Tracks(NamedTuple):
    """A file.

    Attributes:
        format: 0 or 1; or 2 with one track.
        ticks_per_beat: The resolution.
        tracks: The events of each track.
        remarks: What is not as it should be in the file, in words, where the tracks can be read nevertheless.
    """

    format: int
    ticks_per_beat: int
    tracks: list[list[Event]]
    remarks: tuple[str, ...] = ()


class Body(NamedTuple):
    """A track that was read.

    Attributes:
        events: Its events.
        end: The byte after them.
        is_ended: Whether the last event is the end of the track.
        too_large: How many messages have a data byte above 127.
    """

    events: list[Event]
    end: int
    is_ended: bool
    too_large: int


def parse_track(content: bytes, position: int, end: int) -> Body:
    """Reads the events of a track, up to its end or to a byte. Running status is resolved.

    A data byte is at most 127. In messages other than notes it may be above: its value matters to no note.

    Raises:
        InputError: The track is damaged, or cut at `end`. The message gives the reason and the byte.
    """
    events: list[Event] = []
    append = events.append
    tick = status = too_large = 0
    while position < end:
        # Reading takes most of its time in this loop. So no function is called for a number of one byte or two.
        delta = content[position]
        if delta < 0x80:
            position += 1
        elif position + 1 < end and content[position + 1] < 0x80:
            delta = (delta & 0x7F) << 7 | content[position + 1]
            position += 2
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
            # Program changes and channel pressures have one data byte, other messages two.
            after = position + (1 if 0xC0 <= byte < 0xE0 else 2)
            if after > end:
                raise InputError(f"the event at byte {position} is damaged")
            if content[position] >= 0x80 or content[after - 1] >= 0x80:
                if byte < 0xA0:
                    raise InputError(f"the event at byte {position} is damaged")
                too_large += 1
            append((tick, byte, content[position], content[position + 1 : after]))
            position = after
        elif byte in (META, SYSEX, SYSEX_ESCAPE):
            kind = 0
            if byte == META:
                if position >= end:
                    raise InputError(f"a track is cut at byte {position}")
                kind = content[position]
                position += 1
            if position < end and content[position] < 0x80:
                length, position = content[position], position + 1
            else:
                length, position = _variable_length(content, position, end)
            if position + length > end:
                raise InputError(f"the event at byte {position} is damaged: it has {length} bytes, and its track fewer")
            append((tick, byte, kind, content[position : position + length]))
            position += length
            if byte == META and kind == END_OF_TRACK:
                return Body(events, position, True, too_large)
        elif byte in SYSTEM:
            after = position + SYSTEM[byte]
            if after > end:
                raise InputError(f"the event at byte {position} is damaged")
            append((tick, byte, 0, content[position:after]))
            position = after
        else:
            raise InputError(f"byte {position - 1} is {byte:#x}, which no track can have")
    return Body(events, position, False, too_large)


def _variable_length(content: bytes, position: int, end: int) -> tuple[int, int]:
    """Returns a variable-length quantity of at most four bytes, and where it ends."""
    value = 0
    for place in range(position, min(position + 4, end)):
        byte = content[place]
        value = value << 7 | byte & 0x7F
        if byte < 0x80:
            return value, place + 1
    raise InputError(f"the number at byte {position} is damaged")


def track_bytes(events: list[Event]) -> bytes:
    """Returns the bytes of a track's events, in the order of their ticks, without running status."""
    body = bytearray()
    before = 0
    for tick, status, kind, data in events:
        body += _as_variable_length(tick - before)
        before = tick
        body.append(status)
        if status == META or status < 0xF0:
            body.append(kind)
        if status in (META, SYSEX, SYSEX_ESCAPE):
            body += _as_variable_length(len(data))
        body += data
    return bytes(body)


def _as_variable_length(value: int) -> bytes:
    groups = [value & 0x7F]
    while value := value >> 7:
        groups.append(value & 0x7F | 0x80)
    return bytes(reversed(groups))
