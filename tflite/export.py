"""Writes a Keras network as a `.tflite` file, and checks it."""

import copy
import dataclasses
import pathlib

import keras
import numpy as np

from issp_keras import files
from issp_keras.data import EMBEDDED
from issp_keras.data import load_pairs
from issp_keras.errors import ArgumentError
from issp_keras.errors import InputError
from issp_keras.errors import blame
from issp_keras.files import StrPath
from issp_keras.inference import fixed_size
from issp_keras.models import check_finite
from issp_keras.scores import SMALLEST
from issp_keras.tflite import flatbuffer
from issp_keras.tflite.choices import INPUTS
from issp_keras.tflite.choices import PRECISIONS
from issp_keras.tflite.choices import RANGES
from issp_keras.tflite.choices import TOLERANCES
from issp_keras.tflite.choices import UPSAMPLINGS
from issp_keras.tflite.choices import check_choice
from issp_keras.tflite.contents import Inspection
from issp_keras.tflite.convert import convert
from issp_keras.tflite.convert import in_float32
from issp_keras.tflite.inspection import inspect
from issp_keras.tflite.metadata import add_metadata
from issp_keras.tflite.parity import Parity
from issp_keras.tflite.parity import Reference
from issp_keras.tflite.parity import patch
from issp_keras.tflite.sparse import check
from issp_keras.tflite.sparse import shrink
from issp_keras.tflite.upsampling import replace_depth_to_space
from issp_keras.tflite.weights import share_of_zeros
from issp_keras.version import __version__

# The largest error of a float32 file, for an output in 0..1: a fortieth of an
# 8-bit level. A file that rounds to levels may differ by half a level more.
_LARGEST_ERROR = 1e-4
_HALF_LEVEL = 0.5 / 255
_RANGES = {"float32": [0, 1], "uint8": [0, 255]}
# The largest side in LR pixels of int8's calibration images, if a file takes
# any size.
_CALIBRATION = 96
# The largest fixed size in LR pixels: 4096x4096.
_MOST_PIXELS = 1 << 24


@dataclasses.dataclass(frozen=True)
class Exported:
    """A file that was written.

    Attributes:
        precision: String, one of `PRECISIONS`.
        sparse: Whether the export stored kernels sparse where that is smaller.
        parity: `Parity` with the Keras network.
        inspection: `Inspection` of the file.
        upsampling_macs: Integer, how many multiply-adds for one image
            `upsampling` adds.
        path: Path of the file.
    """

    precision: str
    sparse: bool
    parity: Parity
    inspection: Inspection = dataclasses.field(repr=False)
    upsampling_macs: int = 0

    @property
    def path(self) -> pathlib.Path:
        """The file."""
        return pathlib.Path(self.inspection.path)

    def __str__(self):
        about, parity = self.inspection, self.parity
        text = (
            f"Wrote {about.path}: {about.bytes:,} bytes (its constants need "
            f"at least {about.floor_bytes:,.0f}), "
            f"{about.weights.sparse_kernels} of {about.weights.kernels} "
            "kernels sparse. It differs from the Keras model by at most "
            f"{parity.max_error:.1e}. Its PSNR is {parity.psnr:.2f} dB, that "
            f"of the Keras model is {parity.keras_psnr:.2f} dB."
        )
        if self.upsampling_macs and about.macs:
            text += (
                f" {self.upsampling_macs / 1e6:,.1f} M of its "
                f"{about.macs / 1e6:,.1f} M multiply-adds only turn channels "
                "into pixels."
            )
        return text


def export(
    model: keras.Model,
    path: StrPath,
    precision: str = "float32",
    sparse: bool = True,
    height: int | None = None,
    width: int | None = None,
    input: str = "float32",
    tolerance: float | None = None,
    reference: Reference | None = None,
    calibration: list[np.ndarray] | None = None,
    method: str | None = None,
    ranges: str = "best",
    upsampling: str = "depth_to_space",
) -> Exported:
    """Converts a super-resolution network to TFLite, and checks the result.

    The file takes and returns RGB images, with values in 0..1 or 0..255. It
    clips its result to this range, and rounds a result in 0..255. For networks
    that are not for RGB images, see `encode_sparse`.

    With `"int8"`, all layers compute in integers. With `"int8_dynamic"`,
    kernels are int8 and images are float. TFLite computes such layers in
    integers if the kernel is dense, and in float if it is sparse.

    Args:
        model: A `keras.Model` that maps RGB images of shape (batch, height,
            width, 3) in 0..1 to larger images.
        path: Path of the `.tflite` file, replaced if it exists.
        precision: The type of the kernels: `"float32"`, `"float16"`,
            `"int8"` or `"int8_dynamic"`. Defaults to `"float32"`.
        sparse: Whether kernels are stored without their zeros where that is
            smaller. Defaults to `True`.
        height: Integer, the height in pixels of the low-resolution (LR)
            images that the file takes. Accelerators need a fixed size.
            Defaults to the height that the model takes, or any.
        width: Integer, the width. Give both `height` and `width`, or neither.
        input: The type of input and output: `"float32"` for 0..1 or `"uint8"`
            for 0..255. Defaults to `"float32"`.
        tolerance: Float, the PSNR in dB that the file may lose. Defaults to
            `TOLERANCES[precision]`.
        reference: `Reference(model, pairs)`, which computes the PSNR on these
            photographs. One reference can serve several files. Defaults to
            the embedded photographs that are held out from training.
        calibration: List of LR images, uint8 of shape (height, width, 3), on
            which `"int8"` finds its ranges. Defaults to the embedded
            photographs for training.
        method: String, the pruning method, for the file's metadata.
        ranges: String, how `"int8"` finds the range of each activation from
            the calibration images. `"min_max"` contains all values.
            `"percentile"` leaves out one value in 10,000 at each end. `"mse"`
            has the least squared error. `"best"` tries these three and the
            ranges of `SimulatedInt8`, and keeps the one with the least squared
            error of the network's output. Defaults to `"best"`.
        upsampling: String, the operators that turn channels into pixels. The
            result is the same. `"depth_to_space"` is the fastest on CPUs, but
            some GPUs and NPUs refuse it. `"transposed_conv"` writes
            TRANSPOSE_CONV, and `"zero_stuffed_conv"` writes
            RESIZE_NEAREST_NEIGHBOR, MUL and CONV_2D. Both need `height` and
            `width`, and more multiply-adds, which the result counts. Give
            `sparse=False` too, since accelerators compute dense kernels.
            Defaults to `"depth_to_space"`.

    Returns:
        An `Exported`.

    Raises:
        InputError: If the file loses more than `tolerance` or, in float32,
            differs by more than 1e-4. Also if the file cannot be written, the
            model cannot be converted or takes another size, or an argument
            has an unknown value.
    """
    # A file that cannot be written should fail before the conversion.
    if pathlib.Path(path).suffix.lower() != ".tflite":
        raise ArgumentError(
            "path", f"is {path}, expected a file ending in .tflite."
        )
    files.make_folder(pathlib.Path(path).parent)
    size = size_of_file(model, height, width)
    conversion = Conversion(
        model,
        precision,
        size,
        input,
        reference,
        calibration,
        ranges,
        upsampling,
    )
    return conversion.write(path, sparse, tolerance, method)


class Conversion:
    """A converted network in one precision, ready to write to files.

    Args:
        model: As in `export`, like all others.
        precision: String.
        size: The result of `size_of_file`.
        input: String.
        reference: `Reference`, or None.
        calibration: List of LR images, or None.
        ranges: String.
        upsampling: String.

    Raises:
        InputError: As in `export`.
    """

    def __init__(
        self,
        model: keras.Model,
        precision: str = "float32",
        size: tuple[int, int] | None = None,
        input: str = "float32",
        reference: Reference | None = None,
        calibration: list[np.ndarray] | None = None,
        ranges: str = "best",
        upsampling: str = "depth_to_space",
    ):
        check_choice("precision", precision, PRECISIONS)
        check_choice("input", input, INPUTS)
        check_choice("ranges", ranges, RANGES)
        check_upsampling(upsampling, size)
        check_finite(model, model.name)
        model = in_float32(model)
        self._network = model.name
        self._precision = precision
        self._input = input
        self._reference = reference or Reference(model)
        patches = []
        if precision == "int8":
            images = _images(calibration, self._reference.scale)
            patches = [_calibration_patch(image, size) for image in images]
        with blame(
            f"{model.name}: cannot be converted to {precision}", Exception
        ):
            self._converted = convert(
                model, precision, size, input, ranges, patches
            )
        self._sparsity = round(share_of_zeros(self._converted), 6)
        self._upsampling_macs = replace_depth_to_space(
            self._converted, upsampling, halves=precision == "float16"
        )

    def write(
        self,
        path,
        sparse: bool = True,
        tolerance: float | None = None,
        method: str | None = None,
    ) -> Exported:
        """Writes and checks a dense or sparse file, like `export`."""
        path = pathlib.Path(path)
        converted = copy.deepcopy(self._converted)
        if sparse:
            shrink(converted)
        about = {
            "version": __version__,
            "network": self._network,
            "scale": self._reference.scale,
            "precision": self._precision,
            "input": {"dtype": self._input, "range": _RANGES[self._input]},
            "method": method,
            "sparsity": self._sparsity,
        }
        add_metadata(converted, about)
        content = flatbuffer.write(converted)
        if sparse:
            check(content, converted, path)
        with files.replacing(path) as partial:
            partial.write_bytes(content)
            parity = self._reference.compare(partial)
            _check_parity(path, parity, self._precision, self._input, tolerance)
            inspection = dataclasses.replace(inspect(partial), path=str(path))
        return Exported(
            self._precision, sparse, parity, inspection, self._upsampling_macs
        )


def size_of_file(
    model: keras.Model, height: int | None, width: int | None
) -> tuple[int, int] | None:
    """The height and width that a file will take, or None for any.

    Raises:
        InputError: If only one of them is given, or the model takes another
            size.
    """
    if (height is None) != (width is None):
        raise InputError(
            "expected both `height` and `width`, or neither. Received: "
            f"height={height}, width={width}"
        )
    for side in (height, width):
        if side is not None and not (isinstance(side, int) and side > 0):
            raise InputError(
                "`height` and `width`: expected positive whole numbers. "
                f"Received: height={height!r}, width={width!r}"
            )
    size = fixed_size(model)
    if height is None or width is None:
        return size
    if height * width > _MOST_PIXELS:
        raise InputError(
            "`height` and `width`: expected at most "
            f"{_MOST_PIXELS:,} pixels. Received: height={height}, width={width}"
        )
    if size not in (None, (height, width)):
        raise InputError(
            f"{model.name}: only takes images of size {size}. Received: "
            f"height={height}, width={width}"
        )
    return height, width


def check_upsampling(upsampling: str, size: tuple[int, int] | None):
    """Checks that a file of a size can have an upsampling.

    Raises:
        InputError: If the upsampling is not known, or needs a fixed size.
    """
    check_choice("upsampling", upsampling, UPSAMPLINGS)
    if size is None and upsampling != "depth_to_space":
        raise ArgumentError(
            "upsampling",
            f"is {upsampling!r}, which needs a file of a fixed size. Expected "
            "`height` and `width`.",
        )


def _images(calibration, scale):
    """LR images on which int8 finds its ranges."""
    if calibration is None:
        pairs = load_pairs(EMBEDDED, "train", scale, SMALLEST)
        return [pair.lr for pair in pairs]
    if not calibration:
        raise ArgumentError(
            "calibration", "is empty, expected at least one image."
        )
    return calibration


def _calibration_patch(image, size):
    return patch(
        image, size or tuple(np.minimum(image.shape[:2], _CALIBRATION))
    )


def _check_parity(path, parity, precision, input, tolerance):
    largest = _LARGEST_ERROR + (_HALF_LEVEL if input == "uint8" else 0)
    if precision == "float32" and not parity.max_error <= largest:
        raise InputError(
            f"{path}: differs from the Keras model by {parity.max_error:.1e}, "
            f"expected at most {largest:.1e}; it was not written."
        )
    if tolerance is None:
        tolerance = TOLERANCES[precision]
    if not parity.drop <= tolerance:
        raise InputError(
            f"{path}: its PSNR is {parity.psnr:.2f} dB, that of the Keras "
            f"model is {parity.keras_psnr:.2f} dB, expected a drop of at most "
            f"{tolerance} dB (`tolerance`); it was not written."
        )
