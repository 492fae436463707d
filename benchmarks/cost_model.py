"""Fits the cost model of the sparse delegate to measured layers.

`tflite/delegate/src/cost.cc` has the same model, with the constants that this
program finds.
"""

import numpy as np
from keras import Input
from keras import Model
from keras import layers
from keras import ops

# The CPU that the model describes, and the sizes of the kernels' tiles.
LANES = 16
_VECTORS_OF_TILE = 10
_ROWS_OF_TILE = 4
_PRODUCTS_OF_BLOCK = 20
_CHANNELS_OF_BLOCK = 8
# How many numbers fit into the L2 cache.
_NEAR = 1 << 18

# What takes time in XNNPACK and in the delegate. A vector has `LANES` numbers.
# The first of each is the constant time of a run. It is not in the model.
DENSE = (
    "run",
    "call",
    "product",  # A product of a convolution.
    "weight",  # A weight that is read.
    "depthwise",  # A product of a depthwise convolution.
    "written",  # A number that a convolution writes.
    "moved",  # A number that another operator writes.
    "far",  # A number of an image that does not fit into the cache.
)
SPARSE = (
    "run",
    "call",
    "product",  # A product of a weight and a vector.
    "depthwise",  # The same in a depthwise convolution.
    "narrow",  # The same if a row is a single vector.
    "walked",  # A weight that is read for a tile.
    "written",  # A vector of sums.
    "post",  # A vector that changes once more.
    "border",  # A vector of padding beside a row.
    "converted",  # A vector of an image that is converted from channels last.
    "few",  # The same with few channels.
    "far",  # A vector of an image that does not fit into the cache.
)


class _Image:
    """A Keras tensor, and the number of vectors that the delegate needs."""

    def __init__(self, tensor, strip):
        _, self.height, self.width, self.channels = tensor.shape
        self.tensor = tensor
        self.strip = strip
        self.beside = 0

    @property
    def numbers(self):
        return self.height * self.width * self.channels

    @property
    def vectors(self):
        return self.height * self.strip


class Sample:
    """A few layers, and the amounts of work in them.

    Args:
        height: Integer, the height of the image.
        width: Integer, its width.
        channels: Integer, its channels.
        density: Float, the share of weights that are not zero.
        stride: Integer, the total stride of all layers.
    """

    def __init__(self, height, width, channels, density, stride=1):
        strip = stride * -(-width // (LANES * stride))
        self.density = density
        self.input = _Image(
            Input((height, width, channels), batch_size=1), strip
        )
        self._images = []
        self.dense = dict.fromkeys(DENSE, 0)
        self.sparse = dict.fromkeys(SPARSE, 0)
        self.dense["run"] = self.sparse["run"] = 1

    def convolve(self, image, filters, kernel=1, stride=1, **options):
        """Adds a convolution. Returns its output."""
        layer = layers.Conv2D(
            filters, kernel, stride, padding="same", **options
        )
        made = self._made(image, layer, kernel, stride)
        weights = kernel * kernel * image.channels * filters
        pixels = made.height * made.width
        self.dense["product"] += pixels * weights * _rounded_up(filters)
        self.dense["weight"] += weights
        self._sums(image, made, weights * self.density, "product")
        return made

    def convolve_depthwise(self, image, kernel=3, stride=1):
        """Adds a depthwise convolution, which has no zeros."""
        layer = layers.DepthwiseConv2D(
            kernel, stride, padding="same", activation="relu"
        )
        made = self._made(image, layer, kernel, stride)
        weights = kernel * kernel * image.channels
        pixels = made.height * made.width
        self.dense["depthwise"] += (
            pixels * weights * _rounded_up(image.channels)
        )
        kind = "depthwise" if made.strip > 1 else "narrow"
        self._sums(image, made, weights, kind)
        return made

    def add(self, a, b):
        """Adds one image to another. The delegate fuses this addition."""
        self._moves(a.numbers)
        a.tensor = layers.Add()([a.tensor, b.tensor])
        return a

    def squeeze(self, image):
        """Adds the channel gates of MobileNetV3 and EfficientNet."""
        self._moves(image.numbers)
        self.sparse["call"] += 1
        self.sparse["post"] += image.vectors * image.channels
        pool = layers.GlobalAveragePooling2D(keepdims=True)
        gates = _Image(pool(image.tensor), 1)
        self._images.append(gates)
        for channels, name in (
            (max(8, image.channels // 4), "relu"),
            (image.channels, "sigmoid"),
        ):
            gates = self.convolve(gates, channels, activation=name)
        self._moves(image.channels)
        self.sparse["post"] += image.channels
        self._moves(image.numbers)
        self.sparse["post"] += image.vectors * image.channels
        image.tensor = layers.Multiply()([image.tensor, gates.tensor])
        return image

    def model(self, output):
        """Ends the sample with an image. Returns the Keras network."""
        for image in self._images:
            self.sparse["border"] += (
                image.height * image.beside * image.channels
            )
        self._converts(self.input, self.input.beside)
        self._converts(output, 0)
        return Model(self.input.tensor, output.tensor)

    def _made(self, image, layer, kernel, stride):
        image.beside = max(image.beside, kernel - stride)
        made = _Image(layer(image.tensor), image.strip // stride)
        self._images.append(made)
        self.dense["call"] += 1
        self.dense["written"] += made.numbers
        self.dense["far"] += _far(image.numbers + made.numbers)
        return made

    def _sums(self, image, made, weights, kind):
        vectors = made.vectors
        tile = min(_VECTORS_OF_TILE, _ROWS_OF_TILE * made.strip, vectors)
        blocks = min(
            int(weights / made.channels / _PRODUCTS_OF_BLOCK),
            image.channels // _CHANNELS_OF_BLOCK,
        )
        self.sparse["call"] += 1
        self.sparse[kind] += vectors * weights
        self.sparse["walked"] += vectors / tile * weights
        self.sparse["written"] += vectors * made.channels * max(1, blocks)

    def _moves(self, numbers):
        self.dense["call"] += 1
        self.dense["moved"] += numbers
        self.dense["far"] += _far(2 * numbers)

    def _converts(self, image, beside):
        vectors = image.height * (image.strip + beside) * image.channels
        self.sparse["call"] += 1
        if image.channels < LANES:
            self.sparse["few"] += vectors
            return
        vectors *= _rounded_up(image.channels)
        self.sparse["converted"] += vectors
        self.sparse["far"] += vectors if _far(image.numbers) else 0


def _rounded_up(channels):
    """The factor by which rounding up to whole vectors adds channels."""
    return -(-channels // LANES) * LANES / channels


def _far(numbers):
    return numbers if numbers > _NEAR else 0


def fitted(amounts, times):
    """Fits non-negative constants to measured times.

    Args:
        amounts: List of dicts from the names of constants to amounts.
        times: List of measured times, in the unit of the constants.

    Returns:
        Pair of a dict of the constants, and an array of the predicted times
        divided by the measured ones.
    """
    names = list(amounts[0])
    shares = np.array([list(of.values()) for of in amounts], float)
    shares /= np.asarray(times, float)[:, None]
    largest = shares.max(axis=0)
    shares = shares[:, largest > 0] / largest[largest > 0]
    # Half and twice the time count as errors of about the same size, as in
    # the logarithm.
    ratios = np.ones(len(times))
    for _ in range(20):
        weights = 1 / np.sqrt(np.maximum(ratios, 0.1))
        found = _nonnegative(shares * weights[:, None], weights)
        ratios = shares @ found
    constants = np.zeros(len(names))
    constants[largest > 0] = found / largest[largest > 0]
    return dict(zip(names, constants.tolist(), strict=True)), ratios


def _nonnegative(matrix, target):
    """Least squares. Coefficients that would be negative become zero."""
    kept = list(range(matrix.shape[1]))
    while True:
        found = np.linalg.lstsq(matrix[:, kept], target, rcond=None)[0]
        if (found >= 0).all():
            break
        del kept[int(found.argmin())]
    whole = np.zeros(matrix.shape[1])
    whole[kept] = found
    return whole


def mask(model, density, rng):
    """Keeps a share of the weights of all kernels that are not depthwise."""
    for weight in model.weights:
        is_depthwise = "depthwise" in weight.path or "dwconv" in weight.path
        if not weight.path.endswith("kernel") or is_depthwise:
            continue
        values = ops.convert_to_numpy(weight)
        weight.assign(values * (rng.random(values.shape) < density))
