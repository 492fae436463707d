"""Says what is inside a `.tflite` file.

    issp inspect model.tflite
    issp inspect model.tflite --size=180,320

Prints zeros, bytes and multiply-adds of each layer, and which layers run
sparse where. Of layers of integers, it also prints which share of the blocks
of four input channels is zero: these the sparse delegate leaves out.
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
        "LR height and width in pixels for which to count multiply-adds, if "
        "the file takes any.",
    )
    flags.DEFINE_string(
        "output", None, "JSON file to write the same to.", short_name="o"
    )
    cli.run(main, arguments={"FILE": "The .tflite file."})


if __name__ == "__main__":
    run()
