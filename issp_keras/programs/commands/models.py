"""Lists the networks that come with issp_keras.

    issp models
    issp models --output=models.json
    issp upscale --model=x4_fast photo.jpg

Prints the name, magnification, architecture, zeros, file size, PSNR and
training data of each network. --model of every command takes such a name.
"""

from absl import flags

from issp_keras import files
from issp_keras.network import networks
from issp_keras.programs import cli


def main(argv):
    cli.no_argument(argv)
    cli.check_output(flags.FLAGS.output)
    table = networks()
    cli.print_table(table.header, table.cells)
    if flags.FLAGS.output:
        files.write_json(flags.FLAGS.output, table.rows)
        print(f"Wrote {flags.FLAGS.output}.")


def run():
    """Entry point of `issp models`."""
    flags.DEFINE_string(
        "output", None, "JSON file for the same data.", short_name="o"
    )
    cli.run(main)


if __name__ == "__main__":
    run()
