r"""Packs code, wheels and photographs for a machine without a network.

    python -m issp_keras.programs.pack --config=recipe_search --output=pack
    sh install.sh
    KERAS_BACKEND=jax PYTHONPATH=site:. python3 -m issp_keras.programs.compare \
        --config=recipe_search --workdir=runs/recipe_search \
        --config.training.data.on_device=True --config.score_on="()" \
        --config.training.data.held_out= \
        --config.training.steps_per_execution=500 --minutes=9

The first command makes a folder with everything that `issp compare` needs on a
machine with Python, JAX and a GPU. The other commands run on that machine, in
this folder. Then copy the workdir back. The last command without
`--config.score_on`, on a machine with the test sets, scores the networks. The
pack stores photographs of 8 bits as lossless WebP files. It also has the files
of teachers and of pretrained networks.
"""

import pathlib
import shutil
import subprocess
import sys

import PIL.Image
from absl import flags

from issp_keras import files
from issp_keras.data import EMBEDDED
from issp_keras.data import find_source
from issp_keras.data import is_prepared
from issp_keras.errors import InputError
from issp_keras.errors import blame
from issp_keras.inference import find_bundled
from issp_keras.inference import network_path
from issp_keras.programs import cli

_ROOT = pathlib.Path(__file__).parent.parent.parent
_REQUIREMENTS = "requirements_jax.txt"
# From folders of the repository to folders of the pack. Configs import each
# other as modules of the package.
_CODE = {
    "issp_keras": "issp_keras",
    "configs": "issp_keras/configs",
    "benchmarks": "benchmarks",
}
# These packages are installed with JAX.
_THERE = ("jax", "numpy", "ml-dtypes")
# Dependencies of the packages in `_REQUIREMENTS`, without those of JAX.
_WHEELS = (
    "h5py",
    "optree",
    "namex",
    "packaging",
    "pyyaml",
    "typing-extensions",
    "markdown-it-py",
    "mdurl",
    "pygments",
)
_OF_8_BITS = ("1", "L", "LA", "P", "RGB", "RGBA")
# The largest height and width of a WebP file.
_MOST_OF_WEBP = 16383
_INSTALL = """\
#!/bin/sh
# Installs the wheels of this folder into the folder `site` beside them.
cd "$(dirname "$0")" &&
python3 -m pip install --no-index --no-deps --target=site wheels/*.whl
"""


def pack(
    sources, output, limit, python_version, platforms, download=subprocess.run
) -> int:
    """Writes the folder. If an error occurs, no folder is left.

    Args:
        sources: List of strings, folders of training photographs, and files of
            teachers. Each has the same relative path inside the pack.
        output: Path of the new folder.
        limit: Float, the largest size in MiB.
        python_version: String, the Python version of the other machine, such
            as "3.12".
        platforms: List of strings, pip's platform tags for the wheels.
        download: Callable that runs pip, such as `subprocess.run`.

    Returns:
        Integer, the size in bytes.

    Raises:
        InputError: If this is not a copy of the repository, the output exists,
            a source is not a relative path, pip fails, or the folder would be
            larger than the limit.
    """
    if not (_ROOT / _REQUIREMENTS).exists():
        raise InputError(
            f"{_ROOT}: has no {_REQUIREMENTS}, expected the repository: run "
            "this from a clone, not from an installed package."
        )
    output = pathlib.Path(output)
    if output.exists():
        raise InputError(
            f"{output}: exists, expected the name of a new folder."
        )
    for source in sources:
        path = pathlib.PurePath(source)
        if path.is_absolute() or ".." in path.parts or source == EMBEDDED:
            raise InputError(
                f"{source}: cannot be packed, expected a relative path inside "
                "the working folder, which also works on the other machine."
            )
    with files.replacing_folder(output) as partial:
        for name, there in _CODE.items():
            shutil.copytree(
                _ROOT / name,
                partial / there,
                ignore=shutil.ignore_patterns("__pycache__", "*.so"),
            )
        for source in sources:
            if pathlib.Path(source).is_file():
                files.make_folder((partial / source).parent)
                shutil.copy(source, partial / source)
            else:
                _pack_photographs(source, partial / source)
        _download(partial / "wheels", python_version, platforms, download)
        (partial / "install.sh").write_text(_INSTALL)
        size = sum(
            path.stat().st_size for path in partial.rglob("*") if path.is_file()
        )
        if size > limit * 2**20:
            raise InputError(
                f"--limit: the pack has {size / 2**20:.1f} MiB, expected at "
                f"most {limit:g}: name fewer photographs in the config."
            )
    return size


def sources_of(config) -> list[str]:
    """Lists what the trainings of a config read: photographs and networks.

    Args:
        config: `ml_collections.ConfigDict`, a config of `issp compare`.

    Raises:
        InputError: If the config has no photographs or trainings, or if a
            teacher or a pretrained network is missing.
    """
    with blame(
        "--config: is not one of issp compare", AttributeError, KeyError
    ):
        groups = [config.training, *map(config.trainings.get, config.trainings)]
        folders = [config.training.data.train]
        folders += [
            of.data.train for of in groups if "train" in of.get("data", {})
        ]
        found = [name.strip() for of in folders for name in of.split(",")]
    networks = [(of.get("teacher") or {}).get("model") for of in groups]
    networks += [of.get("pretrained") for of in groups]
    for name in networks:
        # Bundled networks come with the code. This raises an error for a name
        # that is none.
        if name and not find_bundled(name):
            cli.check_file(str(network_path(name)), "a network")
            found.append(name)
    return list(dict.fromkeys(found))


def _pack_photographs(source, folder):
    if is_prepared(source):
        shutil.copytree(source, folder)
        return
    # Only HR, since the trainings may have different scales.
    folder.mkdir(parents=True)
    for photograph in find_source(source, "train", 1):
        path = pathlib.Path(photograph.hr)
        with PIL.Image.open(path) as image:
            # JPEG files are small. WebP files have no 16 bits and a largest
            # size.
            is_jpeg = image.format in ("JPEG", "MPO")
            is_large = max(image.size) > _MOST_OF_WEBP
            packed = folder / f"{path.stem}.webp"
            if (
                is_jpeg
                or is_large
                or image.mode not in _OF_8_BITS
                or packed.exists()
            ):
                shutil.copy(path, folder / path.name)
                continue
            exif = image.info.get("exif", b"")
            image.save(
                packed,
                **{"lossless": True, "exact": True, "exif": exif},
            )


def _download(folder, python_version, platforms, download):
    lines = (_ROOT / _REQUIREMENTS).read_text().splitlines()[1:]
    wanted = [line for line in lines if not line.startswith(_THERE)]
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
    command += ["--only-binary=:all:", f"--python-version={python_version}"]
    command += [f"--platform={platform}" for platform in platforms]
    command += ["--dest", str(folder), *wanted, *_WHEELS]
    done = download(command, capture_output=True, text=True)
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise InputError(f"pip could not download the wheels: {reason}")


def main(argv):
    cli.no_argument(argv)
    flag = flags.FLAGS
    cli.check_config_file()
    sources = sources_of(flag.config)
    size = pack(
        sources, flag.output, flag.limit, flag.python_version, flag.platforms
    )
    print(f"Wrote {flag.output}: {size / 2**20:.1f} MiB.")


def run():
    """Entry point of `python -m issp_keras.programs.pack`."""
    cli.define_config_flag()
    flags.DEFINE_string("output", None, "Folder to write.")
    flags.DEFINE_float("limit", 64, "The largest size in MiB.", lower_bound=0)
    flags.DEFINE_string(
        "python_version", "3.12", "Python version of the other machine."
    )
    flags.DEFINE_list(
        "platforms",
        [f"manylinux_2_{n}_x86_64" for n in (28, 27, 17)]
        + ["manylinux2014_x86_64"],
        "Platform tags of pip for the wheels, separated by commas.",
    )
    flags.mark_flags_as_required(["config", "output"])
    cli.run(main, cli.parse_flags_with_config)


if __name__ == "__main__":
    run()
