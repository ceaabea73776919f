"""A trained model in use: quantized durations of whole songs in, sung durations out.

A network is trained on windows of songs. Here it is given whole songs, so predictions have no seams between windows.

Shapes: `T` notes and rests of a song, `L` levels, `F` features of a style.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeAlias, Unpack, overload

import numpy as np
import torch
from torch import Tensor

from toy_duration_predictor.data.quantize import STEP_BEATS
from toy_duration_predictor.data.singers import Singer
from toy_duration_predictor.errors import InputError
from toy_duration_predictor.inference.download import load_model
from toy_duration_predictor.inference.inputs import Step, Ticks, check_sampling, checked_songs
from toy_duration_predictor.inference.model import Model
from toy_duration_predictor.inference.places import CHECKPOINTS, DEMO, DEMO_MODEL
from toy_duration_predictor.inference.rows import Known, KnownAndBegun
from toy_duration_predictor.models import Inputs
from toy_duration_predictor.models._histogram import quantiles

# Several songs, and one or several; who may sing; and what is returned, of one song or of several.
Several: TypeAlias = Sequence[Ticks]
Songs: TypeAlias = Ticks | Several
Who: TypeAlias = Singer | None
Answer: TypeAlias = np.ndarray | list[np.ndarray]


class Predictor(Model):
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
        step_beats: Beats of the grid step on which it learned; other grids are new to it.

    Raises:
        InputError: There is no such device.

    >>> predictor = Predictor.load("demo")
    >>> predictor.predict([240, 240, 60, 480], singer=2, step=60).shape
    (4,)
    """

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
        try:
            # A run's folder has checkpoints, and a checkpoint is a file; a saved model's folder is neither.
            is_run = path.is_file() or (path / CHECKPOINTS).is_dir()
        except OSError as error:
            raise InputError(f"{path} cannot be read ({error.strerror}).") from error
        if not is_run:
            model = load_model(path if place == DEMO else place)
            known = model.network, model.singers, model.anonymous, device, model.singer_names
            return cls(*known, model.statistics.get("step_beats", STEP_BEATS))
        # With it comes Lightning, which takes longer to import than all else together, and which only a run needs.
        from toy_duration_predictor.training.run_folder import load_run

        task = load_run(path)
        known = task.network, task.singers, task.hparams["anonymous"], device, task.singer_names
        return cls(*known, task.hparams["statistics"].get("step_beats", STEP_BEATS))

    @overload
    def predict(
        self, quantized: Ticks, singer: Who = None, step: Step = None, **known: Unpack[KnownAndBegun]
    ) -> np.ndarray: ...
    @overload
    def predict(
        self, quantized: Several, singer: Who = None, step: Step = None, **known: Unpack[KnownAndBegun]
    ) -> list[np.ndarray]: ...
    def predict(
        self, quantized: Songs, singer: Who = None, step: Step = None, **known: Unpack[KnownAndBegun]
    ) -> Answer:
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
        singer: Who = None,
        step: Step = None,
        *,
        seed: int = 0,
        temperature: float = 1.0,
        **known: Unpack[KnownAndBegun],
    ) -> np.ndarray: ...
    @overload
    def sample(
        self,
        quantized: Several,
        singer: Who = None,
        step: Step = None,
        *,
        seed: int = 0,
        temperature: float = 1.0,
        **known: Unpack[KnownAndBegun],
    ) -> list[np.ndarray]: ...
    def sample(
        self,
        quantized: Songs,
        singer: Who = None,
        step: Step = None,
        *,
        seed: int = 0,
        temperature: float = 1.0,
        **known: Unpack[KnownAndBegun],
    ) -> Answer:
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
        self, quantized: Ticks, levels: Sequence[float], singer: Who = None, step: Step = None, **known: Unpack[Known]
    ) -> np.ndarray: ...
    @overload
    def quantiles(
        self, quantized: Several, levels: Sequence[float], singer: Who = None, step: Step = None, **known: Unpack[Known]
    ) -> list[np.ndarray]: ...
    def quantiles(
        self, quantized: Songs, levels: Sequence[float], singer: Who = None, step: Step = None, **known: Unpack[Known]
    ) -> Answer:
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
        self, quantized: Ticks, sung: Ticks, singer: Who = None, step: Step = None, **known: Unpack[Known]
    ) -> np.ndarray: ...
    @overload
    def log_likelihood(
        self, quantized: Several, sung: Several, singer: Who = None, step: Step = None, **known: Unpack[Known]
    ) -> list[np.ndarray]: ...
    def log_likelihood(
        self, quantized: Songs, sung: Songs, singer: Who = None, step: Step = None, **known: Unpack[Known]
    ) -> Answer:
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
