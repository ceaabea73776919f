"""A trained model in use: quantized durations of whole songs in, sung durations out.

A network is trained on windows of songs. Here it is given whole songs, so predictions have no seams between windows.

Shapes: `T` notes and rests of a song, `L` levels.
"""

from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any, TypeAlias, overload

import numpy as np
import torch
from torch import Tensor, nn

from toy_duration_predictor.errors import InputError, first_line
from toy_duration_predictor.inference.download import load_model
from toy_duration_predictor.inference.inputs import Step, Ticks, checked_songs, checked_steps
from toy_duration_predictor.models import DistributionNetwork, singer_embedding
from toy_duration_predictor.models._histogram import quantiles
from toy_duration_predictor.training.run_folder import best_checkpoint, load_run

# The name of the model that comes with the package, and where it is.
DEMO, DEMO_MODEL = "demo", Path(__file__).with_name("demo_model")

# A `singer_id`, or the weights of several.
Singer: TypeAlias = int | Mapping[int, float]

# What a network is given of a song: quantized durations `(1, T)`, singer `(1,)`, mask `(1, T)` and step `(1,)`.
_Inputs: TypeAlias = tuple[Tensor, Tensor, Tensor, Tensor]


class Predictor:
    """A trained network with the singers that it knows.

    Every method takes one song or several. One song is a list or an array of `T` quantized durations in ticks, notes
    and the rests between them in turn, as in the songs table's column `quantized_durations`; the method returns one
    array. Several songs are a list of such lists, of any lengths; the method returns a list of arrays. The numbers of a
    song do not depend on the songs beside it.

    `singer` is a `singer_id`. Or it is a mixture such as `{2: 0.5, 7: 0.5}`: the weighted mean of what the network has
    learned of these singers, with the weights scaled to a sum of 1. A model trained without the singer's identity takes
    the same singers and mixtures, and makes no difference between them.

    `step` is the ticks of a song's grid step: 1/32 of a whole note is 60 ticks at 480 ticks per beat. For several songs
    it may be a list of as many. None stands for the greatest common divisor of the song's durations, as in training;
    durations that show no grid are then refused, because they are probably sung ones. Give the step where a song may
    have no short notes, or where it mixes grids. A given step is not checked: durations that are no multiples of it,
    such as triplets, are taken as they are.

    Any number of threads may use a predictor at the same time: it keeps a copy of the network and never changes it.

    Args:
        network: See `models`; it is copied.
        singers: The `singer_id` of each singer index.
        anonymous: Whether the network was trained without the singer's identity.
        device: Where to compute, such as `cpu`, `cuda` or `cuda:1`.

    Raises:
        InputError: There is no such device.

    >>> predictor = Predictor.load("demo")
    >>> predictor.predict([240, 240, 60, 480], singer=2, step=60).shape
    (4,)
    """

    def __init__(
        self, network: nn.Module, singers: Sequence[int], anonymous: bool = False, device: str | torch.device = "cpu"
    ) -> None:
        self.singers = list(singers)
        self.anonymous = anonymous
        try:
            self.device = torch.device(device)
            self.network = deepcopy(network).to(self.device).requires_grad_(False).eval()
        except (RuntimeError, AssertionError) as error:
            # Torch adds lines about its own debugging.
            raise InputError(f"device={device} cannot be used: {first_line(error).rstrip('.')}.") from error

    @classmethod
    def load(cls, place: str | Path, device: str | torch.device = "cpu") -> "Predictor":
        """Loads a model.

        Args:
            place: A run's folder, whose best weights are taken; a checkpoint file; a saved model's folder or its name
                on the Hub, see `download.load_model`; or `demo`, the small model of simulated singers that comes
                with this package.
            device: Where to compute.

        Raises:
            InputError: There is no model, it cannot be read, or there is no such device.
        """
        path = DEMO_MODEL if place == DEMO else Path(place)
        # A run's folder has checkpoints; a saved model's folder has none.
        if not best_checkpoint(path).is_file():
            return cls(*load_model(path if place == DEMO else place), device)
        task = load_run(path)
        return cls(task.network, task.singers, task.hparams["anonymous"], device)

    @property
    def has_distribution(self) -> bool:
        """Whether `sample`, `quantiles` and `log_likelihood` can be used."""
        return isinstance(self.network, DistributionNetwork)

    @overload
    def predict(self, quantized: Ticks, singer: Singer, step: Step = None) -> np.ndarray: ...
    @overload
    def predict(self, quantized: Sequence[Ticks], singer: Singer, step: Step = None) -> list[np.ndarray]: ...
    def predict(
        self, quantized: Ticks | Sequence[Ticks], singer: Singer, step: Step = None
    ) -> np.ndarray | list[np.ndarray]:
        """Predicts sung durations. Where the model has a distribution, it is the median of each duration.

        Args:
            quantized: Quantized durations of one song or several, ticks.
            singer: See the class.
            step: See the class.

        Returns:
            float64 `(T,)`, ticks; a list of such arrays for several songs.

        Raises:
            InputError: A song is empty; a duration is no number, negative, or not finite; no step is given and the
                durations are on no grid; the singer is not known; or the step is not above 0.
        """
        return self._each(quantized, singer, step, lambda network, inputs, _: network(*inputs)[0])

    @overload
    def sample(
        self, quantized: Ticks, singer: Singer, step: Step = None, *, seed: int = 0, temperature: float = 1.0
    ) -> np.ndarray: ...
    @overload
    def sample(
        self, quantized: Sequence[Ticks], singer: Singer, step: Step = None, *, seed: int = 0, temperature: float = 1.0
    ) -> list[np.ndarray]: ...
    def sample(
        self,
        quantized: Ticks | Sequence[Ticks],
        singer: Singer,
        step: Step = None,
        *,
        seed: int = 0,
        temperature: float = 1.0,
    ) -> np.ndarray | list[np.ndarray]:
        """Samples sung durations, all durations of a song jointly. Another seed gives another performance.

        Args:
            quantized: Quantized durations of one song or several, ticks.
            singer: See the class.
            step: See the class.
            seed: Of the random numbers. The songs of one call use them one after the other.
            temperature: Above 0. Near 0 the sample is the likeliest performance; above 1 unlikely ones come oftener.

        Returns:
            float64 `(T,)`, ticks; a list of such arrays for several songs.

        Raises:
            InputError: As for `predict`; or the model has no distribution, or temperature or seed is out of range.
        """
        self._check_distribution("sample")
        if not (0 < temperature < np.inf):
            raise InputError(f"temperature={temperature}: give a number above 0.")
        if not 0 <= seed < 2**63:
            raise InputError(f"seed={seed}: give a whole number from 0 to 2^63 - 1.")
        generator = torch.Generator(self.device).manual_seed(seed)
        return self._each(
            quantized, singer, step, lambda network, inputs, _: network.sample(*inputs, temperature, generator)[0]
        )

    @overload
    def quantiles(self, quantized: Ticks, singer: Singer, levels: Sequence[float], step: Step = None) -> np.ndarray: ...
    @overload
    def quantiles(
        self, quantized: Sequence[Ticks], singer: Singer, levels: Sequence[float], step: Step = None
    ) -> list[np.ndarray]: ...
    def quantiles(
        self, quantized: Ticks | Sequence[Ticks], singer: Singer, levels: Sequence[float], step: Step = None
    ) -> np.ndarray | list[np.ndarray]:
        """Predicts quantiles of each sung duration.

        Args:
            quantized: Quantized durations of one song or several, ticks.
            singer: See the class.
            levels: `L` probabilities from 0 to 1, such as 0.05, 0.5 and 0.95.
            step: See the class.

        Returns:
            float64 `(T, L)`, ticks; a list of such arrays for several songs.

        Raises:
            InputError: As for `predict`; or the model has no distribution, or a level is not from 0 to 1.
        """
        self._check_distribution("quantiles")
        wanted = torch.tensor(levels, dtype=torch.float32, device=self.device)
        if wanted.ndim != 1 or not ((wanted >= 0) & (wanted <= 1)).all():
            raise InputError(f"levels={levels}: give numbers from 0 to 1.")

        def compute(network: Any, inputs: _Inputs, _: Tensor | None) -> Tensor:
            probabilities, edges = network.distribution(*inputs)
            return quantiles(probabilities, edges, wanted)[0]

        return self._each(quantized, singer, step, compute)

    @overload
    def log_likelihood(self, quantized: Ticks, singer: Singer, sung: Ticks, step: Step = None) -> np.ndarray: ...
    @overload
    def log_likelihood(
        self, quantized: Sequence[Ticks], singer: Singer, sung: Sequence[Ticks], step: Step = None
    ) -> list[np.ndarray]: ...
    def log_likelihood(
        self, quantized: Ticks | Sequence[Ticks], singer: Singer, sung: Ticks | Sequence[Ticks], step: Step = None
    ) -> np.ndarray | list[np.ndarray]:
        """Returns the log-likelihood of a song's sung durations, over the bins that the model's network documents.

        Args:
            quantized: Quantized durations of one song or several, ticks.
            singer: See the class.
            sung: Sung durations of the same songs, ticks.
            step: See the class.

        Returns:
            float64 `()`, nats, of the whole song; a list of such arrays for several songs.

        Raises:
            InputError: As for `predict`; or the model has no distribution, or a song has not as many sung durations.
        """
        self._check_distribution("log_likelihood")
        return self._each(
            quantized,
            singer,
            step,
            lambda network, inputs, sung: network.log_likelihood(*inputs, sung)[0],
            checked_songs(sung, "sung")[0],
        )

    @torch.inference_mode()
    def _each(
        self,
        quantized: Ticks | Sequence[Ticks],
        singer: Singer,
        step: Step,
        compute: Callable[[Any, _Inputs, Tensor | None], Tensor],
        sung: list[np.ndarray] | None = None,
    ) -> np.ndarray | list[np.ndarray]:
        """Returns what `compute` returns for each song. Each is computed by itself, because padding could change it."""
        songs, several = checked_songs(quantized, "quantized")
        lengths = [len(song) for song in songs]
        if sung is not None and [len(song) for song in sung] != lengths:
            raise InputError(f"sung: has songs of {[len(song) for song in sung]} notes where quantized has {lengths}.")
        network, index = self._singer(singer)
        found = []
        for i, (song, ticks) in enumerate(zip(songs, checked_steps(step, songs), strict=True)):
            given = self._tensor(song)
            inputs = (
                given,
                torch.tensor([index], device=self.device),
                torch.ones_like(given, dtype=torch.bool),
                torch.tensor([ticks], dtype=torch.float32, device=self.device),
            )
            computed = compute(network, inputs, None if sung is None else self._tensor(sung[i]))
            found.append(computed.cpu().double().numpy())
        return found if several else found[0]

    def _tensor(self, song: np.ndarray) -> Tensor:
        return torch.from_numpy(song).to(self.device, torch.float32)[None]

    def _singer(self, singer: Singer) -> tuple[nn.Module, int]:
        """Returns the network to use, and the singer's index in it."""
        if not isinstance(singer, (int, np.integer, Mapping)):
            raise InputError(f"singer={singer!r}: give a singer's number, or a mixture such as {{2: 0.5, 7: 0.5}}.")
        weights = dict(singer) if isinstance(singer, Mapping) else {singer: 1.0}
        unknown = [each for each in weights if each not in self.singers]
        if unknown:
            raise InputError(f"Singer {unknown[0]!r} is not known; known are {', '.join(map(str, self.singers))}.")
        if not weights or not all(0 <= weight < np.inf for weight in weights.values()) or not sum(weights.values()):
            raise InputError(f"A mixture needs weights of 0 or more, at least one of them above 0; not {weights}.")
        if self.anonymous:  # it was trained with every singer as the first one
            return self.network, 0
        if len(weights) == 1:
            return self.network, self.singers.index(next(iter(weights)))
        table = singer_embedding(self.network)
        if table is None:
            raise InputError(
                f"Network {type(self.network).__name__} knows singers in another way than by an embedding, and cannot "
                "mix them; give one singer's number."
            )
        total = sum(weights.values())
        shares = torch.tensor([weights.get(each, 0) / total for each in self.singers], device=self.device)
        # Other threads use the network, so a copy gets the mixture as its only singer.
        mixed = deepcopy(self.network)
        mixed.singer_embedding = nn.Embedding.from_pretrained(shares[None] @ table.weight)  # type: ignore[no-untyped-call]
        return mixed, 0

    def _check_distribution(self, method: str) -> None:
        if not self.has_distribution:
            raise InputError(
                f"{method}: network {type(self.network).__name__} has no distribution, only predict; "
                "train one that has, such as model=phase."
            )
