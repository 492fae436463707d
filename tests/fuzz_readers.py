"""Fuzzes the readers of files in Python, guided by coverage.

    pip install --editable '.[fuzz]'
    python tests/fuzz_readers.py KIND FOLDER -runs=20000

The first argument is a kind of file of `hostile_files.py`. The second is a
folder. Files that reach new code of the readers are kept there, and a later
run goes on from them. The other arguments are those of libFuzzer. A finding is
the same as in `hostile_files.py`. It ends the program, and its file is kept.
"""

import importlib
import pathlib
import random
import sys
import tempfile

import hostile_files

# The code whose coverage guides the search.
_WATCHED = ["issp_keras", "PIL", "keras.src.saving"]
# Larger files take longer to read and show nothing else.
_MOST_BYTES = 1 << 16


class Finding(Exception):
    """A file that was neither taken nor refused."""


def mutator(kind, seeds):
    """Returns a function that changes a file for libFuzzer.

    Args:
        kind: `hostile_files.Kind`.
        seeds: List of bytes, valid files to take pieces from.
    """

    def change(content, most, seed):
        chance = random.Random(seed)
        way = chance.choice(kind.ways)
        try:
            changed = way(chance, bytes(content), seeds)
        except Exception:
            # Some ways need a file whose structure is whole.
            changed = hostile_files.damaged(chance, content, seeds)
        return changed[:most]

    return change


def reader(kind, folder):
    """Returns a function that reads one file, and raises `Finding`."""

    def read(content):
        outcome = hostile_files.outcome(kind, content, folder)
        if outcome not in ("taken", "refused"):
            raise Finding(outcome)

    return read


def main(name, corpus, *arguments):
    if name not in hostile_files.KINDS:
        sys.exit(f"KIND is {name}, expected {', '.join(hostile_files.KINDS)}.")
    kind = hostile_files.KINDS[name]
    try:
        # It has wheels for few systems, so only an extra installs it.
        atheris = importlib.import_module("atheris")
    except ModuleNotFoundError:
        sys.exit("Fuzzing needs Atheris: pip install --editable '.[fuzz]'")
    corpus = pathlib.Path(corpus)
    corpus.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        read = reader(kind, folder)
        with atheris.instrument_imports(include=_WATCHED):
            seeds = kind.seeds(folder)
            read(seeds[0])
        for number, content in enumerate(seeds):
            (corpus / f"seed_{number}").write_bytes(content)
        limits = [
            f"-timeout={hostile_files.MOST_SECONDS}",
            f"-rss_limit_mb={hostile_files.MOST_BYTES >> 20}",
            f"-max_len={_MOST_BYTES}",
            f"-artifact_prefix={corpus}/finding_",
        ]
        atheris.Setup(
            [sys.argv[0], *limits, *arguments, str(corpus)],
            read,
            custom_mutator=mutator(kind, seeds),
        )
        atheris.Fuzz()


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    main(*sys.argv[1:])
