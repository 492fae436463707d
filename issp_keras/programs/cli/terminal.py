"""Tables and progress bars."""

import contextlib
import sys

_UNBOUNDED = 10_000
# The most characters of a cell that is not wrapped.
_SHORT = 20


@contextlib.contextmanager
def starting():
    """Shows a line on a terminal while the block, a slow import, runs."""
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
    """Shows a progress bar on a terminal. Elsewhere it shows nothing.

    Args:
        description: String, the text beside the bar.
        total: Integer, the amount of work; None if it is unknown.

    Yields:
        A callable that takes the finished amount.
    """
    import rich.console
    import rich.progress

    console = rich.console.Console(stderr=True)
    if not console.is_terminal:
        # Older versions of rich print an empty line for a disabled bar.
        yield lambda done: None
        return
    bar = rich.progress.Progress(
        console=console,
        transient=True,
        # Print other output above the bar, or into its file.
        redirect_stdout=sys.stdout.isatty(),
    )
    with bar:
        task = bar.add_task(description, total=total)
        yield lambda done: bar.update(task, completed=done)


def print_table(header: list[str], rows: list[list[str]]):
    """Prints a table. All columns except the first are right-aligned.

    In a narrow terminal, columns are wrapped, but not a first column of short
    cells.
    """
    import rich.console
    import rich.table

    table = rich.table.Table()
    # A long first column would leave no space for the others.
    is_short = max(len(row[0]) for row in [header, *rows]) <= _SHORT
    for i, name in enumerate(header):
        table.add_column(
            name,
            justify="right" if i else "left",
            overflow="fold",
            no_wrap=i == 0 and is_short,
        )
    for row in rows:
        table.add_row(*row)
    console = rich.console.Console(markup=False)
    if not console.is_terminal:
        # A file or a pipe has no limited width.
        unbounded = console.options.update(width=_UNBOUNDED)
        wanted = console.measure(table, options=unbounded).maximum
        console.width = max(console.width, wanted)
    console.print(table)


def markdown_table(header, rows, texts=1) -> str:
    """Returns the same table as Markdown.

    Args:
        header: List of strings.
        rows: List of lists of strings.
        texts: Integer, the number of columns at the left that are texts. The
            others are numbers, and are aligned at the right.
    """
    dashes = ["---"] * texts + ["---:"] * (len(header) - texts)
    lines = [header, dashes, *rows]
    escaped = [[cell.replace("|", r"\|") for cell in cells] for cells in lines]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in escaped)
