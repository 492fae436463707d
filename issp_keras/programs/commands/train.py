"""Trains a super-resolution network sparse with ISS-P or another method.

    issp train --config=quickstart --workdir=runs/quickstart
    issp train --config=cat_r:scale=2 --workdir=runs/cat --config.seed=11

A flag can override every entry of the config, for example --config.seed=11. To
shorten a training, override steps and sparsity.end_step.
The training writes metrics.csv, sparsity.csv and tensorboard/ to the workdir.
It writes checkpoint.keras after every epoch, and after the current step if
Ctrl-C or SIGTERM ends it. The same command continues from there. At the end it
writes model.keras, whose kernels hold exact zeros.

With config.teacher, the training also learns from the outputs of another
network. These outputs are in teacher/. From
--config.simulated_int8.begin_step=STEP on, when the zeros are final, the
training simulates int8 kernels and activations. PSNR in metrics.csv is that of
the float network.

With --config.pretrained=FILE.keras, or the name of a bundled network, the
training begins with the weights of this network.

With the JAX backend, several processes can share the work, on one or more
machines that see the same workdir. Start the same command for each process
with KERAS_BACKEND=jax in the environment, --processes=2,
--coordinator=HOST:PORT and its --process_id, counted from 0. Each process
trains on its share of every batch. The weights are the same as with one
process.
"""

from absl import flags

from issp_keras.errors import InputError
from issp_keras.programs import cli


def main(argv):
    cli.no_argument(argv)
    if not flags.FLAGS.workdir:
        raise InputError("--workdir: is empty, expected a folder.")
    cli.check_config_file()
    cli.load("issp_keras.programs.train").main(argv)


def run():
    """Entry point of `issp train`."""
    cli.define_config_flag()
    flags.DEFINE_string("workdir", None, "Folder for the training's files.")
    flags.DEFINE_integer(
        "processes", 1, "Number of processes that share it.", lower_bound=1
    )
    flags.DEFINE_string("coordinator", None, "HOST:PORT of process 0.")
    flags.DEFINE_integer(
        "process_id", 0, "Number of this process, from 0.", lower_bound=0
    )
    flags.mark_flags_as_required(["config", "workdir"])
    cli.run(main, cli.parse_flags_with_config)


if __name__ == "__main__":
    run()
