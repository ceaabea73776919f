"""The page's built-in songs: two old tunes and a simulated song, written as MIDI files."""

from collections.abc import Iterable
from pathlib import Path

from toy_duration_predictor.data.midi.smf import (
    END_OF_TRACK,
    LYRIC,
    META,
    SET_TEMPO,
    TIME_SIGNATURE,
    Event,
    Tracks,
    unparse,
)
from toy_duration_predictor.data.schema import QUANTIZED_COLUMN
from toy_duration_predictor.data.simulate import simulate_songs

TICKS_PER_BEAT = 480

# A note is its syllable, its MIDI note number and its beats; `_` is a rest.
# Beethoven, Symphony No. 9 (1824); words by Schiller (1785).
ODE_TO_JOY = """
Freu 64 1  de, 64 1  schö 65 1  ner 67 1  Göt 67 1  ter 65 1  fun 64 1  ken, 62 1
Toch 60 1  ter 60 1  aus 62 1  E 64 1  ly 64 1.5  si 62 .5  um, 62 1  _ 0 1
wir 64 1  be 64 1  tre 65 1  ten 67 1  feu 67 1  er 65 1  trun 64 1  ken, 62 1
Himm 60 1  li 60 1  sche, 62 1  dein 64 1  Hei 62 1.5  lig 60 .5  tum! 60 1  _ 0 1
Dei 62 1  ne 62 1  Zau 64 1  ber 60 1  bin 62 1  den 64 .5  - 65 .5  wie 64 1  der, 60 1
was 62 1  die 64 .5  - 65 .5  Mo 64 1  de 62 1  streng 60 1  ge 62 1  teilt; 55 1  _ 0 1
al 64 1  le 64 1  Men 65 1  schen 67 1  wer 67 1  den 65 1  Brü 64 1  der, 62 1
wo 60 1  dein 60 1  sanf 62 1  ter 64 1  Flü 62 1.5  gel 60 .5  weilt. 60 2
"""
# A German children's song; words by Wiedemann (before 1882).
LITTLE_HANS = """
Häns 67 1  chen 64 1  klein 64 1.5  _ 0 .5  ging 65 1  al 62 1  lein 62 1.5  _ 0 .5
in 60 1  die 62 1  wei 64 1  te 65 1  Welt 67 1  hin 67 1  ein. 67 1  _ 0 1
Stock 67 1  und 64 1  Hut 64 1.5  _ 0 .5  steht 65 1  ihm 62 1  gut, 62 1.5  _ 0 .5
ist 60 1  gar 64 1  wohl 67 1  ge 67 1  mut. 60 3  _ 0 1
A 62 1  ber 62 1  Mut 62 1  ter 62 1  wei 62 1  net 64 1  sehr, 65 1.5  _ 0 .5
hat 64 1  ja 64 1  nun 64 1  kein 64 1  Häns 64 1  chen 65 1  mehr. 67 1  _ 0 1
Wünsch 67 1  dir 64 1  Glück, 64 1.5  _ 0 .5  sagt 65 1  ihr 62 1  Blick, 62 1.5  _ 0 .5
kehr 60 1  nur 64 1  bald 67 1  zu 67 1  rück! 60 4
"""

# Beats, note number (0 is a rest) and syllable.
Note = tuple[float, int, str]


def write_songs(folder: Path) -> dict[str, Path]:
    """Writes the built-in songs as MIDI files and returns them by their names on the page."""
    songs = {
        "Ode to Joy": _midi(_notes(ODE_TO_JOY), beats_per_minute=108),
        "Hänschen klein": _midi(_notes(LITTLE_HANS), beats_per_minute=132),
        "A simulated song": _midi(_simulated(), beats_per_minute=120),
    }
    folder.mkdir(parents=True, exist_ok=True)
    places = {name: folder / f"{name}.mid" for name in songs}
    for name, place in places.items():
        place.write_bytes(songs[name])
    return places


def _notes(text: str) -> list[Note]:
    words = text.split()  # three words a note
    return [
        (float(beats), int(number), syllable)
        for syllable, number, beats in zip(words[::3], words[1::3], words[2::3], strict=True)
    ]


def _simulated() -> list[Note]:
    """Returns the beginning of the first simulated song, quantized."""
    song = simulate_songs(1)[0]
    beats = [ticks / song["ticks_per_beat"] for ticks in song[QUANTIZED_COLUMN][:160]]
    return [(length, pitch, "라") for length, pitch in zip(beats, song["pitch"], strict=False)]


def _midi(notes: Iterable[Note], beats_per_minute: int) -> bytes:
    tempo = (60_000_000 // beats_per_minute).to_bytes(3)
    events: list[Event] = [(0, META, SET_TEMPO, tempo), (0, META, TIME_SIGNATURE, bytes([4, 2, 24, 8]))]
    tick = 0
    for beats, number, syllable in notes:
        end = tick + round(beats * TICKS_PER_BEAT)
        if number and end > tick:  # quantizing may leave a note no length
            events += [
                (tick, META, LYRIC, syllable.encode()),
                (tick, 0x90, number, bytes([90])),
                (end, 0x80, number, bytes([0])),
            ]
        tick = end
    return unparse(Tracks(0, TICKS_PER_BEAT, [[*events, (tick, META, END_OF_TRACK, b"")]]))
