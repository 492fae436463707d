"""What the console commands share."""

import contextlib
import pathlib
import signal
import sys

import rich.console
import rich.progress
import rich.table
from absl import app
from absl import flags
from ml_collections import config_flags

from issp_keras.data import EMBEDDED
from issp_keras.errors import InputError
from issp_keras.inference import TILE
from issp_keras.inference import Network
from issp_keras.inference import load_network
from issp_keras.inference.tiles import ALIGNMENT

_UNBOUNDED = 10_000
# What shells say of a program that a signal ends: 128 and its number.
_INTERRUPTED = 128 + signal.SIGINT


def run(main, parse_flags=app.parse_flags_with_usage):
    """Runs `main(argv)` as an absl program.

    Bad input ends the program with one sentence on stderr and status 1, and
    Ctrl-C with one and status 130.
    """

    def guarded(argv):
        name = pathlib.Path(argv[0]).name
        try:
            main(argv)
        except InputError as error:
            print(f"{name}: {error}", file=sys.stderr)
            return 1
        except KeyboardInterrupt:
            print(f"{name}: interrupted.", file=sys.stderr)
            return _INTERRUPTED
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


def define_network_flags(model=None):
    """Defines the flags of programs that apply a network, for `network`.

    Args:
        model: String, the network without `--model`; None to require it.
    """
    flags.DEFINE_string("model", model, "A .keras or .tflite network.")
    if model is None:
        flags.mark_flag_as_required("model")
    flags.DEFINE_bool(
        "self_ensemble", False, "Take the mean over 8 flips and rotations."
    )
    flags.DEFINE_integer(
        "tile",
        TILE,
        "Height and width in LR pixels of the tiles that large photographs "
        "are cut into; 0 for none.",
        lower_bound=0,
    )
    flags.DEFINE_string(
        "delegate",
        None,
        "For .tflite networks: 'sparse' for the delegate that leaves out "
        "zeros, or the library of another one.",
    )
    define_threads_flag()


def network() -> Network:
    """The network that the flags of `define_network_flags` describe.

    Raises:
        InputError: If a flag or the file is not usable.
    """
    flag = flags.FLAGS
    if 0 < flag.tile < 64 or flag.tile % ALIGNMENT:
        raise InputError(
            f"--tile: is {flag.tile}, expected 0, or a multiple of "
            f"{ALIGNMENT} of at least 64."
        )
    return load_network(
        flag.model,
        flag.threads,
        flag.delegate,
        tile=flag.tile,
        self_ensemble=flag.self_ensemble,
    )


def define_threads_flag():
    flags.DEFINE_integer(
        "threads", 1, "Threads of the TFLite interpreter.", lower_bound=1
    )


def define_data_flags():
    """Defines the flags that say which photographs to score."""
    flags.DEFINE_list(
        "data",
        [EMBEDDED],
        "Folders of photographs, test sets in --data_dir (set5, set14, b100, "
        f"urban100, manga109), or '{EMBEDDED}', with commas between.",
    )
    flags.DEFINE_string("data_dir", "data", "Folder that holds test sets.")


def define_latency_flags():
    """Defines the flags that say how latency is measured."""
    flags.DEFINE_list(
        "size", [128, 128], "LR height and width in pixels, for the latency."
    )
    flags.DEFINE_integer("rounds", 20, "Timed runs.", lower_bound=1)
    define_threads_flag()


def image_size(values: list) -> tuple[int, int]:
    """The height and width that `--size` gives.

    Raises:
        InputError: If it does not.
    """
    try:
        height, width = map(int, values)
    except ValueError:
        height = width = 0
    if height < 1 or width < 1:
        raise InputError(
            f"--size: is '{','.join(map(str, values))}', expected LR height "
            "and width in pixels, such as 128,128."
        )
    return height, width


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


@contextlib.contextmanager
def progress_bar(description: str, total: int):
    """Shows a progress bar on a terminal.

    Yields:
        A callable that takes how much of `total` is done.
    """
    console = rich.console.Console(stderr=True)
    bar = rich.progress.Progress(
        console=console,
        transient=True,
        disable=not console.is_terminal,
        # What is printed on the way goes above the bar, or into its file.
        redirect_stdout=sys.stdout.isatty(),
    )
    with bar:
        task = bar.add_task(description, total=total)
        yield lambda done: bar.update(task, completed=done)


def check_failures(failures: list[str], total: int):
    """Ends a program that went on past photographs it could not use.

    Raises:
        InputError: If there are failures; the message has all of them.
    """
    if len(failures) == total == 1:
        raise InputError(failures[0])
    if failures:
        lines = "\n  ".join(failures)
        raise InputError(
            f"{len(failures)} of {total} photographs failed:\n  {lines}"
        )


def print_table(header: list[str], rows: list[list[str]]):
    """Prints a table; all columns but the first are aligned to the right."""
    table = rich.table.Table()
    for i, name in enumerate(header):
        table.add_column(
            name, justify="right" if i else "left", overflow="fold"
        )
    for row in rows:
        table.add_row(*row)
    console = rich.console.Console(markup=False)
    if not console.is_terminal:
        # A file or a pipe has no width that a table would have to fit.
        unbounded = console.options.update(width=_UNBOUNDED)
        wanted = console.measure(table, options=unbounded).maximum
        console.width = max(console.width, wanted)
    console.print(table)


def markdown_table(header, rows) -> str:
    """The same table as lines of Markdown."""
    lines = [header, ["---", *["---:"] * (len(header) - 1)], *rows]
    escaped = [[cell.replace("|", r"\|") for cell in cells] for cells in lines]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in escaped)
