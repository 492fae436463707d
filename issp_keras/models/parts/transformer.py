"""Parts that the blocks of transformers share."""

from keras import layers

from issp_keras.models.parts.attention import SMALL
from issp_keras.models.parts.gelu import gelu
from issp_keras.models.parts.normalization import ChannelNormalization
from issp_keras.models.parts.stochastic_depth import add_residual


def linear(x, units, name, activation=None):
    """A linear map of the channels, initialised as in Swin Transformer."""
    return layers.Dense(
        units,
        activation=activation,
        kernel_initializer=SMALL.clone(),
        name=name,
    )(x)


def feed_forward(x, hidden, drop_path, name):
    """The second half of a block: `norm2`, `mlp.fc1`, GELU, `mlp.fc2`.

    Args:
        x: Keras tensor of shape (batch, height, width, channels).
        hidden: Integer, channels in between.
        drop_path: Float, rate of stochastic depth.
        name: String, name of the block.

    Returns:
        Keras tensor of the shape of `x`.
    """
    y = ChannelNormalization(name=f"{name}.norm2")(x)
    y = linear(y, hidden, f"{name}.mlp.fc1", activation=gelu)
    y = linear(y, x.shape[-1], f"{name}.mlp.fc2")
    return add_residual(x, y, drop_path, f"{name}.mlp")


def drop_path_rates(last, depths):
    """Returns rates of stochastic depth, growing linearly from 0 to `last`.

    Args:
        last: Float, rate of the last block.
        depths: Sequence of integers, blocks in each group.

    Returns:
        List of lists of floats, one for each block of each group.
    """
    step = last / max(1, sum(depths) - 1)
    starts = [sum(depths[:i]) for i in range(len(depths))]
    return [
        [step * (start + i) for i in range(depth)]
        for start, depth in zip(starts, depths, strict=True)
    ]
