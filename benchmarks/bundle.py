r"""Puts trained networks into the package.

    issp-compare --config=configs/bundled.py --workdir=runs/bundled
    python benchmarks/bundle.py --runs=runs/bundled
    issp-compare --config=configs/bundled_int8.py --workdir=runs/bundled_int8
    python benchmarks/bundle.py --runs=runs/bundled_int8

The name of each training is the name of the bundled network. If a training has
several seeds, the network with the best PSNR on Kodak24 is taken. Each network
becomes three files in `--output`: a `.keras` file, and `.tflite` files in
float32 and in full integers. Both `.tflite` files are scored. The facts, the
scores and the digests of the files are written to `networks.json`. Networks of
earlier calls stay, unless a new one has their name. A training that began with
the weights of a bundled network (`config.pretrained`) keeps the facts of that
network, and adds its own steps to them.
"""

import hashlib
import pathlib
import shutil
import tempfile
from unittest import mock

from timing import circumstances  # First, since it chooses the backend.

# isort: split
import keras
import trained as trainings
from absl import flags

from issp_keras import activation_ranges
from issp_keras import files
from issp_keras import models
from issp_keras.errors import InputError
from issp_keras.programs import cli
from issp_keras.tflite import export
from issp_keras.tflite import inspect

_PACKAGE = pathlib.Path(__file__).parent.parent / "issp_keras"

flags.DEFINE_list("runs", ["runs/bundled"], "Folders of `issp-compare`.")
flags.DEFINE_list("only", [], "Names of trainings. Defaults to all.")
flags.DEFINE_string(
    "output", str(_PACKAGE / "inference" / "networks"), "Folder of the package."
)
flags.DEFINE_string("data_dir", "data", "Folder of the test sets.")

_CHOOSE_BY = "Kodak24"
# What is known about photographs, by the entry `data.train` of a config.
_PHOTOGRAPHS = {
    "data/T91,data/BSD200,data/DIV2K_quarter": {
        "photographs": "T91, BSD200, DIV2K (a quarter of the size)",
        "licence": "research only (T91: not stated)",
    }
}
_MADE_BY = "configs/bundled.py"
_TUNED_BY = "configs/bundled_int8.py"


def test_sets(data_dir) -> dict[str, str]:
    """Returns the names of the test sets, and where to read each of them."""
    kodak = str(pathlib.Path(data_dir) / _CHOOSE_BY)
    return {_CHOOSE_BY: kodak, "Set5": "set5", "Set14": "set14"}


def best_by_name(found) -> dict[str, trainings.Trained]:
    """Returns the best network of each name, judged by Kodak24."""
    best: dict[str, trainings.Trained] = {}
    for of in found:
        name = of.result["name"]
        if name not in best or _quality(of) > _quality(best[name]):
            best[name] = of
    return best


def _quality(of):
    try:
        return of.result["scores"][_CHOOSE_BY]["psnr"]
    except KeyError:
        raise InputError(
            f"{of.path}: was not scored on {_CHOOSE_BY}, which chooses between "
            "seeds."
        ) from None


def bundle(of, folder, data_dir, earlier) -> dict:
    """Writes the files of a network, and returns its entry of the list.

    Args:
        of: `Trained`.
        folder: Path of the folder for the files.
        data_dir: Path of the folder of test sets.
        earlier: Dict from names to the entries of the list so far.
    """
    name, train = of.result["name"], of.config["data"]["train"]
    if train not in _PHOTOGRAPHS:
        raise InputError(
            f"{name}: was trained on {train}, whose licence this program does "
            f"not know; expected {' or '.join(_PHOTOGRAPHS)}."
        )
    facts, method = _facts(of), of.method
    if pretrained := of.config.get("pretrained"):
        if pretrained not in earlier:
            raise InputError(
                f"{name}: began with {pretrained}, expected a network of "
                f"{folder}: {', '.join(earlier) or 'none'}."
            )
        facts = _after(earlier[pretrained], facts, of.config)
        network = folder / f"{pretrained}.tflite"
        method = inspect(network).metadata["method"]
    with tempfile.TemporaryDirectory() as scratch:
        scratch = pathlib.Path(scratch)
        scores = _write(of, scratch, data_dir, method)
        digests = {
            path.name: hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted(scratch.iterdir())
        }
        # All three are finished before the first one is replaced.
        for file in digests:
            with files.replacing(folder / file) as partial:
                shutil.copyfile(scratch / file, partial)
    return {**facts, "scores": scores, "sha256": digests}


def _facts(of):
    """What is known about a network before its files are scored."""
    return {
        "name": of.result["name"],
        "scale": of.scale,
        "architecture": of.network[0],
        **{
            key: of.result[key]
            for key in ("weights", "non_zeros", "steps", "seed")
        },
        "int8_steps": 0,
        **_PHOTOGRAPHS[of.config["data"]["train"]],
        "zeros_in": _zeros_in(of.config["sparsity"]),
        "loss": of.config["loss"],
        "teacher": (of.config.get("teacher") or {}).get("model"),
        "backend": of.result.get("backend"),
        "made_by": _MADE_BY,
        "settings": of.result["settings"],
    }


def _after(before, facts, config):
    """The facts of a network that was trained further, with simulated int8."""
    name, steps = facts["name"], facts["steps"]
    if (config.get("simulated_int8") or {}).get("begin_step") is None:
        raise InputError(
            f"{name}: began with {before['name']}, expected a training with "
            "--config.simulated_int8.begin_step."
        )
    if facts["settings"] in before["settings"].split(", "):
        raise InputError(
            f"{name}: {before['name']} has had this training already, expected "
            "another one."
        )
    return {
        **before,
        "name": name,
        "non_zeros": facts["non_zeros"],
        "steps": before["steps"] + steps,
        "int8_steps": steps,
        "made_by": f"{_MADE_BY}, {_TUNED_BY}",
        "settings": f"{before['settings']}, {facts['settings']}",
    }


def _zeros_in(sparsity):
    """What becomes zero together, for people."""
    if sparsity.get("pattern", "unstructured") == "unstructured":
        return "single weights"
    inputs, outputs = (sparsity["block"][of] for of in ("inputs", "outputs"))
    if outputs == 1:
        return f"blocks of {inputs} input channels"
    return f"blocks of {inputs} input and {outputs} output channels"


def _write(of, folder, data_dir, method):
    """Writes the three files of a network, and scores two of them."""
    name = of.result["name"]
    model = models.load_model(of.path)
    whole = folder / "whole.keras"
    for_all_versions(model, *of.network).save(whole)
    trainings.compress(whole, folder / f"{name}.keras")
    whole.unlink()
    sets = test_sets(data_dir)
    scores = {}
    for precision, suffix in (("float32", ""), ("int8", "_int8")):
        path = folder / f"{name}{suffix}.tflite"
        print(export(model, path, precision, method=method), flush=True)
        found = trainings.scores(path, of.scale, sets.values(), data_dir)
        scores[precision] = {
            shown: found[source] for shown, source in sets.items()
        }
    return scores


def for_all_versions(model, architecture, options):
    """Returns a copy of a network that all supported versions of Keras load.

    Keras before 3.14 has no operation `depth_to_space`. Networks that are built
    without it have a layer of issp_keras in its place.

    Args:
        model: `keras.Model`.
        architecture: String, a key of `issp_keras.models.NETWORKS`.
        options: Dict, its arguments.
    """
    with mock.patch.dict(vars(keras.ops)):
        vars(keras.ops).pop("depth_to_space", None)
        copy = models.NETWORKS[architecture](**options)
    copy.set_weights(model.get_weights())
    if (ranges := activation_ranges.attached(model)) is not None:
        activation_ranges.attach(copy, ranges)
    return copy


def _rank(entry):
    """Sorts x4 to the front, and the best of a magnification before others."""
    scale, quality = entry["scale"], entry["scores"]["float32"][_CHOOSE_BY]
    return scale != 4, scale, -quality["psnr"]


def main(_):
    flag = flags.FLAGS
    circumstances()
    best = best_by_name(trainings.find(flag.runs))
    for name in flag.only:
        if name not in best:
            raise InputError(
                f"--only: {name} is no training, expected some of "
                f"{', '.join(best)}."
            )
    sets = list(test_sets(flag.data_dir).values())
    cli.check_photographs("data_dir", sets, flag.data_dir)
    folder = pathlib.Path(flag.output)
    files.make_folder(folder)
    listed = folder / "networks.json"
    entries = files.read_json(listed) if listed.exists() else []
    for name in flag.only or best:
        earlier = {of["name"]: of for of in entries}
        entry = bundle(best[name], folder, flag.data_dir, earlier)
        entries = [of for of in entries if of["name"] != name] + [entry]
        files.write_json(listed, sorted(entries, key=_rank))
    print(f"Wrote {listed}.")


if __name__ == "__main__":
    cli.run(main)
