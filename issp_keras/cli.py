"""What the console commands share."""

import pathlib
import sys

import rich.console
import rich.table
from absl import app
from absl import flags
from ml_collections import config_flags

from issp_keras.errors import InputError


def run(main, parse_flags=app.parse_flags_with_usage):
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

    app.run(guarded, flags_parser=parse_flags)


def parse_flags_with_config(argv: list[str]):
    """Parses the flags, of which `--config` names a Python file."""
    try:
        return app.parse_flags_with_usage(argv)
    except Exception as error:
        # absl reports its own errors; what comes here is the config's.
        name = pathlib.Path(argv[0]).name
        reason = str(error) or type(error).__name__
        sys.exit(f"{name}: --config: {reason.splitlines()[0]}")


def check_config_file():
    """Raises an `InputError` if the file of `--config` does not exist."""
    path = config_flags.get_config_filename(flags.FLAGS["config"])
    # What follows a colon is an argument for get_config().
    path = path.split(":")[0]
    if not pathlib.Path(path).is_file():
        raise InputError(f"--config: {path}: no such file.")


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


def no_argument(argv: list[str]):
    """Refuses positional arguments.

    Raises:
        InputError: If there is one.
    """
    if len(argv) > 1:
        raise InputError(
            f"expected flags alone. Received: {' '.join(argv[1:])}"
        )


def arguments(argv: list[str], *expected: str) -> list[str]:
    """Returns the positional arguments, one for each that is expected.

    Args:
        argv: List of strings, the program's name first.
        *expected: Strings that name the arguments in the error.

    Raises:
        InputError: If there are fewer or more.
    """
    if len(argv) != 1 + len(expected):
        count = {1: "one argument", 2: "two arguments"}[len(expected)]
        raise InputError(
            f"expected {count}, {' and '.join(expected)}. "
            f"Received: {' '.join(argv[1:]) or 'none'}"
        )
    return argv[1:]


def print_table(header: list[str], rows: list[list[str]]):
    """Prints a table; all columns but the first are aligned to the right."""
    table = rich.table.Table()
    for i, name in enumerate(header):
        table.add_column(
            name, justify="right" if i else "left", overflow="fold"
        )
    for row in rows:
        table.add_row(*row)
    rich.console.Console(markup=False).print(table)
