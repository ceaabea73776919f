"""Where the times of notes and curves lie in the files of singing editors, so that others can be put there.

| suffix | editor | file | a voice is | unit of time |
| --- | --- | --- | --- | --- |
| `.ustx` | OpenUtau | YAML | a part of a track | 1/480 beat |
| `.svp` | Synthesizer V | JSON | a group of notes | blick, 1/705,600,000 beat |
| `.vpr` | VOCALOID 5 and 6 | JSON in a ZIP archive | a part of a track | 1/480 beat |
| `.vsqx` | VOCALOID 3 and 4 | XML | a part of a track | 1/480 beat |
"""

import io
import json
import zipfile
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple
from xml.parsers import expat

import yaml

from toy_duration_predictor.data.midi.smf import refuse_large
from toy_duration_predictor.errors import InputError

TICKS_PER_BEAT = 480
# A tick in Synthesizer V's unit of time.
BLICKS = 705_600_000 // TICKS_PER_BEAT
# Ten collections within one another are OpenUtau's most.
DEEPEST = 50
# The song in a VOCALOID project, as different systems have named it.
SEQUENCE = ("Project/sequence.json", "Project\\sequence.json")


class Place(NamedTuple):
    """A number in a file.

    Attributes:
        value: The number.
        put: Puts another one there.
    """

    value: float
    put: Callable[[float], object]


class Note(NamedTuple):
    """A note in a file, in the file's own unit of time. `inner` are times that stay the same part of the note."""

    onset: Place
    duration: Place
    pitch: int
    inner: Sequence[Place] = ()


class Voice(NamedTuple):
    """What a file has of a voice, in the file's own unit of time.

    Attributes:
        track: The number of its track, from 0.
        notes: Its notes.
        curves: The times of points of curves, counted as onsets are.
        end: Where the part ends, counted as onsets are; None if that is not told.
    """

    track: int
    notes: list[Note]
    curves: list[Place]
    end: int | None = None


# How much of the file's time a tick is, the voices, and what returns the changed file.
Read = tuple[int, list[Voice], Callable[[], bytes]]


class Text:
    """A text in which numbers are replaced."""

    def __init__(self, text: str) -> None:
        self.text, self._new = text, dict[tuple[int, int], str]()

    def place(self, start: int, stop: int) -> Place:
        """Returns the place of the whole number between two characters."""
        self._new[start, stop] = old = self.text[start:stop]
        return Place(int(old), lambda value: self._new.update({(start, stop): str(value)}))

    def changed(self) -> str:
        """Returns the text with the numbers that were put."""
        parts, at = list[str](), 0
        for (start, stop), new in sorted(self._new.items()):
            parts += self.text[at:start], new
            at = stop
        return "".join([*parts, self.text[at:]])


def read_ustx(content: bytes) -> Read:
    """Reads an OpenUtau project."""
    text = content.decode()
    mark = text[: text.startswith("\ufeff")]
    text = text.removeprefix(mark)
    file = Text(text)

    def items(node: Any) -> dict[str, Any]:
        return {key.value: value for key, value in node.value}

    def place(node: Any) -> Place:
        return file.place(node.start_mark.index, node.end_mark.index)

    # A loader that takes nothing for a number or a truth value. libyaml's is ten times as fast, where it is there.
    loader = getattr(yaml, "CBaseLoader", yaml.BaseLoader)
    depth = 0
    # libyaml crashes on what is nested too deep, and aliases make a small file large.
    for event in yaml.parse(text, loader):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > DEEPEST or isinstance(event, yaml.AliasEvent):
            raise InputError("it has aliases, or is nested deeper than OpenUtau's files are")
    project = items(yaml.compose(text, loader))
    if project["resolution"].value != str(TICKS_PER_BEAT):
        raise InputError(f"its resolution is {project['resolution'].value}, and OpenUtau's is {TICKS_PER_BEAT}")
    voices = []
    for part in map(items, project["voice_parts"].value):
        notes = [
            Note(place(note["position"]), place(note["duration"]), int(note["tone"].value))
            for note in map(items, part["notes"].value)
        ]
        curves = [x for curve in part["curves"].value for x in items(curve)["xs"].value] if "curves" in part else []
        end = int(part["duration"].value) if "duration" in part else None
        voices.append(Voice(int(part["track_no"].value), notes, [place(x) for x in curves], end))
    return 1, voices, lambda: (mark + file.changed()).encode()


def _in(container: Any, key: Any) -> Place:
    """Returns the place of a number in a list or a dict."""
    return Place(container[key] + 0, lambda value: container.__setitem__(key, value))


def read_svp(content: bytes) -> Read:
    """Reads a Synthesizer V project."""
    # Old versions end their files with a zero.
    end = content[len(content.rstrip(b"\0")) :]
    project = json.loads(content.removesuffix(end))
    # Which track has a group: its own, or the first that refers to it.
    groups = [(i, track["mainGroup"]) for i, track in enumerate(project["tracks"])]
    refers = {
        each["groupID"]: i for i, track in reversed([*enumerate(project["tracks"])]) for each in track.get("groups", [])
    }
    groups += [(refers[group["uuid"]], group) for group in project.get("library") or [] if group["uuid"] in refers]
    voices = []
    for track, group in groups:
        notes = [Note(_in(note, "onset"), _in(note, "duration"), note["pitch"]) for note in group["notes"]]
        points = [each["points"] for each in (group.get("parameters") or {}).values() if isinstance(each, dict)]
        curves = [_in(each, i) for each in points for i in range(0, len(each), 2)]
        curves += [_in(each, "pos") for each in group.get("pitchControls") or []]
        voices.append(Voice(track, notes, curves))
    return BLICKS, voices, lambda: _json(project, content.isascii()) + end


def read_vpr(content: bytes) -> Read:
    """Reads a project of VOCALOID 5 or 6."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        refuse_large(sum(each.file_size for each in archive.infolist()))
        files = [(each, archive.read(each)) for each in archive.infolist()]
    song = next(i for i, (each, _) in enumerate(files) if each.filename in SEQUENCE)
    project = json.loads(files[song][1])
    voices = []
    for number, track in enumerate(project["tracks"]):
        for part in track.get("parts") or []:
            notes = []
            for note in part.get("notes") or []:
                vibrato, skill = note.get("vibrato") or {}, note.get("singingSkill") or {}
                points = [each for name in ("depths", "rates") for each in vibrato.get(name) or []]
                inner = [_in(each, "duration") for each in (vibrato, skill) if each.get("duration")]
                inner += [_in(each, "pos") for each in points]
                notes.append(Note(_in(note, "pos"), _in(note, "duration"), note["number"], inner))
            events = [event for each in part.get("controllers") or [] for event in each.get("events") or []]
            voices.append(Voice(number, notes, [_in(each, "pos") for each in events], part.get("duration")))

    def save() -> bytes:
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w") as archive:
            for i, (each, old) in enumerate(files):
                archive.writestr(each, _json(project, False) if i == song else old, each.compress_type)
        return out.getvalue()

    return 1, voices, save


def _json(project: Any, ascii_only: bool) -> bytes:
    return json.dumps(project, ensure_ascii=ascii_only, separators=(",", ":")).encode()


def read_vsqx(content: bytes) -> Read:
    """Reads a project of VOCALOID 3 or 4."""
    # VOCALOID 3's names, and VOCALOID 4's.
    parts, points = {"musicalPart", "vsPart"}, {"mCtrl", "cc"}
    names = {
        "posTick": "onset",
        "t": "onset",
        "durTick": "duration",
        "dur": "duration",
        "noteNum": "pitch",
        "n": "pitch",
    }
    file = Text(content.decode("latin-1"))  # a byte a character, as expat counts
    parser, path, begins = expat.ParserCreate(), [""], [0]
    tracks, voices, note = -1, list[Voice](), dict[str, Place]()

    def start(name: str, _: dict[str, str]) -> None:
        nonlocal tracks
        tracks += name == "vsTrack"
        if name in parts:
            voices.append(Voice(tracks, [], []))
        path.append(name)
        begins[0] = 0

    def text(_: str) -> None:
        begins[0] = begins[0] or parser.CurrentByteIndex

    def end(name: str) -> None:
        part, parent = ["", *path][-3:-1]
        begin, begins[0] = begins[0], 0
        if part in parts and parent in {"note", *points} and name in names:
            place = file.place(begin, parser.CurrentByteIndex)
            if parent == "note":
                note[names[name]] = place
            elif names[name] == "onset":
                voices[-1].curves.append(place)
        elif parent in parts and name == "playTime":
            voices[-1] = voices[-1]._replace(end=int(content[begin : parser.CurrentByteIndex]))
        elif parent in parts and name == "note":
            voices[-1].notes.append(Note(note["onset"], note["duration"], int(note["pitch"].value)))
            note.clear()
        path.pop()

    def refuse(*_: object) -> None:
        raise InputError("its XML defines entities, which its editor does not write")

    parser.StartElementHandler, parser.CharacterDataHandler, parser.EndElementHandler = start, text, end
    parser.EntityDeclHandler = refuse
    parser.Parse(content, True)
    return 1, voices, lambda: file.changed().encode("latin-1")
