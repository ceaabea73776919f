"""The warning that predictions got worse while what weights are kept by got better."""

from types import SimpleNamespace

import pytest

from toy_duration_predictor.training.callbacks import KeptEpoch


def after(epochs, interrupted_after=None):
    """A callback after epochs with these values of `val/loss` and `val/mae`; perhaps of a run that went on."""
    callback = KeptEpoch("val/loss")
    for number, (loss, mae) in enumerate(epochs):
        if number == interrupted_after:
            state, callback = callback.state_dict(), KeptEpoch("val/loss")
            callback.load_state_dict(state)
        callback.on_train_epoch_end(SimpleNamespace(callback_metrics={"val/loss": loss, "val/mae": mae}), None)
    return callback


@pytest.mark.parametrize("interrupted_after", [None, 1, 2])
@pytest.mark.parametrize(
    ("epochs", "said"),
    [
        ([(3.0, 8.0), (2.5, 7.0), (2.0, 7.2)], True),  # the kept one is 2.9 % worse than the second
        ([(3.0, 8.0), (2.5, 7.0), (2.0, 7.1)], False),  # 1.4 %
        ([(3.0, 8.0), (2.5, 7.0), (2.6, 6.0)], False),  # a later epoch is better, and is not kept
        ([(3.0, 8.0), (2.5, 7.5), (2.0, 7.0)], False),
        ([(3.0, 7.0), (2.5, 8.0), (2.0, 7.5)], True),
    ],
)
def test_a_kept_epoch_with_worse_predictions_is_named(epochs, said, interrupted_after, caplog):
    callback = after(epochs, interrupted_after)
    callback.on_fit_end(None, None)
    assert ("predictions got worse while val/loss got better" in caplog.text) is said
    if said:
        assert f"an earlier epoch had a val/mae of {min(mae for _, mae in epochs):.3f} ticks" in caplog.text


def test_nothing_is_said_without_an_epoch(caplog):
    KeptEpoch("val/loss").on_fit_end(None, None)
    assert not caplog.text
