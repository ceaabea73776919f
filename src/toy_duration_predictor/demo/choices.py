"""What a visitor chooses, and the link that carries it.

A link has the page's address and these parameters: `song`, `singers`, `strength`, `temperature` and `seed`. Files that
were uploaded, and all that depends on them, stay with the visitor.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, TypeAlias, TypeVar

from toy_duration_predictor.errors import InputError
from toy_duration_predictor.inference.predictor import Predictor

# Stands for the singer of the visitor's recordings, among the numbers of singers.
LIKE = "like"
Who: TypeAlias = int | str

MOST_SINGERS = 4
MOST_STRENGTH = MOST_TEMPERATURE = 1.5
LAST_SEED = 2**31 - 1

T = TypeVar("T")


class Choices(NamedTuple):
    """What a visitor has chosen, but for their own files.

    Attributes:
        song: The name of a built-in song.
        singers: Numbers of singers.
        strength: See `HumanizeSettings`.
        temperature: See `HumanizeSettings`; 0 stands for a prediction, which has no seed.
        seed: See `HumanizeSettings`.
    """

    song: str
    singers: list[int]
    strength: float
    temperature: float
    seed: int


def from_link(
    link: Mapping[str, str], predictor: Predictor, songs: Sequence[str], default: Choices
) -> tuple[Choices, list[str]]:
    """Returns the choices that a link carries, and a sentence on each that cannot be used.

    Args:
        link: The parameters of the page's address. Others are passed over.
        predictor: The model.
        songs: The names of the built-in songs.
        default: What holds where the link says nothing, or something that cannot be used.
    """
    said: list[str] = []

    def choice(name: str, read: Callable[[str], T], otherwise: T) -> T:
        if name not in link:
            return otherwise
        try:
            return read(link[name])
        except (ValueError, OverflowError, InputError) as error:
            reason = str(error) if isinstance(error, InputError) else "it is no number"
            said.append(f"{name}={link[name][:60]} in the link is passed over: {reason}.")
            return otherwise

    def song(text: str) -> str:
        if text not in songs:
            raise InputError(f"the songs are {', '.join(songs)}")
        return text

    def singers(text: str) -> list[int]:
        found = list(dict.fromkeys(int(each) for each in text.split(",")))
        unknown = [each for each in found if each not in predictor.singers]
        if unknown:
            raise InputError(f"singer {unknown[0]} is not known")
        if len(found) > MOST_SINGERS:
            raise InputError(f"at most {MOST_SINGERS} singers fit beside each other")
        return found

    def number(most: float) -> Callable[[str], float]:
        def read(text: str) -> float:
            found = float(text)
            if not 0 <= found <= most:
                raise InputError(f"give a number from 0 to {most}")
            return found

        return read

    chosen = Choices(
        song=choice("song", song, default.song),
        singers=choice("singers", singers, default.singers),
        strength=choice("strength", number(MOST_STRENGTH), default.strength),
        temperature=choice("temperature", number(MOST_TEMPERATURE), default.temperature),
        seed=choice("seed", lambda text: int(number(LAST_SEED)(text)), default.seed),
    )
    if chosen.temperature and not predictor.has_distribution:
        said.append("temperature in the link is passed over: this model has no distribution to sample from.")
        chosen = chosen._replace(temperature=0.0)
    return chosen, said


def link_js(songs: Sequence[str]) -> str:
    """Returns JavaScript that makes the link of the page's controls, and shows it as the page's address.

    Args:
        songs: The names of the built-in songs; others are not carried.
    """
    return f"""(song, singers, strength, temperature, seed) => {{
  const link = new URLSearchParams(location.search);
  const chosen = {{ song: {json.dumps(list(songs))}.includes(song) ? song : "",
    singers: singers.filter((each) => each !== "{LIKE}").join(","), strength, temperature, seed }};
  for (const [name, value] of Object.entries(chosen)) value === "" ? link.delete(name) : link.set(name, value ?? 0);
  const address = location.origin + location.pathname + "?" + link.toString().replaceAll("%2C", ",");
  history.replaceState(history.state, "", address);
  return address;
}}"""
