import numpy as np

from toy_duration_predictor.demo.voice import RATE, sing


def test_it_sings_the_notes_and_nothing_between_them():
    notes = np.array([[0.5, 1.5], [2.0, 2.5]])
    sound = sing(notes, np.array([69, 57]), np.array([])).astype(float)
    assert len(sound) == int(3.5 * RATE)
    for (begin, end), hertz in zip(notes, (440, 220), strict=True):
        part = sound[int((begin + 0.05) * RATE) : int((end - 0.05) * RATE)]
        spectrum = np.abs(np.fft.rfft(part * np.hanning(len(part)), 2**18))
        frequency = np.fft.rfftfreq(2**18, 1 / RATE)
        near = np.abs(frequency / hertz - 1) < 0.3
        assert abs(frequency[near][spectrum[near].argmax()] / hertz - 1) < 0.02
    for begin, end in ((0, 0.5), (1.51, 2.0), (2.51, 3.5)):
        assert not sound[int(begin * RATE) : int(end * RATE)].any()


def test_beats_click():
    beats = np.array([0.0, 0.5, 1.0])
    sound = sing(np.array([[1.5, 2.0]]), np.array([60]), beats)
    loud = np.flatnonzero(np.abs(sound[: int(1.4 * RATE)]) > 500) / RATE
    assert {round(float(each), 1) for each in loud} == set(beats)


def test_high_notes_do_not_fold_back():
    sound = sing(np.array([[0.0, 1.0]]), np.array([120]), np.array([])).astype(float)
    spectrum = np.abs(np.fft.rfft(sound[:RATE] * np.hanning(RATE)))
    assert spectrum[:8000].max() < 0.01 * spectrum.max()
