"""Attention layers of SwinIR and CAT, between `qkv` and `proj`."""

import keras
from keras import initializers
from keras import layers
from keras import ops

from issp_keras.models.parts.normalization import normalized
from issp_keras.models.parts.windows import attend
from issp_keras.models.parts.windows import relative_positions
from issp_keras.models.parts.windows import roll
from issp_keras.models.parts.windows import whole_window

# The official networks truncate this distribution at 2, without effect.
SMALL = initializers.RandomNormal(stddev=0.02)


@keras.saving.register_keras_serializable(package="issp_keras")
class WindowAttention(layers.Layer):
    """Attention inside windows, with a learnt bias for each relative position.

    Call it on queries, keys and values of shape (batch, height, width, 3 *
    channels). If they were rolled, also pass their `WindowMask`.

    Args:
        heads: Integer. It divides the channels.
        window: Pair (rows, columns). They divide height and width.

    Reference: Liu et al., Swin Transformer, ICCV 2021 (arXiv 2103.14030),
    Sec. 3.2, eq. 4; Liang et al., SwinIR, ICCVW 2021 (arXiv 2108.10257),
    Sec. 3.2.
    """

    def __init__(self, heads, window, **kwargs):
        super().__init__(**kwargs)
        self.heads = heads
        self.window = tuple(window)

    def build(self, qkv_shape, window_mask_shape=None):
        differences, self._index = relative_positions(self.window)
        self.relative_position_bias_table = self.add_weight(
            shape=(len(differences), self.heads),
            initializer=SMALL.clone(),
            name="relative_position_bias_table",
        )

    def call(self, qkv, window_mask=None):
        table = ops.transpose(self.relative_position_bias_table)
        bias = ops.take(table, self._index[None], axis=1)
        return attend(qkv, self.heads, self.window, bias, window_mask)

    def compute_output_shape(self, qkv_shape, window_mask_shape=None):
        return (*qkv_shape[:3], qkv_shape[3] // 3)

    def get_config(self):
        config = {"heads": self.heads, "window": self.window}
        return {**super().get_config(), **config}


@keras.saving.register_keras_serializable(package="issp_keras")
class RectangleAttention(layers.Layer):
    """One of the two branches of CAT: attention inside rectangles.

    Each branch uses half of the channels of queries, keys and values. Call it
    on all of them, of shape (batch, height, width, 3 * channels). If there is
    a shift, also pass its `WindowMask`. It returns (batch, height, width,
    channels / 2).

    Args:
        branch: Integer, 0 or 1.
        heads: Integer, attention heads of this branch.
        window: Pair (rows, columns). They divide height and width. None stands
            for all rows or columns of the image.
        shift: Pair (rows, columns), how far the image is rolled.

    Reference: Chen et al., Cross Aggregation Transformer for Image
    Restoration, NeurIPS 2022 (arXiv 2211.13654), Sec. 3.2.
    """

    def __init__(self, branch, heads, window, shift, **kwargs):
        super().__init__(**kwargs)
        self.branch = branch
        self.heads = heads
        self.window = tuple(window)
        self.shift = tuple(shift)

    def build(self, qkv_shape, window_mask_shape=None):
        channels = qkv_shape[-1] // 6
        self.pos = DynamicPositionBias(
            self.heads, channels // 16, dtype=self.dtype_policy, name="pos"
        )
        self.pos.build((None, 2))

    def call(self, qkv, window_mask=None):
        batch, height, width, channels = ops.shape(qkv)
        x = ops.reshape(qkv, (batch, height, width, 3, 2, channels // 6))
        x = ops.split(x, 2, axis=4)[self.branch]
        x = ops.reshape(x, (batch, height, width, channels // 2))
        rows, columns = self.shift
        window = whole_window(self.window, height, width)
        differences, index = relative_positions(window)
        bias = self.pos(ops.cast(differences, self.compute_dtype))
        bias = ops.take(ops.transpose(bias), index[None], axis=1)
        x = roll(x, rows, columns)
        x = attend(x, self.heads, window, bias, window_mask)
        return roll(x, -rows, -columns)

    def compute_output_shape(self, qkv_shape, window_mask_shape=None):
        return (*qkv_shape[:3], qkv_shape[3] // 6)

    def get_config(self):
        config = {
            "branch": self.branch,
            "heads": self.heads,
            "window": self.window,
            "shift": self.shift,
        }
        return {**super().get_config(), **config}


@keras.saving.register_keras_serializable(package="issp_keras")
class DynamicPositionBias(layers.Layer):
    """A small network that maps relative positions to a bias for each head.

    Weights have the names of the official network: `pos_proj.kernel`,
    `pos1.0.gamma`, ... Its four linear layers are pruned like all others.

    Args:
        heads: Integer.
        width: Integer, the number of features. With 0, all positions have the
            same bias.

    Reference: Wang et al., CrossFormer, ICLR 2022 (arXiv 2108.00154),
    Sec. 3.3.
    """

    def __init__(self, heads, width, **kwargs):
        super().__init__(**kwargs)
        self.heads = heads
        self.width = width

    def build(self, input_shape):
        self._proj = self._linear("pos_proj", 2, self.width)
        self._norms, self._linears = [], []
        for i, units in enumerate((self.width, self.width, self.heads)):
            norm = (
                self._weight(f"pos{i + 1}.0.gamma", (self.width,), "ones"),
                self._weight(f"pos{i + 1}.0.beta", (self.width,), "zeros"),
            )
            self._norms.append(norm)
            linear = self._linear(f"pos{i + 1}.2", self.width, units)
            self._linears.append(linear)

    def _linear(self, name, inputs, units):
        return (
            self._weight(f"{name}.kernel", (inputs, units), SMALL.clone()),
            self._weight(f"{name}.bias", (units,), "zeros"),
        )

    def _weight(self, name, shape, start):
        return self.add_weight(shape=shape, initializer=start, name=name)

    def call(self, positions):
        kernel, bias = self._proj
        x = ops.matmul(positions, kernel) + bias
        for norm, linear in zip(self._norms, self._linears, strict=True):
            gamma, beta = norm
            x = normalized(x, gamma, beta)
            kernel, bias = linear
            x = ops.matmul(ops.relu(x), kernel) + bias
        return x

    def get_prunable_weights(self):
        """The kernels, for sparse training."""
        kernels = [kernel for kernel, _ in (self._proj, *self._linears)]
        return [kernel for kernel in kernels if 0 not in kernel.shape]

    def compute_output_shape(self, input_shape):
        return (input_shape[0], self.heads)

    def get_config(self):
        config = {"heads": self.heads, "width": self.width}
        return {**super().get_config(), **config}
