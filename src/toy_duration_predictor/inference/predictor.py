"""A trained model in use: quantized durations of whole songs in, sung durations out.

A network is trained on windows of songs. Here it is given whole songs, so predictions have no seams between windows.

Shapes: `T` notes and rests of a song, `L` levels, `F` features of a style.
"""

from collections.abc import Callable, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any, TypeAlias, Unpack, overload

import numpy as np
import torch
from torch import Tensor, nn

from toy_duration_predictor.data.singers import Names
from toy_duration_predictor.errors import InputError, first_line
from toy_duration_predictor.inference.download import load_model
from toy_duration_predictor.inference.inputs import Step, Ticks, check_sampling, checked_songs
from toy_duration_predictor.inference.places import DEMO as DEMO
from toy_duration_predictor.inference.references import reference_sums
from toy_duration_predictor.inference.rows import Known, KnownAndBegun, rows, tensor
from toy_duration_predictor.inference.singers import Singer, performer, style_prior
from toy_duration_predictor.models import DistributionNetwork, Inputs
from toy_duration_predictor.models._histogram import quantiles
from toy_duration_predictor.training.run_folder import best_checkpoint, load_run

# The name of the model that comes with the package, and where it is.
DEMO_MODEL = Path(__file__).with_name("demo_model")

# What is computed of a song: of a network, its inputs and, where they are given, sung durations `(1, T)`.
_Compute: TypeAlias = Callable[[Any, Inputs, Tensor | None], Tensor]


class Predictor:
    """A trained network with the singers that it knows.

    Every method takes one song or several. One song is a list or an array of `T` quantized durations in ticks, notes
    and the rests between them, as in the songs table's column `quantized_durations`; the method returns one array.
    Several songs are a list of such lists, of any lengths; the method returns a list of arrays. The numbers of a song
    do not depend on the songs beside it.

    `singer` is a `singer_id`, or the name of a singer who has one. Or it is a mixture such as `{2: 0.5, "Kim": 0.5}`:
    the weighted mean of what the network knows of these singers, with the weights scaled to a sum of 1. None is nobody
    in particular; networks that know singers by a learned embedding alone know no such singer. A model trained without
    the singer's identity makes no difference between singers.

    `like`, in place of `singer`, is songs by one singer, whom the network need not know: rows of a songs table, as a
    `datasets.Dataset` or a list of mappings with `durations` and `quantized_durations`, and `pitch` if it is known. The
    more songs, the less the singer is taken for the mean of all.

    `step` is the ticks of a song's grid step: 1/32 of a whole note is 60 ticks at 480 ticks per beat. For several songs
    it may be a list of as many. None stands for the greatest common divisor of the song's durations, as in training;
    durations that show no grid are then refused, because they are probably sung ones. Give the step where a song may
    have no short notes, or where it mixes grids. A given step is not checked: durations that are no multiples of it,
    such as triplets, are taken as they are.

    `rest` says which durations are rests: a truth value for each. None guesses it note by note; see `data.rests`.

    Any number of threads may use a predictor at the same time: it keeps a copy of the network and never changes it.

    Args:
        network: See `models`; it is copied.
        singers: The `singer_id` of each singer index.
        anonymous: Whether the network was trained without the singer's identity.
        device: Where to compute, such as `cpu`, `cuda` or `cuda:1`.
        singer_names: The names of those singers who have one, by `singer_id`.

    Raises:
        InputError: There is no such device.

    >>> predictor = Predictor.load("demo")
    >>> predictor.predict([240, 240, 60, 480], singer=2, step=60).shape
    (4,)
    """

    def __init__(
        self,
        network: nn.Module,
        singers: Sequence[int],
        anonymous: bool = False,
        device: str | torch.device = "cpu",
        singer_names: Names = {},  # noqa: B006
    ) -> None:
        self.singers, self.singer_names = list(singers), dict(singer_names)
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
        try:
            is_run = best_checkpoint(path).is_file()
        except OSError as error:
            raise InputError(f"{path} cannot be read ({error.strerror}).") from error
        if not is_run:
            model = load_model(path if place == DEMO else place)
            return cls(model.network, model.singers, model.anonymous, device, model.singer_names)
        task = load_run(path)
        return cls(task.network, task.singers, task.hparams["anonymous"], device, task.singer_names)

    def label(self, singer_id: int) -> str:
        """Returns what a singer is called: by name, or else by number, as in `singer 2`."""
        return self.singer_names.get(singer_id, f"singer {singer_id}")

    @property
    def has_distribution(self) -> bool:
        """Whether `sample`, `quantiles` and `log_likelihood` can be used."""
        return isinstance(self.network, DistributionNetwork)

    @property
    def reads_style(self) -> bool:
        """Whether `like` and `began` can be used."""
        return style_prior(self.network, self.anonymous) is not None

    @overload
    def predict(
        self, quantized: Ticks, singer: Singer | None = None, step: Step = None, **known: Unpack[KnownAndBegun]
    ) -> np.ndarray: ...
    @overload
    def predict(
        self,
        quantized: Sequence[Ticks],
        singer: Singer | None = None,
        step: Step = None,
        **known: Unpack[KnownAndBegun],
    ) -> list[np.ndarray]: ...
    def predict(
        self,
        quantized: Ticks | Sequence[Ticks],
        singer: Singer | None = None,
        step: Step = None,
        **known: Unpack[KnownAndBegun],
    ) -> np.ndarray | list[np.ndarray]:
        """Predicts sung durations, whose running totals are the predicted onsets and ends.

        Where the model has a distribution, they are the path of the least expected error, in which no onset or end is
        further than half a grid step from the score's.

        Args:
            quantized: Quantized durations of one song or several, ticks.
            singer: See the class.
            step: See the class.
            known: `rest` and `like`, see the class. And `began`: the first durations of each song as they were sung,
                ticks. The song goes on from where the singer stands at that moment, and in the style of the beginning;
                what is known by `like` or `singer` weighs in, the less the longer the beginning is.

        Returns:
            float64 `(T,)`, ticks; it begins with `began`. A list of such arrays for several songs.

        Raises:
            InputError: A song is empty; a duration is no number, negative, or not finite; no step is given and the
                durations are on no grid; the singer is not known, or is needed and not given; the step is not above 0;
                `rest` or `began` does not fit the songs; `like` has no songs, or songs that were not quantized with
                their errors carried forward, or comes with a singer; or the model reads no style.
        """
        return self._each(lambda network, inputs, _: network(inputs)[0], quantized, singer, step=step, **known)

    @overload
    def sample(
        self,
        quantized: Ticks,
        singer: Singer | None = None,
        step: Step = None,
        *,
        seed: int = 0,
        temperature: float = 1.0,
        **known: Unpack[KnownAndBegun],
    ) -> np.ndarray: ...
    @overload
    def sample(
        self,
        quantized: Sequence[Ticks],
        singer: Singer | None = None,
        step: Step = None,
        *,
        seed: int = 0,
        temperature: float = 1.0,
        **known: Unpack[KnownAndBegun],
    ) -> list[np.ndarray]: ...
    def sample(
        self,
        quantized: Ticks | Sequence[Ticks],
        singer: Singer | None = None,
        step: Step = None,
        *,
        seed: int = 0,
        temperature: float = 1.0,
        **known: Unpack[KnownAndBegun],
    ) -> np.ndarray | list[np.ndarray]:
        """Samples sung durations, all durations of a song jointly. Another seed gives another performance.

        Args:
            quantized: Quantized durations of one song or several, ticks.
            singer: See the class.
            step: See the class.
            seed: Of the random numbers. The songs of one call use them one after the other.
            temperature: Above 0. Near 0 the sample is the likeliest performance; above 1 unlikely ones come oftener.
            known: See `predict`.

        Returns:
            float64 `(T,)`, ticks; a list of such arrays for several songs.

        Raises:
            InputError: As for `predict`; or the model has no distribution, or temperature or seed is out of range.
        """
        self._check_distribution("sample")
        check_sampling(temperature, seed)
        generator = torch.Generator(self.device).manual_seed(seed)

        def compute(network: Any, inputs: Inputs, _: Tensor | None) -> Tensor:
            sampled: Tensor = network.sample(inputs, temperature, generator)
            return sampled[0]

        return self._each(compute, quantized, singer, step=step, **known)

    @overload
    def quantiles(
        self,
        quantized: Ticks,
        levels: Sequence[float],
        singer: Singer | None = None,
        step: Step = None,
        **known: Unpack[Known],
    ) -> np.ndarray: ...
    @overload
    def quantiles(
        self,
        quantized: Sequence[Ticks],
        levels: Sequence[float],
        singer: Singer | None = None,
        step: Step = None,
        **known: Unpack[Known],
    ) -> list[np.ndarray]: ...
    def quantiles(
        self,
        quantized: Ticks | Sequence[Ticks],
        levels: Sequence[float],
        singer: Singer | None = None,
        step: Step = None,
        **known: Unpack[Known],
    ) -> np.ndarray | list[np.ndarray]:
        """Predicts quantiles of each sung duration.

        Args:
            quantized: Quantized durations of one song or several, ticks.
            levels: `L` probabilities from 0 to 1, such as 0.05, 0.5 and 0.95.
            singer: See the class.
            step: See the class.
            known: `rest` and `like`; see the class.

        Returns:
            float64 `(T, L)`, ticks; a list of such arrays for several songs.

        Raises:
            InputError: As for `predict`; or the model has no distribution, or a level is not from 0 to 1.
        """
        self._check_distribution("quantiles")
        wanted = torch.tensor(levels, dtype=torch.float32, device=self.device)
        if wanted.ndim != 1 or not ((wanted >= 0) & (wanted <= 1)).all():
            raise InputError(f"levels={levels}: give numbers from 0 to 1.")

        def compute(network: Any, inputs: Inputs, _: Tensor | None) -> Tensor:
            probabilities, edges = network.distribution(inputs)
            return quantiles(probabilities, edges, wanted)[0]

        return self._each(compute, quantized, singer, step=step, **known)

    @overload
    def log_likelihood(
        self, quantized: Ticks, sung: Ticks, singer: Singer | None = None, step: Step = None, **known: Unpack[Known]
    ) -> np.ndarray: ...
    @overload
    def log_likelihood(
        self,
        quantized: Sequence[Ticks],
        sung: Sequence[Ticks],
        singer: Singer | None = None,
        step: Step = None,
        **known: Unpack[Known],
    ) -> list[np.ndarray]: ...
    def log_likelihood(
        self,
        quantized: Ticks | Sequence[Ticks],
        sung: Ticks | Sequence[Ticks],
        singer: Singer | None = None,
        step: Step = None,
        **known: Unpack[Known],
    ) -> np.ndarray | list[np.ndarray]:
        """Returns the log-probability of sung durations among all that are quantized to the same durations.

        Args:
            quantized: Quantized durations of one song or several, ticks.
            sung: Sung durations of the same songs, whole ticks.
            singer: See the class.
            step: See the class; whole ticks.
            known: `rest` and `like`; see the class.

        Returns:
            float64 `()`, nats, of the whole song; a list of such arrays for several songs. It is minus infinity for
            what is not quantized to these durations when errors are carried forward.

        Raises:
            InputError: As for `predict`; or the model has no distribution, or a song has not as many sung durations.
        """
        self._check_distribution("log_likelihood")

        def compute(network: Any, inputs: Inputs, sung: Tensor | None) -> Tensor:
            found: Tensor = network.log_likelihood(inputs, sung)
            return found[0]

        return self._each(compute, quantized, singer, checked_songs(sung, "sung")[0], step=step, **known)

    @torch.inference_mode()
    def _each(
        self,
        compute: _Compute,
        quantized: Ticks | Sequence[Ticks],
        singer: Singer | None,
        sung: list[np.ndarray] | None = None,
        *,
        step: Step,
        **known: Unpack[KnownAndBegun],
    ) -> np.ndarray | list[np.ndarray]:
        """Returns what `compute` returns for each song, after what was sung of it."""
        songs, several = checked_songs(quantized, "quantized")
        lengths = [len(song) for song in songs]
        if sung is not None and [len(song) for song in sung] != lengths:
            raise InputError(f"sung: has songs of {[len(song) for song in sung]} notes where quantized has {lengths}.")
        like = known.get("like")
        heard = None if like is None else reference_sums(like)
        who = performer(self.network, self.singers, self.anonymous, singer, heard, self.singer_names)
        found = []
        for i, row in enumerate(rows(songs, who, self.device, step, known.get("rest"), known.get("began"))):
            if row.inputs is None:
                found.append(row.first)
                continue
            given = None if sung is None else tensor(sung[i], self.device)
            computed = compute(row.network, row.inputs, given).cpu().double().numpy()
            found.append(np.concatenate([row.first, computed]) if len(row.first) else computed)
        return found if several else found[0]

    def _check_distribution(self, method: str) -> None:
        if not self.has_distribution:
            raise InputError(
                f"{method}: network {type(self.network).__name__} has no distribution, only predict; "
                "train one that has, such as model=phase."
            )
