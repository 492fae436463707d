"""Trains a super-resolution network sparse with ISS-P or another method.

    issp train --config=quickstart --workdir=runs/quickstart
    issp train --config=cat_r:scale=2 --workdir=runs/cat --config.steps=500

Every entry of the config can be overridden, as --config.steps=500. In the
workdir: metrics.csv, sparsity.csv, tensorboard/, checkpoint.keras after every
epoch, from which the same command goes on, and at the end model.keras, whose
kernels hold exact zeros. With config.teacher, the outputs of that network, of
which the training learns too, are in teacher/. From
--config.simulated_int8.begin_step=STEP on, when the zeros are final, the
training sees kernels and activations as int8 has them. PSNR in metrics.csv is
that of the float network.

Several processes share the work, on one machine or more that see one workdir,
under the JAX backend. Start on each the same command with KERAS_BACKEND=jax
in the environment, --processes=2, --coordinator=HOST:PORT and its own
--process_id, counted from 0. Each trains on its share of every batch, and the
weights become those of one process.
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
    flags.DEFINE_string("workdir", None, "Folder for what the training makes.")
    flags.DEFINE_integer(
        "processes", 1, "Processes that train together.", lower_bound=1
    )
    flags.DEFINE_string("coordinator", None, "HOST:PORT of process 0.")
    flags.DEFINE_integer(
        "process_id", 0, "Which of the processes this is.", lower_bound=0
    )
    flags.mark_flags_as_required(["config", "workdir"])
    cli.run(main, cli.parse_flags_with_config)


if __name__ == "__main__":
    run()
