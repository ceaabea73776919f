"""Singers by number and by name.

A singer's number is the `singer_id` of a songs table; a singer's name, where there is one, is in the column
`singer_name`. Wherever a singer is asked for, either may be given. Names are compared in Unicode's form NFC with single
spaces, because some systems write the same name in other code points. A text that is a whole number is a number, never
a name, so that nobody has to guess which of the two is meant.
"""

import math
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from numbers import Integral
from typing import TYPE_CHECKING, Any, TypeAlias

from toy_duration_predictor.data.schema import NAME_COLUMN
from toy_duration_predictor.errors import InputError, did_you_mean

if TYPE_CHECKING:
    import pyarrow as pa

# The names of singers by `singer_id`; singers without a name are not in it.
Names: TypeAlias = Mapping[int, str]
# A `singer_id` or a name, or the weights of several.
Singer: TypeAlias = int | str | Mapping[Any, float]

# More digits may not fit into an int64.
MOST_DIGITS = 18


def tidy(name: str) -> str:
    """Returns a name as names are kept: in form NFC, with single spaces.

    >>> tidy(" Kim   Lee ")
    'Kim Lee'
    """
    return unicodedata.normalize("NFC", " ".join(name.split()))


def number_or_name(text: str) -> int | str:
    """Reads what a person wrote for a singer: a whole number is a `singer_id`, anything else a name.

    Raises:
        InputError: The text is empty, has control characters, or is a number of too many digits.

    >>> number_or_name("07"), number_or_name("Kim")
    (7, 'Kim')
    """
    name = tidy(text)
    if re.fullmatch(r"[+-]?\d+", name):
        if len(name) > MOST_DIGITS:
            raise InputError(f"a singer's number has at most {MOST_DIGITS} digits, and {name[:24]} has more")
        return int(name)
    if not name:
        raise InputError("a singer's name is empty; give one")
    if any(unicodedata.category(character) in ("Cc", "Cs") for character in name):
        raise InputError(f"the singer's name {name!r} has characters that cannot be shown; give another one")
    return name


def label(singer_id: int, names: Names) -> str:
    """Returns what a singer is called in tables and pictures: the name, or else the number."""
    return names.get(singer_id, str(singer_id))


def singer_labels(predictions: "pa.Table") -> dict[int, str]:
    """Returns what the singers of predictions are called, the name or else the number, by `singer_id`."""
    singers = predictions["singer_id"].to_pylist()
    names = predictions[NAME_COLUMN].to_pylist() if NAME_COLUMN in predictions.column_names else singers
    return {singer: str(singer if name is None else name) for singer, name in zip(singers, names, strict=True)}


def find_singer(singer: int | str, singers: Sequence[int], names: Names) -> int:
    """Returns the `singer_id` of the singer whom a number or a name stands for.

    Args:
        singer: The number or the name.
        singers: All `singer_id` known.
        names: Their names.

    Raises:
        InputError: The singer is not known; the message names those who are, or one with a similar name.
    """
    try:
        wanted = number_or_name(singer) if isinstance(singer, str) else singer
    except InputError as error:
        raise InputError(f"Singer {singer!r} cannot be: {error}.") from error
    if isinstance(wanted, str):
        found = next((each for each in singers if names.get(each) == wanted), None)
        if found is not None:
            return found
    elif wanted in singers:
        return wanted
    similar = did_you_mean(wanted, names.values()) if isinstance(wanted, str) and names else ""
    if similar.startswith("did"):
        raise InputError(f"Singer {wanted!r} is not known; {similar}")
    raise InputError(f"Singer {wanted!r} is not known; known are {listed(singers, names)}.")


def shares(singer: Singer, singers: Sequence[int], names: Names) -> list[float]:
    """Returns the weight of each of `singers` in a singer or a mixture; the weights sum to 1.

    Args:
        singer: Somebody's number or name, or a mixture.
        singers: All `singer_id` known.
        names: Their names.

    Raises:
        InputError: A singer is not known, or cannot be mixed so.

    >>> shares({2: 1, "Kim": 3}, [1, 2, 3], {3: "Kim"})
    [0.0, 0.25, 0.75]
    """
    if not isinstance(singer, (Integral, str, Mapping)):
        raise InputError(f"singer={singer!r}: give a singer's number or name, or a mixture such as {{2: 0.5, 7: 0.5}}.")
    mixture: Mapping[Any, float] = singer if isinstance(singer, Mapping) else {singer: 1.0}
    given = {find_singer(each, singers, names): weight for each, weight in mixture.items()}
    if len(given) < len(mixture):
        raise InputError(f"A singer has two weights in {dict(mixture)}; give each one.")
    if not given or not all(0 <= weight < math.inf for weight in given.values()) or not sum(given.values()):
        raise InputError(f"A mixture needs weights of 0 or more, at least one of them above 0; not {given}.")
    total = float(sum(given.values()))
    return [float(given.get(each, 0)) / total for each in singers]


def listed(singers: Iterable[int], names: Names) -> str:
    """Returns singers as messages list them, such as `1 (Kim), 2 (Lee), 3`."""
    return ", ".join(f"{each} ({names[each]})" if each in names else str(each) for each in singers)
