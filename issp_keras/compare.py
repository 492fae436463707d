"""Compares pruning methods on equal terms, in one table.

    issp-compare --config=configs/compare_methods.py --workdir=runs/compare

Trains the config's network once for each method, sparsity and seed, each in
a folder of its own, and prints the mean PSNR on the held-out photographs
with the spread over the seeds; the same, with every single score, is in
`results.json`. The same command goes on after an interruption.
"""

import copy
import json
import statistics

import keras
from absl import flags
from ml_collections import ConfigDict
from ml_collections import config_flags

from issp_keras import cli
from issp_keras import configuration
from issp_keras import files
from issp_keras.callbacks import count_zeros
from issp_keras.data import load_pairs
from issp_keras.errors import InputError
from issp_keras.scores import SMALLEST
from issp_keras.scores import score_network
from issp_keras.train import train


def compare(config, workdir) -> list[dict]:
    """Trains and scores every method at every sparsity with every seed.

    Args:
        config: `ml_collections.ConfigDict` with the entries of
            `configs/compare_methods.py`: `training` as for `issp-train`,
            `methods`, which maps a name to what changes in
            `training.sparsity`, `sparsities` and `seeds`.
        workdir: Path of a folder, made if missing.

    Returns:
        A list of dicts with the keys `method`, `sparsity`, `seed`, `zeros`
        (share of zeros in the kernels), `psnr` (dB) and `ssim`.

    Raises:
        InputError: If an entry of the config is not usable.
    """
    runs = [
        (name, sparsity, seed, _variant(config, name, sparsity, seed))
        for seed in config.seeds
        for sparsity in config.sparsities
        for name in config.methods
    ]
    # A mistake in the last of them must not show after hours.
    for *_, variant in runs:
        configuration.check(variant)
        configuration.sparse_training(variant)
    workdir = files.make_folder(workdir)
    results: list[dict] = []
    for name, sparsity, seed, variant in runs:
        folder = workdir / f"{name}-{sparsity}-{seed}"
        configuration.check_same(variant, folder / "config.json")
        if not (folder / "result.json").exists():
            print(f"{folder.name} ({len(results) + 1} of {len(runs)})")
            files.write_json(folder / "result.json", _result(variant, folder))
        result = json.loads((folder / "result.json").read_text())
        results.append(
            {"method": name, "sparsity": sparsity, "seed": seed, **result}
        )
        files.write_json(workdir / "results.json", results)
    return results


def _variant(config, name, sparsity, seed):
    variant = ConfigDict(copy.deepcopy(config.training.to_dict()))
    with variant.unlocked():
        variant.sparsity.update(config.methods[name].to_dict())
        variant.sparsity.target_sparsity = sparsity
        variant.seed = seed
    return variant


def _result(variant, folder):
    model = train(variant, folder)
    scale = variant.network.scale
    held_out = load_pairs(variant.data.held_out, "held_out", scale, SMALLEST)
    score = score_network(model, held_out)
    zeros, weights = count_zeros(model)
    keras.backend.clear_session()
    return {
        "zeros": zeros / weights,
        "psnr": score.psnr,
        "ssim": score.ssim,
    }


def table(results):
    """Returns rows of strings: methods down, sparsities across."""
    sparsities = sorted({result["sparsity"] for result in results})
    rows = [["PSNR (dB)", *(f"{100 * s:g} % zeros" for s in sparsities)]]
    for method in dict.fromkeys(result["method"] for result in results):
        row = [method]
        for sparsity in sparsities:
            scores = [
                result["psnr"]
                for result in results
                if (result["method"], result["sparsity"]) == (method, sparsity)
            ]
            spread = (max(scores) - min(scores)) / 2
            row.append(f"{statistics.mean(scores):.2f} ± {spread:.2f}")
        rows.append(row)
    return rows


def main(argv):
    cli.no_argument(argv)
    flag = flags.FLAGS
    cli.check_config_file()
    for entry in ("training", "methods", "sparsities", "seeds"):
        if entry not in flag.config:
            raise InputError(
                f"--config: has no entry '{entry}', expected those of "
                "configs/compare_methods.py."
            )
    header, *rows = table(compare(flag.config, flag.workdir))
    cli.print_table(header, rows)


def run():
    """Entry point of `issp-compare`."""
    config_flags.DEFINE_config_file("config", None, "A file of configs/.")
    flags.DEFINE_string("workdir", None, "Folder for what is trained.")
    flags.mark_flags_as_required(["config", "workdir"])
    cli.run(main, cli.parse_flags_with_config)


if __name__ == "__main__":
    run()
