import lightning.pytorch as pl
import numpy as np
import pytest
import torch
from torch import nn

from toy_duration_predictor.data.batches import Batch
from toy_duration_predictor.data.datamodule import SongsDataModule
from toy_duration_predictor.errors import InputError
from toy_duration_predictor.training.task import SCORES_CLIP, DurationTask, warm_up_and_cosine

SIZES = {"hidden_size": 8, "singer_embedding_dim": 4, "num_layers": 2}


def make_task(data, network="bigru", **arguments):
    torch.manual_seed(0)
    sizes = {"width": 8} if network == "phase" else SIZES
    return DurationTask(network, sizes, data.singers, data.statistics, window=data.window, **arguments).eval()


@pytest.fixture
def data(songs):
    long_rest = songs.map(
        lambda row, i: (
            {
                "durations": [40_011, *row["durations"][1:]],
                "quantized_durations": [40_005, *row["quantized_durations"][1:]],
            }
            if i % 3 == 0
            else row
        ),
        with_indices=True,
    )
    return SongsDataModule(long_rest, split="published", window=16, batch_size=4)


@pytest.fixture
def trainer(tmp_path):
    return pl.Trainer(
        accelerator="cpu",
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        default_root_dir=tmp_path,
    )


pytestmark = [
    pytest.mark.filterwarnings("ignore:.*does not have many workers"),
    pytest.mark.filterwarnings("ignore:.*isinstance.treespec, LeafSpec:FutureWarning"),
    pytest.mark.filterwarnings("ignore:.*isinstance.treespec, LeafSpec:DeprecationWarning"),
]


@pytest.mark.parametrize("loss", ["mae", "published"])
def test_test_metrics_are_of_whole_songs(data, trainer, loss):
    """By windows, as published, or by whole songs; against the songs of the table, one by one."""
    data.whole_songs = loss != "published"
    task = make_task(data, "bigru_published" if loss == "published" else "bigru", loss=loss)
    logged = trainer.test(task, data.test_dataloader(), verbose=False)[0]
    predicted = np.split(task.predicted.numpy(), np.cumsum([len(data.songs.sung.song(row)) for row in data.split.test]))
    sung, quantized = ([part.song(row) for row in data.split.test] for part in (data.songs.sung, data.songs.quantized))
    errors = np.concatenate([np.abs(p - s) for p, s in zip(predicted, sung, strict=False)])
    assert logged["test/mae"] == pytest.approx(errors.mean(), rel=1e-5)
    assert logged["test/mae_beats"] == pytest.approx(errors.mean() / 120, rel=1e-5)
    copied = np.concatenate([np.abs(q - s) for q, s in zip(quantized, sung, strict=True)])
    assert logged["test/skill"] == pytest.approx(1 - errors.mean() / copied.mean(), rel=1e-5)
    assert "test/onset_mae" in logged
    # As if they were carried values, whose running totals are no onsets.
    data.songs.carried = True
    assert "test/onset_mae" not in trainer.test(task, data.test_dataloader(), verbose=False)[0]


def test_beats_only_where_the_resolution_is_known(songs, trainer):
    half = songs.map(lambda row, i: {"ticks_per_beat": 480 if i % 2 else None}, with_indices=True)
    data = SongsDataModule(half, split="published", window=16)
    logged = trainer.test(make_task(data), data.test_dataloader(), verbose=False)[0]
    rows = [row for row in data.split.test if row % 2]
    errors = [np.abs(np.subtract(songs[int(r)]["durations"], songs[int(r)]["quantized_durations"])) for r in rows]
    assert logged["test/copy_mae_beats"] == pytest.approx(np.concatenate(errors).mean() / 480, rel=1e-5)

    none = SongsDataModule(songs.remove_columns("ticks_per_beat"), split="published", window=16)
    assert "test/mae_beats" not in trainer.test(make_task(none), none.test_dataloader(), verbose=False)[0]


def test_validation_metrics_against_numpy(data, trainer):
    task = make_task(data)
    logged = trainer.validate(task, data.val_dataloader(), verbose=False)[0]
    batches = list(data.val_dataloader())
    with torch.no_grad():
        errors = [(task(batch) - batch.sung)[batch.mask].abs() for batch in batches]
    copied = torch.cat([(batch.quantized - batch.sung)[batch.mask].abs() for batch in batches])
    assert logged["val/mae"] == pytest.approx(torch.cat(errors).mean().item(), rel=1e-5)
    assert logged["val/loss"] == pytest.approx(np.mean([error.mean() for error in errors]), rel=1e-5)
    assert logged["val/skill"] == pytest.approx(1 - torch.cat(errors).mean().item() / copied.mean().item(), rel=1e-4)


def test_an_anonymous_model_does_not_see_the_singer(data):
    batch = next(iter(data.test_dataloader()))
    other = batch._replace(singer=(batch.singer + 1) % len(data.singers))
    with torch.no_grad():
        for anonymous in (True, False):
            task = make_task(data, anonymous=anonymous)
            assert torch.equal(task(batch), task(other)) is anonymous


def test_a_second_test_starts_from_nothing(data, trainer):
    task = make_task(data)
    first = trainer.test(task, data.test_dataloader(), verbose=False)
    notes = len(task.predicted)
    assert trainer.test(task, data.test_dataloader(), verbose=False) == first
    assert len(task.predicted) == notes


@pytest.mark.parametrize("loss", ["mae", "mse"])
def test_losses_do_not_count_padding(data, loss):
    task = make_task(data, loss=loss)
    batch = next(iter(data.val_dataloader()))
    predicted = torch.rand(batch.mask.shape) * 100
    difference = (predicted - batch.sung)[batch.mask]
    expected = difference.abs().mean() if loss == "mae" else (difference**2).mean()
    torch.testing.assert_close(task.loss(batch, predicted), expected)
    spoilt = torch.where(batch.mask, predicted, 1e9)
    torch.testing.assert_close(task.loss(batch, spoilt), expected)


def test_the_likelihood_is_that_of_a_note(data):
    task = make_task(data, "phase", loss="likelihood")
    batch = next(iter(data.val_dataloader()))
    likelihood = task.network.log_likelihood(task.inputs(batch), batch.sung, carried=True)
    torch.testing.assert_close(task.loss(batch), (-likelihood.sum() / batch.mask.sum()).float())
    with pytest.raises(InputError, match="network 'bigru' has no distribution; choose mae or mse"):
        make_task(data, "bigru", loss="likelihood")


def test_the_published_recipe_step_by_step(data):
    """One Adam step on whole windows: normalized, clamped targets, mean squared error, written out as published."""
    mean, std = data.statistics["target_mean"], data.statistics["target_std"]
    task = make_task(
        data, "bigru_published", loss="published", learning_rate=1e-4, schedule="constant", weight_decay=0.0
    ).eval()
    reference = make_task(data, "bigru_published").eval().network
    adam = torch.optim.Adam(reference.parameters(), lr=1e-4)
    optimizer = task.configure_optimizers()
    data.whole_songs = False
    for batch in data.val_dataloader():
        embedding = reference.singer_embedding(batch.singer)[:, None].expand(-1, 16, -1)
        normalized = reference.fc(reference.rnn(torch.cat([batch.quantized[..., None], embedding], -1))[0]).squeeze(-1)
        label = (torch.clamp(batch.sung, 0, 1000) - mean) / (std + 1e-8)
        expected = nn.MSELoss()(normalized, label)
        adam.zero_grad()
        expected.backward()
        adam.step()

        loss = task.loss(batch)
        torch.testing.assert_close(loss, expected)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    for key, value in task.network.state_dict().items():
        torch.testing.assert_close(value, reference.state_dict()[key], rtol=1e-4, atol=1e-6)


def test_checkpoints_need_nothing_beside_themselves(data, trainer, tmp_path):
    task = make_task(data, loss="mse", seed=7)
    trainer.strategy.connect(task)
    trainer.save_checkpoint(tmp_path / "task.ckpt", weights_only=True)
    loaded = DurationTask.load_from_checkpoint(tmp_path / "task.ckpt", weights_only=True)
    assert dict(loaded.hparams) == dict(task.hparams)
    batch: Batch = next(iter(data.test_dataloader()))
    with torch.no_grad():
        assert torch.equal(loaded.eval()(batch), task.eval()(batch))


@pytest.mark.parametrize("steps", [1, 2, 5, 7, 100])
def test_the_learning_rate_rises_then_falls(steps):
    rates = np.array([warm_up_and_cosine(step, steps) for step in range(steps + 1)])
    peak = rates.argmax()
    assert (np.diff(rates[: peak + 1]) > 0).all()
    assert (np.diff(rates[peak:]) < 0).all()
    assert 0 < rates[0] <= rates.max() <= 1
    assert rates[steps] == pytest.approx(0)
    assert peak == pytest.approx(steps / 5, abs=1)


@pytest.mark.parametrize(("scores", "told", "norm"), [(1.0, None, SCORES_CLIP), (1.0, 2.0, 2.0), (0.0, None, None)])
def test_gradients_are_clipped_with_scores_and_where_it_is_told(scores, told, norm):
    statistics = {"target_mean": 100.0, "target_std": 100.0, "style_features": 4.0, "scores": scores}
    task = DurationTask("phase", {"width": 8, "layers": 1, "phases": 5}, [1, 2], statistics, loss="likelihood")
    task.trainer = pl.Trainer(logger=False, enable_checkpointing=False, enable_progress_bar=False, accelerator="cpu")
    optimizer = torch.optim.SGD(task.parameters(), lr=1)
    for parameter in task.parameters():
        parameter.grad = torch.full_like(parameter, 3.0)
    before = task.network.out.weight.grad.clone()
    task.configure_gradient_clipping(optimizer, told, "norm" if told else None)
    found = torch.stack([parameter.grad.norm() for parameter in task.parameters()]).norm()
    if norm is None:
        assert torch.equal(task.network.out.weight.grad, before)
    else:
        assert found.item() == pytest.approx(norm, rel=1e-3)
