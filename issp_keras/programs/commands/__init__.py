"""The commands of `issp`, one a file: their flags, help and first checks.

Nothing here imports what takes long. A command checks what it is told, and
then imports the program that does the work.
"""

from typing import NamedTuple


class Command(NamedTuple):
    """A command of `issp`.

    Attributes:
        entry: String, the module and the function that run it.
        summary: String, what it does.
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
        f"{_HERE}.export:run", "Writes a .keras network as .tflite files."
    ),
    "inspect": Command(
        f"{_HERE}.inspect:run", "Says what is inside a .tflite file."
    ),
    "benchmark": Command(
        f"{_HERE}.benchmark:run", "Compares quality, size and latency of files."
    ),
    "compare": Command(
        f"{_HERE}.compare:run", "Trains what a config lists, and compares it."
    ),
    "prepare": Command(
        f"{_HERE}.prepare:run", "Prepares photographs for long trainings."
    ),
    "import": Command(
        f"{_HERE}.import_checkpoint:run",
        "Makes a .keras network of a PyTorch checkpoint.",
    ),
    "models": Command(
        f"{_HERE}.models:run", "Lists the networks that come with issp_keras."
    ),
    "demo": Command(
        "issp_keras.programs.demo:run", "Opens the demo page in a browser."
    ),
    "completion": Command(
        f"{_HERE}.completion:run", "Prints a script for completion in a shell."
    ),
}
