"""Builds the network, the loss and the optimizer of a config."""

import contextlib

import keras

from issp_keras import host
from issp_keras import models
from issp_keras.errors import InputError
from issp_keras.errors import blame
from issp_keras.errors import naming
from issp_keras.inference import keras_path
from issp_keras.losses import L1FFT
from issp_keras.losses import Distillation
from issp_keras.models.bounds import at_most

# float32 weights, their gradients, and two moments of Adam.
_BYTES_PER_WEIGHT = 16
LOSSES = {"l1": keras.losses.MeanAbsoluteError, "l1_fft": L1FFT}


def check_network(config):
    """Raises an `InputError` unless `config.network` names a network."""
    name = config.network.name
    if not isinstance(name, str) or name not in models.NETWORKS:
        raise InputError(
            f"--config.network.name: is '{name}', expected one of "
            f"{', '.join(sorted(models.NETWORKS))}."
        )


def network(config, dtype_policy=None) -> keras.Model:
    """Builds the network that `config.network` describes, with new weights.

    Args:
        config: `ml_collections.ConfigDict`.
        dtype_policy: String, the dtype policy of the network. Defaults to the
            global policy of Keras.
    """
    check_network(config)
    arguments = config.network.to_dict()
    name = arguments.pop("name")
    with (
        _policy(dtype_policy),
        # Sizes may be beyond the numbers of the backend.
        blame("--config.network", ValueError, TypeError, OverflowError),
        at_most(
            host.memory() // _BYTES_PER_WEIGHT,
            "--config.network",
            "a training can hold in the memory of this machine",
        ),
    ):
        return models.NETWORKS[name](**arguments)


def begin_pretrained(config, network: keras.Model) -> None:
    """Gives a network the weights of `config.pretrained`, if there is one.

    Args:
        config: `ml_collections.ConfigDict`.
        network: The network that `config.network` describes.

    Raises:
        InputError: If the file cannot be loaded, or its weights have other
            shapes.
    """
    name = config.get("pretrained")
    if name is None:
        return
    with naming("--config.pretrained"):
        given = models.load_model(keras_path(name)).weights
    expected = network.weights
    differing = (
        f"{a.path} of shape {tuple(a.shape)}, expected {tuple(b.shape)}"
        for a, b in zip(given, expected, strict=False)
        if a.shape != b.shape
    )
    count = f"{len(given)} variables, expected {len(expected)}"
    if problem := next(differing, len(given) != len(expected) and count):
        raise InputError(
            f"--config.pretrained: {name}: has {problem}, as in "
            "--config.network."
        )
    network.set_weights([weight.numpy() for weight in given])


def deployed(config, network: keras.Model) -> keras.Model:
    """Returns a trained network in its final form, without branches."""
    is_sum = config.network.get("reparameterized", False)
    return models.merge(network) if is_sum else network


@contextlib.contextmanager
def _policy(name):
    before = keras.config.dtype_policy()
    if name is not None:
        keras.config.set_dtype_policy(name)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def loss(config) -> str | keras.losses.Loss:
    """Returns the loss that `config.loss` names. Its default is `l1`.

    With a `config.teacher`, the targets are HR and the teacher's output.
    `config.teacher.weight` is the weight of the teacher's output.
    """
    name = config.get("loss", "l1")
    if (teacher := config.get("teacher")) is not None:
        return Distillation(LOSSES[name](), teacher.weight)
    # Use the name, as the checkpoints of earlier versions do.
    return "mean_absolute_error" if name == "l1" else LOSSES[name]()


def optimizer(config) -> keras.optimizers.Optimizer:
    """Returns Adam with the learning rate schedule of the config.

    The rate is constant until the mask is final. After that, it is halved at
    each number of steps in `config.halve_at`. Without this entry, it decays to
    0 as a cosine. The decay begins at `config.decay_begin`, or when the mask is
    final. With `config.ema_momentum`, moving averages replace the weights at
    the end of the training.
    """
    end = config.sparsity.end_step
    rate: keras.optimizers.schedules.LearningRateSchedule
    if "halve_at" in config:
        rates = [
            config.learning_rate / 2**i for i in range(len(config.halve_at) + 1)
        ]
        rate = keras.optimizers.schedules.PiecewiseConstantDecay(
            [end + step for step in config.halve_at], rates
        )
    else:
        begin = config.get("decay_begin", end)
        rate = keras.optimizers.schedules.CosineDecay(
            config.learning_rate,
            decay_steps=max(1, config.steps - begin),
            # A constant warm-up.
            warmup_target=config.learning_rate if begin else None,
            warmup_steps=begin,
        )
    averages = {}
    if config.get("ema_momentum") is not None:
        averages = {"use_ema": True, "ema_momentum": config.ema_momentum}
    with blame("--config.ema_momentum", ValueError, TypeError):
        return keras.optimizers.Adam(rate, beta_1=0.9, beta_2=0.99, **averages)
