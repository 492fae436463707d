"""Copies trained networks into the repository.

    python benchmarks/store.py --runs=runs/comparison,runs/frontier
    python benchmarks/frontier.py --runs=benchmarks/networks

A training takes hours, and a folder like `runs` is easily lost. This program
copies each finished training of `issp-compare` into a folder of its own in
`--output`: the compressed network, its config and its result. Other programs
use `--output` like a folder of `issp-compare`. Networks that are stored there
already stay.
"""

import pathlib
import shutil

import trained as trainings
from absl import flags

from issp_keras import files
from issp_keras.programs import cli

flags.DEFINE_list("runs", ["runs/frontier"], "Folders of `issp-compare`.")
flags.DEFINE_string(
    "output",
    str(pathlib.Path(__file__).parent / "networks"),
    "Folder for the networks.",
)


def store(of, output):
    """Copies a network, its config and its result.

    Args:
        of: `Trained`.
        output: Path of the folder for all networks.

    Returns:
        Path of the new folder.
    """
    folder = files.make_folder(pathlib.Path(output) / of.key)
    for name in ("config.json", "result.json"):
        with files.replacing(folder / name) as partial:
            shutil.copyfile(of.path.with_name(name), partial)
    # Without a network, the folder is no training.
    trainings.compress(of.path, folder / of.path.name)
    return folder


def main(_):
    for of in trainings.find(flags.FLAGS.runs):
        folder = store(of, flags.FLAGS.output)
        print(f"Wrote {folder}: {of.result['name']}.")


if __name__ == "__main__":
    cli.run(main)
