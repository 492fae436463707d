"""Copies trained networks into the repository.

    python benchmarks/store.py --runs=runs/comparison,runs/frontier
    python benchmarks/frontier.py --runs=benchmarks/networks

A training takes hours, and a folder like `runs` is easily lost. This program
copies each finished training of `issp-compare` into a folder of its own in
`--output`: the compressed network, its config and its result. Other programs
use `--output` like a folder of `issp-compare`. Networks that are stored there
already stay. `--replace` stores all of them again.
"""

import pathlib
import shutil

import trained as trainings
from absl import flags

from issp_keras import files
from issp_keras.errors import InputError
from issp_keras.programs import cli

flags.DEFINE_list("runs", ["runs/frontier"], "Folders of `issp-compare`.")
flags.DEFINE_string(
    "output",
    str(pathlib.Path(__file__).parent / "networks"),
    "Folder for the networks.",
)
flags.DEFINE_bool("replace", False, "Whether to replace stored networks.")


def store(of, output):
    """Copies a network, its config and its result.

    Args:
        of: `Trained`.
        output: Path of the folder for all networks.

    Returns:
        Path of the new folder. It replaces an older folder of this training.
    """
    folder = pathlib.Path(output) / of.key
    with files.replacing_folder(folder, replace=True) as partial:
        for name in ("config.json", "result.json"):
            shutil.copyfile(of.path.with_name(name), partial / name)
        trainings.compress(of.path, partial / of.path.name)
    return folder


def stored_digest(of, output) -> str | None:
    """The digest of the weights that are stored for a training, or None.

    Args:
        of: `Trained`.
        output: Path of the folder for all networks.
    """
    path = pathlib.Path(output) / of.key / of.path.name
    return trainings.digest_of(path) if path.exists() else None


def main(_):
    flag = flags.FLAGS
    differing = []
    for of in trainings.find(flag.runs):
        name = of.result["name"]
        try:
            stored = None if flag.replace else stored_digest(of, flag.output)
        except InputError:
            # It is damaged.
            stored = ""
        if stored is None:
            print(f"Wrote {store(of, flag.output)}: {name}.")
        elif stored == of.digest:
            print(f"{name} is stored already.")
        else:
            differing.append(f"{name} ({of.key})")
    if differing:
        raise InputError(
            f"--runs: {flag.output} has other weights of "
            f"{' and '.join(differing)}, as a training on another backend or "
            "machine gives them; give --replace to replace them."
        )


if __name__ == "__main__":
    cli.run(main)
