"""Tables for terminals, notebooks and programs."""

import functools
import sys
import types

import pytest
import rich.console

from issp_keras.errors import InputError
from issp_keras.programs import cli
from issp_keras.tables import Table

ROWS = [{"name": "a<b", "size": 1}, {"name": "c", "size": 1234}]
COLUMNS = {
    "name": lambda row: row["name"],
    "bytes": lambda row: f"{row['size']:,}",
}


def test_prints_with_numbers_to_the_right():
    table = Table(ROWS, COLUMNS, ["A note."])
    assert str(table) == "name  bytes\na<b       1\nc     1,234\nA note."
    assert repr(table) == str(table)


@pytest.mark.parametrize("name", ["x4_fast", "latent, Feather, 95% zeros" * 3])
def test_a_narrow_terminal_shows_all_numbers(name, monkeypatch, capsys):
    console = functools.partial(
        rich.console.Console, force_terminal=True, width=80
    )
    monkeypatch.setattr(rich.console, "Console", console)
    numbers = [f"{n}{n}.{n}" for n in range(1, 10)]
    cli.print_table(["network", *map(str, range(9))], [[name, *numbers]])
    shown = capsys.readouterr().out
    assert all(number in shown for number in numbers)
    # A short first column is not wrapped.
    assert ("x4_fast" in shown) == (name == "x4_fast")


def test_is_a_sequence_of_rows():
    table = Table(ROWS, COLUMNS)
    assert len(table) == 2
    assert [*table] == ROWS
    assert table[-1]["size"] == 1234
    assert table[:1] == ROWS[:1]


def test_is_html_in_a_notebook():
    page = Table(ROWS, COLUMNS, ["1 < 2"])._repr_html_()
    assert page.count("<tr>") == 3
    assert '<td style="text-align: left">a&lt;b</td>' in page
    assert '<td style="text-align: right">1,234</td>' in page
    assert page.endswith("<p>1 &lt; 2</p>")


def test_becomes_a_data_frame(monkeypatch):
    pandas = types.SimpleNamespace(DataFrame=lambda rows: ("frame", rows))
    monkeypatch.setitem(sys.modules, "pandas", pandas)
    assert Table(ROWS, COLUMNS).to_pandas() == ("frame", ROWS)


def test_names_pandas_where_it_is_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(InputError, match=r"needs the package pandas, .*pip"):
        Table(ROWS, COLUMNS).to_pandas()
