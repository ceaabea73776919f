"""The names of a songs table's singers, column `singer_name`; see `data.singers`."""

from collections.abc import Sequence

import pyarrow as pa
from datasets import Dataset

from toy_duration_predictor.data.schema import NAME_COLUMN
from toy_duration_predictor.data.singers import Names, number_or_name
from toy_duration_predictor.errors import InputError


def singer_names(table: Dataset) -> dict[int, str]:
    """Returns the names of the singers of a validated table."""
    if NAME_COLUMN not in table.column_names:
        return {}
    pairs = zip(table["singer_id"][:], table[NAME_COLUMN][:], strict=True)
    return dict(sorted({(singer, name) for singer, name in pairs if name is not None}))


def same_singers(table: Dataset, singers: Sequence[int], names: Names) -> list[int | None]:
    """Returns the numbers that a table gives to singers who are known by other numbers, or by the same.

    Singers are the same if they have the same name; where one of the two has none, if they have the same number.

    Args:
        table: A validated songs table.
        singers: The known singers.
        names: Their names.

    Returns:
        A number for each known singer; None for those of whom the table has no song.
    """
    own = singer_names(table)
    number = {name: singer for singer, name in own.items()}
    by_name = {singer: number[names[singer]] for singer in singers if names.get(singer) in number}
    left = set(table["singer_id"][:]) - set(by_name.values())
    by_number = {singer: singer for singer in singers if singer in left and not (singer in own and singer in names)}
    return [(by_number | by_name).get(singer) for singer in singers]


class NamesSeen:
    """Whether the names of a table's rows agree: a number has one name, and a name one number.

    Args:
        table: What error messages call the table.
    """

    def __init__(self, table: str) -> None:
        self._table = table
        self._names: dict[int, str] = {}
        self._numbers: dict[str, int] = {}

    def checked(self, singer_ids: pa.Array, names: pa.Array, first: int) -> pa.Array:
        """Returns the tidy names of some rows, the first of which is row `first`.

        Raises:
            InputError: A name cannot be used, or does not agree with another row.
        """
        kept: list[str | None] = []
        for row, (singer, given) in enumerate(zip(singer_ids.to_pylist(), names.to_pylist(), strict=True), first):
            try:
                name = None if given is None else self._agreed(singer, number_or_name(given))
            except InputError as error:
                raise InputError(f"{self._table}: row {row}, column '{NAME_COLUMN}': {error}.") from error
            kept.append(name)
        return pa.array(kept, pa.string())

    def _agreed(self, singer: int, name: int | str) -> str | None:
        if isinstance(name, int):
            if name == singer:
                return None  # the number itself: no name is known
            raise InputError(f"is {name}, a number, but the row's singer_id is {singer}; give a name, or null")
        if self._names.setdefault(singer, name) != name:
            raise InputError(f"is '{name}', but an earlier row calls singer {singer} '{self._names[singer]}'")
        if self._numbers.setdefault(name, singer) != singer:
            raise InputError(f"is '{name}', but in an earlier row that is singer {self._numbers[name]}, not {singer}")
        return name
