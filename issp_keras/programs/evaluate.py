"""What `issp evaluate` does."""

import csv
import dataclasses
import pathlib

from absl import flags

from issp_keras import files
from issp_keras.data import find_source
from issp_keras.data import write_photograph
from issp_keras.errors import InputError
from issp_keras.pictures import comparison
from issp_keras.programs import cli
from issp_keras.programs import evaluate_report
from issp_keras.programs.commands.evaluate import run
from issp_keras.scores import SMALLEST
from issp_keras.scores import bicubic
from issp_keras.scores import mean
from issp_keras.scores import score_and_result

_COLUMNS = ("psnr", "ssim", "seconds")


def _networks(models):
    """The networks by name, which must have one magnification."""
    networks = {model: cli.network(model) for model in models}
    (first, one), *others = networks.items()
    for name, other in others:
        if other.scale != one.scale:
            raise InputError(
                f"--model: {name} magnifies {other.scale} times, expected "
                f"{one.scale} as {first}."
            )
    return networks


def _evaluate(networks, scale, sources, channels, see):
    """Scores bicubic interpolation and networks on all that can be read.

    `see` takes the source, the pair, and the score and image of each way.

    Returns:
        Scores by source and way, the mean last, and a list of sentences
        about the photographs that cannot be read.
    """
    ways = {"bicubic": bicubic(scale)}
    ways |= {name: of.upscale for name, of in networks.items()}
    scores: dict = {source: {way: [] for way in ways} for source in sources}
    failures = []
    count = sum(map(len, sources.values()))
    done = 0
    with cli.progress_bar("Photographs", count) as progress:
        for source, photographs in sources.items():
            for photograph in photographs:
                try:
                    pair = photograph.read(scale, SMALLEST)
                except InputError as error:
                    failures.append(str(error))
                else:
                    # Measured, if at all, before the clock starts.
                    for network in networks.values():
                        network.overlap_for(pair.lr.shape)
                    made = {
                        way: score_and_result(upscale, pair, channels)
                        for way, upscale in ways.items()
                    }
                    for way, (score, _) in made.items():
                        scores[source][way].append(score)
                    see(source, pair, made)
                done += 1
                progress(done)
            for of in scores[source].values():
                of.extend([mean(of)] if of else [])
    return scores, failures


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
    networks = _networks(flag.model)
    network = networks[flag.model[0]]
    channels = flag.channels
    sources = {
        source: find_source(source, "held_out", network.scale, flag.data_dir)
        for source in flag.data
    }
    crops = evaluate_report.Crops()
    see = crops.see if flag.report else lambda *_: None
    scores, failures = _evaluate(
        networks, network.scale, sources, channels, see
    )
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
    cli.check_failures(failures, sum(map(len, sources.values())))


def _write_comparison(path, sources, network):
    """The picture of the first photograph that can be read."""
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
