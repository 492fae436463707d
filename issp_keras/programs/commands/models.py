"""Lists the networks that come with issp_keras.

    issp models
    issp models --output=models.json
    issp upscale --model=quickstart_x4 photo.jpg

Prints the name of each, and its magnification, architecture, zeros, the size of
its file, PSNR, and what it was trained on. --model of every command takes such
a name.
"""

from absl import flags

from issp_keras import files
from issp_keras.inference import bundled_networks
from issp_keras.programs import cli

_HEADER = [
    "name",
    "scale",
    "network",
    "weights",
    "zeros",
    "bytes",
    "PSNR in dB on Y",
    "trained on",
    "licence of the photographs",
]


def main(argv):
    cli.no_argument(argv)
    cli.check_output(flags.FLAGS.output)
    networks = bundled_networks()
    cli.print_table(_HEADER, [_row(network) for network in networks])
    if flags.FLAGS.output:
        entries = [
            {**vars(network), "path": str(network.path), "bytes": network.bytes}
            for network in networks
        ]
        files.write_json(flags.FLAGS.output, entries)
        print(f"Wrote {flags.FLAGS.output}.")


def _row(network):
    return [
        network.name,
        f"x{network.scale}",
        network.architecture,
        f"{network.weights:,}",
        f"{network.zeros:.0%}",
        f"{network.bytes:,}",
        ", ".join(f"{name} {of:.2f}" for name, of in network.psnr.items()),
        network.photographs,
        network.licence,
    ]


def run():
    """Entry point of `issp models`."""
    flags.DEFINE_string(
        "output", None, "JSON file to write the same to.", short_name="o"
    )
    cli.run(main)


if __name__ == "__main__":
    run()
