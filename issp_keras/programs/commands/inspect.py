"""Shows the contents of a `.tflite` file.

    issp inspect model.tflite
    issp inspect model.tflite --size=180,320

Prints the zeros, bytes and multiply-adds of each layer. It also prints which
layers run sparse, and on which processors. For layers of integers, it prints
the share of zero blocks of four input channels, which the sparse delegate
skips.
"""

from absl import flags

from issp_keras.programs import cli


def main(argv):
    flag = flags.FLAGS
    (path,) = cli.arguments(argv, "a .tflite file")
    if flag.size:
        cli.image_size(flag.size)
    cli.check_file(path, "a .tflite file")
    cli.check_output(flag.output)
    cli.load("issp_keras.tflite.programs.inspect").main(argv)


def run():
    """Entry point of `issp inspect`."""
    flags.DEFINE_list(
        "size",
        None,
        "LR height and width in pixels for the number of multiply-adds, if the "
        "file takes any size.",
    )
    flags.DEFINE_string(
        "output", None, "JSON file for the same data.", short_name="o"
    )
    cli.run(main, arguments={"FILE": "The .tflite file."})


if __name__ == "__main__":
    run()
