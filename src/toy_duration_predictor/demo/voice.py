"""A simple voice that makes timing audible: one vowel, a little vibrato, short fades.

Shapes: `N` notes, `S` samples.
"""

import numpy as np

RATE = 22_050  # samples a second

# Formants of the vowel in "father": hertz, bandwidth and level. Peterson and Barney (1952), "Control methods used in a
# study of the vowels", table II, means of the men.
FORMANTS = ((730.0, 90.0, 1.0), (1090.0, 110.0, 0.56), (2440.0, 170.0, 0.04))

ATTACK, RELEASE = 0.02, 0.03  # seconds within which a note comes and goes
VIBRATO = 5.5  # hertz
VIBRATO_DEPTH = 0.3  # semitones, reached after VIBRATO_ONSET
VIBRATO_ONSET = 0.4  # seconds
TABLE = 2048  # samples of one period


def sing(notes: np.ndarray, pitch: np.ndarray, beats: np.ndarray) -> np.ndarray:
    """Sings notes, with a soft click at every beat for comparison.

    Args:
        notes: float `(N, 2)`, seconds; onset and end of each note.
        pitch: int `(N,)`, MIDI note numbers.
        beats: float, seconds; the times of the clicks.

    Returns:
        int16 `(S,)`, at `RATE`; a second longer than the last note.
    """
    places = (notes * RATE).astype(np.int64)
    sound = np.zeros(places.max() + RATE, np.float32)
    for (first, last), number in zip(places, pitch, strict=True):
        sound[first:last] += _note(last - first, number)
    click = _click()
    for beat in beats:
        place = slice(int(beat * RATE), int(beat * RATE) + len(click))
        sound[place] += click[: len(sound[place])]
    return (sound * (0.9 * 2**15 / max(float(np.abs(sound).max()), 1e-9))).astype(np.int16)


def _note(samples: int, pitch: int) -> np.ndarray:
    """Returns a note, float32 `(samples,)`."""
    seconds = np.arange(samples) / RATE
    depth = VIBRATO_DEPTH * np.clip(seconds / VIBRATO_ONSET, 0, 1) ** 2
    hertz = 440 * 2 ** ((pitch - 69 + depth * np.sin(2 * np.pi * VIBRATO * seconds)) / 12)
    period = np.cumsum(hertz) / RATE  # how many periods have passed, so that a varying pitch makes no jumps
    wave = _period(440 * 2 ** ((pitch - 69) / 12))[(period * TABLE).astype(np.int64) % TABLE]
    fade = np.minimum(np.minimum(seconds / ATTACK, (samples / RATE - seconds) / RELEASE), 1)
    sung: np.ndarray = (wave * np.sin(np.pi / 2 * fade) ** 2).astype(np.float32)
    return sung


def _period(hertz: float) -> np.ndarray:
    """Returns one period of the vowel, float `(TABLE,)`, equally loud at every pitch."""
    # Higher harmonics would fold back: with vibrato they would reach half the sampling rate.
    harmonics = np.arange(1, max(int(0.48 * RATE / hertz), 1) + 1)[: TABLE // 2 - 1]
    frequency = harmonics * hertz
    levels = 0.02 + sum(level / (1 + ((frequency - at) / width) ** 2) for at, width, level in FORMANTS)
    spectrum = np.zeros(TABLE // 2 + 1, complex)
    spectrum[harmonics] = levels / harmonics * np.exp(1j * harmonics**2)  # phases that keep the peaks low
    period = np.fft.irfft(spectrum)
    even: np.ndarray = period / np.sqrt(np.mean(period**2))
    return even


def _click() -> np.ndarray:
    """Returns 15 ms of a knock, float32."""
    seconds = np.arange(int(0.015 * RATE)) / RATE
    knock: np.ndarray = (0.5 * np.sin(2 * np.pi * 1600 * seconds) * np.exp(-seconds / 0.003)).astype(np.float32)
    return knock
