"""PReLU with one slope for each channel."""

from keras import initializers
from keras import layers

_START = initializers.Constant(0.25)


def prelu(x, name):
    """Multiplies negative values by a learnt slope for each channel.

    Args:
        x: Keras tensor of shape (batch, height, width, channels).
        name: String, name of the layer.

    Returns:
        Keras tensor of the shape of `x`.

    Reference: He et al., Delving Deep into Rectifiers, ICCV 2015 (arXiv
    1502.01852), Sec. 2.1, which starts at 0.25 too.
    """
    return layers.PReLU(
        alpha_initializer=_START.clone(), shared_axes=[1, 2], name=name
    )(x)
