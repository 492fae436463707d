"""Sortable tables."""

import re

from issp_keras.report.markup import Html
from issp_keras.report.markup import element
from issp_keras.report.markup import fragment

# The most rows, so that a page of many photographs stays small.
MOST_ROWS = 2000

_NUMBER = re.compile(r"[+-]?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?(?:e[+-]?\d+)?")


def table(header: list[str], rows: list[list[str]], texts: int = 1) -> Html:
    """Makes a table. A button in each header cell sorts it.

    Columns after the first `texts` are sorted by the number at the start of
    each cell: "1,024 (10 %)" counts as 1024. Cells without a number come last.
    A column without any number is sorted as text.

    Args:
        header: List of strings.
        rows: List of lists of strings, each as long as `header`. If there are
            more than 2,000 rows, the first 2,000 are shown, with a note.
        texts: Integer, the number of columns that are always text. Defaults to
            `1`.
    """
    kinds = [
        "text" if i < texts else _kind(row[i] for row in rows)
        for i in range(len(header))
    ]
    head = [_header(*of) for of in zip(header, kinds, strict=True)]
    body = [
        element("tr", *map(_cell, range(len(row)), row, kinds))
        for row in rows[:MOST_ROWS]
    ]
    found = element(
        "table",
        element("thead", element("tr", *head)),
        element("tbody", *body),
        class_="sortable",
    )
    return fragment(
        # Keys scroll only a focusable element, which then needs a name.
        element(
            "div",
            found,
            class_="scroll",
            tabindex=0,
            role="region",
            aria_label="Table",
        ),
        _left_out(rows),
    )


def leading_number(text: str) -> float | None:
    """Returns the number at the start of a text, or None."""
    if text.startswith("inf"):
        return float("inf")
    found = _NUMBER.match(text)
    return float(found[0].replace(",", "")) if found else None


def _kind(cells):
    has_number = any(leading_number(cell) is not None for cell in cells)
    return "number" if has_number else "text"


def _header(name, kind):
    # The first column of many tables has no name.
    label = name or element("span", "name", class_="quiet")
    return element(
        "th",
        element("button", label, type="button"),
        scope="col",
        class_=kind,
        data_kind=kind,
    )


def _cell(column, text, kind):
    number = leading_number(text) if kind == "number" else None
    value = None if number is None else _for_script(number)
    if column:
        return element("td", text, class_=kind, data_value=value)
    return element("th", text, scope="row", class_=kind)


def _for_script(number):
    return "Infinity" if number == float("inf") else f"{number:.12g}"


def _left_out(rows):
    if len(rows) <= MOST_ROWS:
        return None
    return element(
        "p",
        f"These are the first {MOST_ROWS:,} of {len(rows):,} rows.",
        class_="note",
    )
