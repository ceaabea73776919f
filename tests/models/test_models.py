"""What holds for every network, and what each promises beside that."""

import pytest
import torch

from tests.conftest import small_sizes
from toy_duration_predictor.errors import InputError
from toy_duration_predictor.models import DistributionNetwork, Inputs, build, network_names, singer_embedding
from toy_duration_predictor.models._phase import PhaseCRF
from toy_duration_predictor.models._recurrent import gru_states, scanned_states

STATISTICS = {"target_mean": 120.0, "target_std": 190.0, "style_features": 4.0}


def make(name, **sizes):
    torch.manual_seed(0)
    network = build(name, STATISTICS, num_singers=5, **{**small_sizes(name), **sizes}).eval()
    for parameter in network.parameters():
        if not parameter.any():
            torch.nn.init.normal_(parameter)  # what begins at zero says nothing yet, or what is not known of a singer
    return network


PHASE_CRFS = [name for name in network_names() if isinstance(make(name), PhaseCRF)]


@pytest.fixture
def windows():
    """Four windows of 20 notes at most, the last 0, 5, 12 and 19 of them padding."""
    torch.manual_seed(1)
    mask = torch.arange(20) < torch.tensor([20, 15, 8, 1])[:, None]
    quantized = 15.0 * torch.randint(0, 9, (4, 20)) * mask
    return Inputs(
        quantized=quantized,
        mask=mask,
        step=torch.full((4,), 15.0),
        rest=torch.rand(4, 20) < 0.3,
        start=torch.tensor([0.0, torch.nan, 3.0, 0.0]),
        singer=torch.tensor([0, 4, 2, 1]),
    )


def rows(inputs, which):
    """Returns some rows of the inputs."""
    return Inputs(*(part if part is None else part[which] for part in inputs))


@pytest.mark.parametrize("name", network_names())
def test_ticks_in_ticks_out(name, windows):
    network = make(name)
    predicted = network(windows)
    assert predicted.shape == windows.quantized.shape
    assert predicted.dtype == torch.float32
    assert predicted.isfinite().all()


@pytest.mark.parametrize("name", network_names())
def test_the_singer_matters(name, windows):
    network = make(name)
    others = windows._replace(singer=windows.singer.flip(0))
    assert not torch.equal(network(windows)[0], network(others)[0])


@pytest.mark.parametrize("name", PHASE_CRFS)
def test_a_style_takes_the_place_of_the_singer(name, windows):
    network = make(name)
    style = network.singer_embedding.weight[windows.singer]
    torch.testing.assert_close(network(windows._replace(singer=windows.singer * 0, style=style)), network(windows))


@pytest.mark.parametrize("name", network_names())
def test_rows_do_not_see_each_other(name, windows):
    network = make(name)
    together = network(windows)
    for i in range(4):
        alone = network(rows(windows, slice(i, i + 1)))
        torch.testing.assert_close(alone[0], together[i])


@pytest.mark.parametrize("name", [name for name in network_names() if name != "bigru_published"])
def test_padding_is_not_seen(name, windows):
    network = make(name)
    predicted, mask = network(windows), windows.mask
    assert not predicted[~mask].any()
    for i, notes in enumerate(mask.sum(1).tolist()):
        row = rows(windows, slice(i, i + 1))
        cut = row._replace(quantized=row.quantized[:, :notes], mask=row.mask[:, :notes], rest=row.rest[:, :notes])
        torch.testing.assert_close(network(cut)[0], predicted[i, :notes])
    noisy = windows._replace(quantized=torch.where(mask, windows.quantized, 777.0))
    torch.testing.assert_close(network(noisy), predicted)


def test_bigru_corrects_its_input(windows):
    """With an output layer of zeros it copies, a rest of 40,000 ticks as well as any other note."""
    network = make("bigru")
    torch.nn.init.zeros_(network.fc.weight)
    torch.nn.init.zeros_(network.fc.bias)
    windows.quantized[0, 3] = 40_000
    assert torch.equal(network(windows), windows.quantized)


def test_bigru_predicts_no_negative_duration(windows):
    network = make("bigru")
    torch.nn.init.constant_(network.fc.bias, -100)
    assert not network(windows).any()


def test_bigru_measures_in_steps(windows):
    """But for the step itself, whose logarithm it sees, the same music at another resolution is the same."""
    network = make("bigru")
    at_120 = network(windows)
    network.target_mean *= 8
    at_960 = windows._replace(quantized=8 * windows.quantized, step=8 * windows.step)
    torch.testing.assert_close(network(at_960), 8 * at_120, rtol=1e-4, atol=1e-3)


def test_bigru_published_has_the_published_weights():
    """Names and shapes of the files of `ccss17/toy-duration-predictor`: 3 layers, hidden size 256, 18 singers."""
    state = build("bigru_published", {}, num_singers=18).state_dict()
    shapes = {"singer_embedding.weight": (18, 32), "fc.weight": (1, 512), "fc.bias": (1,)}
    for layer in range(3):
        for direction in ("", "_reverse"):
            shapes[f"rnn.weight_ih_l{layer}{direction}"] = (768, 33 if layer == 0 else 512)
            shapes[f"rnn.weight_hh_l{layer}{direction}"] = (768, 256)
            shapes[f"rnn.bias_ih_l{layer}{direction}"] = (768,)
            shapes[f"rnn.bias_hh_l{layer}{direction}"] = (768,)
    assert {key: tuple(value.shape) for key, value in state.items()} == shapes


def test_bigru_published_sees_raw_ticks_and_answers_in_ticks(windows):
    network = make("bigru_published")
    embedding = network.singer_embedding.weight[windows.singer][:, None].repeat(1, 20, 1)
    normalized = network.fc(network.rnn(torch.cat([windows.quantized[..., None], embedding], dim=-1))[0])[..., 0]
    torch.testing.assert_close(network(windows), normalized * 190.0 + 120.0)


def test_the_gru_that_is_exported_is_torchs(windows):
    """Written out note by note, against packed sequences."""
    mask, gru = windows.mask, torch.nn.GRU(8, 3, num_layers=2, batch_first=True, bidirectional=True)
    notes = torch.randn(4, 20, 8)
    torch.testing.assert_close(scanned_states(gru, notes, mask), gru_states(gru, notes, mask))


@pytest.mark.parametrize(
    ("name", "sizes", "message"),
    [
        ("bigrru", {}, "model.name=bigrru: no such network; did you mean 'bigru'?"),
        ("bigru", {"hiden_size": 8}, "network 'bigru' has no such size; did you mean 'hidden_size'?"),
        ("bigru", {"hidden_size": 0}, "Network 'bigru' cannot be made with"),
        ("bigru", {"dropout": 2.0}, "Network 'bigru' cannot be made with"),
        ("phase", {"layers": 10**6}, "it would have more than 10,000 tensors or 268,435,456 numbers in them"),
        ("phase", {"width": 10**6}, "cannot be made with"),
        ("phase_transformer", {"layers": 10**6}, "it would have more than 10,000 tensors"),
        ("bigru", {"hidden_size": 10**5}, "cannot be made with"),
        ("bigru_published", {"num_layers": 10**6}, "cannot be made with"),
    ],
)
def test_what_cannot_be_built_is_refused(name, sizes, message):
    with pytest.raises(InputError) as error:
        build(name, STATISTICS, num_singers=5, **sizes)
    assert message in str(error.value)


@pytest.mark.parametrize("name", PHASE_CRFS)
def test_metrical_positions_count_wherever_a_note_is(name):
    network = make(name)
    notes, mask = torch.randn(1, 30, 8), torch.ones(1, 30, dtype=torch.bool)
    position = torch.arange(30)[None] * 3 % 8
    changed = position.clone()
    changed[0, 20:] = (changed[0, 20:] + 1) % 8
    different = network.encode(notes, mask, position) != network.encode(notes, mask, changed)
    assert different.any(dim=2).all()


def test_what_a_network_does_is_what_it_has():
    """Half of the methods are none; the embedding is one by its type, not by its name."""
    assert isinstance(make("phase"), DistributionNetwork)
    assert singer_embedding(make("phase")).num_embeddings == 5
    network = make("bigru")
    assert not isinstance(network, DistributionNetwork)
    network.distribution = network.sample = network.forward
    assert not isinstance(network, DistributionNetwork)
    network.log_likelihood = network.forward
    assert isinstance(network, DistributionNetwork)
    network.singer_embedding = torch.nn.Linear(5, 4)
    assert singer_embedding(network) is None
