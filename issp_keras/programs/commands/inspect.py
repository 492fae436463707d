"""Shows the contents of a `.tflite` file.

    issp inspect model.tflite
    issp inspect model.tflite --size=180,320
    issp inspect x4_fast

Prints the zeros, bytes and multiply-adds of each layer. It also prints which
layers run sparse, and on which processors. For layers of integers, it prints
the share of zero blocks of four input channels, which the sparse delegate
skips.

FILE may be the name of a network that comes with issp_keras, as in the last
example (`issp models` lists them).
"""

from absl import flags

from issp_keras.inference import network_path
from issp_keras.programs import cli


def main(argv):
    flag = flags.FLAGS
    (path,) = cli.arguments(argv, "a .tflite file")
    if flag.size:
        cli.image_size(flag.size)
    path = str(network_path(path))
    cli.check_file(path, "a .tflite file")
    cli.check_output(flag.output, ".json", source=path)
    cli.load("issp_keras.tflite.programs.inspect").main([argv[0], path])


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
