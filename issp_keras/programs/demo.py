"""Opens a page that upscales photographs inside the browser.

    issp demo
    issp demo --network=Mine=model_float16_sparse.tflite --output=page.html

The page sends nothing to a server. Without --network, it has the networks that
come with issp_keras. The first call compiles the page, and later calls reuse
it.
"""

import pathlib
import shutil
import webbrowser

from absl import flags

from issp_keras import files
from issp_keras.errors import InputError
from issp_keras.errors import naming
from issp_keras.inference import find_bundled
from issp_keras.inference import network_path
from issp_keras.programs import cli
from issp_keras.web import find_demo
from issp_keras.web import make_demo


def main(argv):
    cli.no_argument(argv)
    networks = _networks(flags.FLAGS.network)
    output = flags.FLAGS.output
    cli.check_output(output, ".html")
    page = find_demo(networks)
    if page is None:
        print("Compiling the page; this takes about two minutes.", flush=True)
        page = make_demo(networks)
    if output:
        with files.replacing(output) as partial:
            shutil.copyfile(page, partial)
        page = pathlib.Path(output)
    print(f"{page} needs no other file, and sends nothing to a server.")
    is_open = flags.FLAGS.open and webbrowser.open(page.resolve().as_uri())
    if flags.FLAGS.open and not is_open:
        problem = f"found no browser: open {page} in a browser."
        if not output:
            raise InputError(problem)
        print(problem)


def _networks(given):
    """Returns a dict from names to paths of networks."""
    networks = {}
    for text in given:
        name, _, network = text.partition("=")
        with naming(f"--network={text}"):
            path = _file_of(network)
        if not (name and path.suffix == ".tflite" and path.is_file()):
            raise InputError(
                f"--network={text}: expected NAME=PATH of a .tflite file, or "
                "NAME=the name of a bundled network."
            )
        if name in networks:
            raise InputError(f"--network={text}: {name} is given twice.")
        networks[name] = path
    return networks


def _file_of(network):
    """The `.tflite` file of a path or of the name of a bundled network."""
    path = network_path(network) if network else pathlib.Path()
    bundled = find_bundled(network)
    # It is the .keras file without LiteRT, which the page does not need.
    is_keras = bundled is not None and path == bundled.keras
    return bundled.tflite if is_keras else path


def run():
    """Entry point of `issp demo`."""
    flags.DEFINE_multi_string(
        "network",
        [],
        "A .tflite network for the page instead of the bundled networks, as "
        "NAME=PATH. Use the flag again for more networks.",
    )
    flags.DEFINE_string(
        "output", None, "HTML file to write; it needs no other file."
    )
    flags.DEFINE_bool("open", True, "Whether to open the page in a browser.")
    cli.run(main)


if __name__ == "__main__":
    run()
