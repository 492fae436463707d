"""Tables and progress bars."""

import contextlib
import sys

_UNBOUNDED = 10_000


@contextlib.contextmanager
def starting():
    """Shows on a terminal that the block, an import, takes a while."""
    line = "Starting ..."
    is_shown = sys.stderr.isatty()
    if is_shown:
        print(line, end="\r", file=sys.stderr, flush=True)
    try:
        yield
    finally:
        if is_shown:
            print(" " * len(line), end="\r", file=sys.stderr, flush=True)


@contextlib.contextmanager
def progress_bar(description: str, total: int | None = None):
    """Shows a progress bar on a terminal, and nothing elsewhere.

    Args:
        description: String, what is done.
        total: Integer, how much there is to do; None if nobody knows.

    Yields:
        A callable that takes how much of `total` is done.
    """
    import rich.console
    import rich.progress

    console = rich.console.Console(stderr=True)
    if not console.is_terminal:
        # A bar that is off ends in an empty line under older versions of rich.
        yield lambda done: None
        return
    bar = rich.progress.Progress(
        console=console,
        transient=True,
        # What is printed on the way goes above the bar, or into its file.
        redirect_stdout=sys.stdout.isatty(),
    )
    with bar:
        task = bar.add_task(description, total=total)
        yield lambda done: bar.update(task, completed=done)


def print_table(header: list[str], rows: list[list[str]]):
    """Prints a table; all columns but the first are aligned to the right."""
    import rich.console
    import rich.table

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
