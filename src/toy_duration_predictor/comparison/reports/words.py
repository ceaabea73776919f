"""Numbers and sentences as every report begins with them: in ms where they are known, with the verdict in words."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from toy_duration_predictor.sections import Section

if TYPE_CHECKING:
    from toy_duration_predictor.comparison.intervals import Interval

LAST = "The last section says what each word means."


def in_short(sentences: Iterable[str]) -> Section:
    """Returns the paragraph that a reader sees first."""
    return Section("In short", remark=" ".join(sentences))


def best_unit(units: Mapping[str, float], error: float, unit: str) -> tuple[float, str]:
    """Returns what an error is multiplied by to have it in the unit that a reader knows best, and that unit.

    Errors that decide are in beats where these are known. As songs differ in tempo, a difference of errors is given in
    ms by the ratio that the copy baseline's error has in both units.

    Args:
        units: The copy baseline's error by unit.
        error: The same in the unit that decides.
        unit: That unit.
    """
    return (units["ms"] / error, "ms") if "ms" in units and error else (1.0, unit)


def number(value: float, sign: str = "") -> str:
    """Returns a number with two digits that mean something, as far as hundredths of a ms or beat.

    >>> number(20.13), number(-0.034, "+")
    ('20.1', '-0.03')
    """
    return f"{value:{sign}.{1 if abs(value) >= 1 else 2}f}"


def closer(value: float, unit: str) -> str:
    """Returns how much closer to what was sung a prediction is; further off, if the value is below 0.

    >>> closer(-0.5, "ms")
    '0.50 ms further off'
    """
    return f"{number(abs(value))} {unit} {'closer' if value >= 0 else 'further off'}"


def percent(share: float, digits: int = 0) -> str:
    """Returns a share in words.

    >>> percent(0.05), percent(0.025, 1)
    ('5 %', '2.5 %')
    """
    return f"{share:.{digits}%}".replace("%", " %")


def span(interval: "Interval", factor: float) -> str:
    """Returns the ends of an interval, each multiplied by a factor."""
    return f"{number(factor * interval.low)} to {number(factor * interval.high)}"


def counted(count: int, what: str) -> str:
    """Returns how many there are of something.

    >>> counted(1, "song"), counted(2, "song")
    ('1 song', '2 songs')
    """
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def too_few(count: int, what: str) -> str:
    """Returns the sentence for studies with so few repetitions that no test over them can support anything."""
    return f"With {counted(count, what)} nothing can be supported; run at least six."


def brackets(just_noticeable_ms: float) -> str:
    """Returns the sentence on what stands in brackets, beside what a listener notices, in ms."""
    return (
        f"In brackets is where the true difference lies in 95 % of cases; a listener notices some "
        f"{just_noticeable_ms:g} ms."
    )
