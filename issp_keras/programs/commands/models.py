"""Lists the networks that come with issp_keras.

    issp models
    issp models --output=models.json
    issp upscale --model=x4_fast photo.jpg

Prints the name, magnification, architecture, zeros, file size, PSNR and
training data of each network. --output writes all that is known about them.
All commands that take a network take such a name.
"""

from absl import flags

from issp_keras import files
from issp_keras.network import networks
from issp_keras.programs import cli


def main(argv):
    cli.no_argument(argv)
    cli.check_output(flags.FLAGS.output, ".json")
    table = networks()
    cli.print_table(table.header, table.cells)
    for note in table.notes:
        print(note)
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
