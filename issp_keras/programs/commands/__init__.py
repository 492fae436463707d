"""The commands of `issp`, one in each file: flags, help and first checks.

Nothing here needs a slow import. A command checks its arguments, and then
imports the program that does the work.
"""

from typing import NamedTuple


class Command(NamedTuple):
    """A command of `issp`.

    Attributes:
        entry: String, the module and the function that run the command.
        summary: String, a description in one line.
    """

    entry: str
    summary: str


_HERE = "issp_keras.programs.commands"

COMMANDS = {
    "upscale": Command(f"{_HERE}.upscale:run", "Upscales photographs."),
    "train": Command(f"{_HERE}.train:run", "Trains a network sparse."),
    "evaluate": Command(
        f"{_HERE}.evaluate:run", "Scores networks: PSNR, SSIM and seconds."
    ),
    "export": Command(
        f"{_HERE}.export:run", "Converts a .keras network to .tflite files."
    ),
    "inspect": Command(
        f"{_HERE}.inspect:run", "Shows the contents of a .tflite file."
    ),
    "benchmark": Command(
        f"{_HERE}.benchmark:run", "Compares quality, size and latency of files."
    ),
    "compare": Command(
        f"{_HERE}.compare:run", "Trains and compares the networks of a config."
    ),
    "prepare": Command(
        f"{_HERE}.prepare:run", "Prepares photographs for long trainings."
    ),
    "import": Command(
        f"{_HERE}.import_checkpoint:run",
        "Converts a PyTorch checkpoint to a .keras network.",
    ),
    "models": Command(
        f"{_HERE}.models:run", "Lists the networks that come with issp_keras."
    ),
    "demo": Command(
        "issp_keras.programs.demo:run", "Opens the demo page in a browser."
    ),
    "completion": Command(
        f"{_HERE}.completion:run", "Prints a completion script for a shell."
    ),
}
