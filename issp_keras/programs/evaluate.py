"""The program of `issp evaluate`."""

import csv
import dataclasses
import pathlib

from absl import flags

from issp_keras import files
from issp_keras.data import find_source
from issp_keras.data import write_photograph
from issp_keras.errors import InputError
from issp_keras.evaluation import check_scales
from issp_keras.evaluation import evaluate
from issp_keras.pictures import comparison
from issp_keras.programs import cli
from issp_keras.programs import evaluate_report
from issp_keras.programs.commands.evaluate import run
from issp_keras.scores import SMALLEST

_COLUMNS = ("psnr", "ssim", "seconds")


def _write(path, settings, scores, failures):
    files.write_json(
        path,
        {
            **settings,
            "scores": {
                source: {
                    way: [dataclasses.asdict(s) for s in of]
                    for way, of in ways.items()
                }
                for source, ways in scores.items()
            },
            "failures": failures,
        },
    )
    table = pathlib.Path(path).with_suffix(".csv")
    with (
        files.replacing(table) as partial,
        partial.open("w", newline="") as file,
    ):
        writer = csv.writer(file)
        writer.writerow(["data", "photograph", "way", *_COLUMNS])
        for source, ways in scores.items():
            for way, of in ways.items():
                writer.writerows(
                    [source, s.name, way, s.psnr, s.ssim, s.seconds] for s in of
                )
    print(f"Wrote {path} and {table}.")


def main(argv):
    flag = flags.FLAGS
    networks = {model: cli.network(model) for model in flag.model}
    network = networks[flag.model[0]]
    check_scales(networks)
    channels = flag.channels
    sources = {
        source: find_source(source, "held_out", network.scale, flag.data_dir)
        for source in flag.data
    }
    crops = evaluate_report.Crops()
    see = crops.see if flag.report else lambda *_: None
    count = sum(map(len, sources.values()))
    with cli.progress_bar("Photographs", count) as progress:
        scores, failures = evaluate(networks, sources, channels, see, progress)
    for source, of in scores.items():
        rows = [
            [same[0].name]
            + [f"{s.psnr:.2f} / {s.ssim:.4f} / {s.seconds:.2f} s" for s in same]
            for same in zip(*of.values(), strict=True)
        ]
        if rows:
            cli.print_table([source, *of], rows)
    print(
        f"PSNR (dB) and SSIM on {channels.upper()}, without a border of "
        f"{network.scale} pixels; seconds on this host."
    )
    settings = {
        "model": ", ".join(flag.model),
        "scale": network.scale,
        "border": network.scale,
        "channels": channels,
        "self_ensemble": flag.self_ensemble,
    }
    if flag.output:
        _write(flag.output, settings, scores, failures)
    if flag.comparison:
        _write_comparison(flag.comparison, sources, network)
    if flag.report:
        threads = cli.network_threads(flag.model[0], flag.threads)
        page = evaluate_report.page(
            settings, scores, failures, crops, cli.facts(threads)
        )
        cli.write_page(flag.report, page)
    cli.check_failures(failures, count)


def _write_comparison(path, sources, network):
    """Writes the picture of the first readable photograph."""
    for photograph in (p for of in sources.values() for p in of):
        try:
            pair = photograph.read(network.scale, SMALLEST)
        except InputError:
            continue
        picture = comparison(pair, network.upscale(pair.lr))
        write_photograph(path, picture)
        print(f"Wrote {path}.")
        return


if __name__ == "__main__":
    run()
