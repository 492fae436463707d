"""Tables for terminals, notebooks and programs."""

import html
import importlib
from collections.abc import Callable
from collections.abc import Sequence
from typing import Any

from issp_keras.errors import InputError


class Table(Sequence):
    """Rows of data that print as a table.

    It is a sequence of its rows. A notebook shows it as HTML.

    Example:

    >>> table = issp_keras.networks()
    >>> print(table)
    >>> table[0]["name"]
    >>> table.to_pandas()

    Args:
        rows: List of dicts, all with the same keys.
        columns: Dict from column headings to callables. Each callable takes a
            row and returns the text of its cell.
        notes: List of sentences below the table. Defaults to none.

    Attributes:
        rows: List of dicts.
        notes: List of strings.
    """

    def __init__(
        self,
        rows: list[dict[str, Any]],
        columns: dict[str, Callable[[dict], str]],
        notes: Sequence[str] = (),
    ):
        self.rows = rows
        self.notes = list(notes)
        self._columns = columns

    def __len__(self):
        return len(self.rows)

    def __getitem__(self, index):
        return self.rows[index]

    @property
    def header(self) -> list[str]:
        """The headings of the columns."""
        return list(self._columns)

    @property
    def cells(self) -> list[list[str]]:
        """The texts of the cells of each row."""
        return [
            [make(row) for make in self._columns.values()] for row in self.rows
        ]

    def to_pandas(self):
        """Returns the rows as a `pandas.DataFrame`.

        Raises:
            InputError: If pandas is not installed.
        """
        try:
            # pandas is not a dependency of this package.
            pandas = importlib.import_module("pandas")
        except ImportError as error:
            raise InputError(
                "to_pandas() needs the package pandas, which is not "
                "installed; install it with pip install pandas."
            ) from error
        return pandas.DataFrame(self.rows)

    def __str__(self):
        lines = [self.header, *self.cells]
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        return "\n".join(
            [*(_line(cells, widths) for cells in lines), *self.notes]
        )

    __repr__ = __str__

    def _repr_html_(self):
        head, *body = (
            "<tr>" + "".join(_cells(tag, cells)) + "</tr>"
            for tag, cells in [
                ("th", self.header),
                *(("td", cells) for cells in self.cells),
            ]
        )
        notes = "".join(f"<p>{html.escape(note)}</p>" for note in self.notes)
        return (
            f"<table><thead>{head}</thead><tbody>{''.join(body)}</tbody>"
            f"</table>{notes}"
        )


def _line(cells, widths):
    """Returns a line. All columns except the first are right-aligned."""
    (name, *others), (first, *rest) = cells, widths
    padded = [cell.rjust(n) for cell, n in zip(others, rest, strict=True)]
    return "  ".join([name.ljust(first), *padded]).rstrip()


def _cells(tag, cells):
    for i, cell in enumerate(cells):
        side = "right" if i else "left"
        yield (f'<{tag} style="text-align: {side}">{html.escape(cell)}</{tag}>')
