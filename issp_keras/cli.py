"""What the console commands share."""

import pathlib
import sys

import rich.console
import rich.table
from absl import app
from absl import flags

from issp_keras.errors import InputError


def run(main):
    """Runs `main(argv)` as an absl program.

    Bad input ends the program with one sentence on stderr and status 1.
    """

    def guarded(argv):
        try:
            main(argv)
        except InputError as error:
            print(f"{pathlib.Path(argv[0]).name}: {error}", file=sys.stderr)
            return 1
        return 0

    app.run(guarded)


def define_network_flags():
    """Defines `--model` and `--threads`, for programs that apply a network."""
    flags.DEFINE_string("model", None, "A .keras or .tflite network.")
    flags.mark_flag_as_required("model")
    define_threads_flag()


def define_threads_flag():
    flags.DEFINE_integer(
        "threads", 1, "Threads of the TFLite interpreter.", lower_bound=1
    )


def define_data_flag():
    flags.DEFINE_string(
        "data", "embedded", "Folder of HR photographs, or 'embedded'."
    )


def one_argument(argv: list[str], expected: str) -> str:
    """Returns the only positional argument.

    Raises:
        InputError: If there is none, or more than one.
    """
    if len(argv) != 2:
        raise InputError(
            f"expected one argument, {expected}. "
            f"Received: {' '.join(argv[1:]) or 'none'}"
        )
    return argv[1]


def print_table(header: list[str], rows: list[list[str]]):
    """Prints a table; all columns but the first are aligned to the right."""
    table = rich.table.Table()
    for i, name in enumerate(header):
        table.add_column(
            name, justify="right" if i else "left", overflow="fold"
        )
    for row in rows:
        table.add_row(*row)
    rich.console.Console().print(table)
