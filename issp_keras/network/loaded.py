"""A network from a file or by its name, and all that `issp` does with it."""

from __future__ import annotations

import pathlib
import tempfile
from collections.abc import Callable
from collections.abc import Sequence
from typing import TYPE_CHECKING
from typing import Any

from issp_keras.errors import ArgumentError
from issp_keras.errors import InputError
from issp_keras.files import StrPath
from issp_keras.inference import DEFAULT
from issp_keras.inference import TILE
from issp_keras.inference import Network
from issp_keras.inference import check_tile
from issp_keras.inference import load_network
from issp_keras.inference import network_path
from issp_keras.network.images import upscale_image
from issp_keras.reprs import Readable

if TYPE_CHECKING:
    import keras

    from issp_keras.tables import Table
    from issp_keras.tflite import Exported

_TFLITE = ".tflite"
_EMBEDDED = "embedded"


class LoadedNetwork(Readable):
    """A super-resolution network that is loaded; `load` makes one.

    Args:
        model: As of `load`, like all others.
        threads: Integer.
        delegate: String, or None.
        tile: Integer.
        self_ensemble: Boolean.

    Attributes:
        name: String, as it was given.
        path: Path of its file.
        scale: Integer, the magnification.

    Raises:
        InputError: As `load`.
    """

    def __init__(
        self,
        model: StrPath,
        *,
        threads: int = 1,
        delegate: str | None = None,
        tile: int = TILE,
        self_ensemble: bool = False,
    ) -> None:
        check_tile(tile)
        self.name = str(model)
        self.path: pathlib.Path = network_path(model)
        self._threads = threads
        self._delegate = delegate
        self._network: Network = load_network(
            self.path,
            threads,
            delegate,
            tile=tile,
            self_ensemble=self_ensemble,
        )
        self.scale: int = self._network.scale

    def upscale(
        self,
        image: Any,
        progress: Callable[[int, int], None] = lambda done, total: None,
    ) -> Any:
        """Upscales an image.

        Example:

        >>> large = network.upscale(PIL.Image.open("photo.jpg"))

        Args:
            image: Array of shape (height, width, 3), or (height, width) or
                (height, width, 1) for grey; uint8, uint16, or floats in 0..1.
                Or a `PIL.Image.Image` of any mode with 8 bits a channel, or
                of mode `I;16`; it is turned upright as its EXIF data say, and
                keeps its transparency and its colour profile.
            progress: Callable that is told after each tile how many of how
                many are done.

        Returns:
            The same kind, `scale` times taller and wider: a NumPy array of
            the same dtype (floats are not clipped), or an image of Pillow.

        Raises:
            ArgumentError: If `image` is something else.
        """
        return upscale_image(self._network, image, progress)

    @property
    def model(self) -> keras.Model:
        """The `keras.Model`, loaded anew, to change or to train it.

        Raises:
            InputError: If the network is a `.tflite` file.
        """
        from issp_keras.models import load_model

        self._check_keras("model", "has none")
        return load_model(self.path)

    def export(
        self,
        path: StrPath | None = None,
        precision: str = "float32",
        sparse: bool = True,
        *,
        data: str | Sequence[str] = _EMBEDDED,
        calibration: str | Sequence[str] | None = None,
        data_dir: StrPath = "data",
        **options: Any,
    ) -> Exported:
        """Writes a `.keras` network as a `.tflite` file, and checks it.

        Example:

        >>> exported = network.export("small.tflite", precision="int8")
        >>> print(exported)
        >>> issp_keras.load(exported.path).upscale(image)

        Args:
            path: Path of the file. Defaults to one like
                `model_float32_sparse.tflite`, beside the network, or in the
                current folder for a network that comes with issp_keras.
            precision: String, as of `issp_keras.tflite.export`.
            sparse: Boolean, likewise.
            data: What the file is compared on, as of `evaluate`.
            calibration: What int8 finds its ranges on, as `data`. Defaults
                to the embedded photographs that are not held out.
            data_dir: Path of the folder of test sets.
            **options: `height`, `width`, `input`, `tolerance` and `ranges` of
                `issp_keras.tflite.export`.

        Returns:
            An `Exported`, which prints as a sentence.

        Raises:
            InputError: If the network is a `.tflite` file, or as
                `issp_keras.tflite.export`.
        """
        from issp_keras.tflite import export
        from issp_keras.tflite.variants import variant_path

        model, given = self._to_export(data, calibration, data_dir)
        path = path or variant_path(self._stem(), precision, sparse)
        return export(model, path, precision, sparse, **given, **options)

    def export_all(
        self,
        stem: StrPath | None = None,
        *,
        data: str | Sequence[str] = _EMBEDDED,
        calibration: str | Sequence[str] | None = None,
        data_dir: StrPath = "data",
        progress: Callable[[float], None] = lambda done: None,
        **options: Any,
    ) -> tuple[list[Exported], list[str]]:
        """Writes every sensible variant of a `.keras` network.

        Args:
            stem: Path without suffix, as of `issp_keras.tflite.export_all`.
                Defaults to that of the network, as of `export`.
            data: As of `export`, like all others.
            calibration: As above.
            data_dir: As above.
            progress: Callable that is told which share is done.
            **options: As above.

        Returns:
            As `issp_keras.tflite.export_all`.

        Raises:
            InputError: As `issp_keras.tflite.export_all`.
        """
        from issp_keras.tflite import export_all

        model, given = self._to_export(data, calibration, data_dir)
        stem = stem or self._stem()
        return export_all(model, stem, progress=progress, **given, **options)

    def evaluate(
        self,
        data: str | Sequence[str] = _EMBEDDED,
        *others: LoadedNetwork,
        channels: str = "y",
        data_dir: StrPath = "data",
        progress: Callable[[int], None] = lambda done: None,
    ) -> Table:
        """Scores the network on photographs, beside bicubic interpolation.

        Example:

        >>> scores = network.evaluate(["set5", "set14"], data_dir="data")
        >>> print(scores)

        Args:
            data: String, or list of strings: folders of photographs, test
                sets in `data_dir` ("set5", "set14", "b100", "urban100",
                "manga109"), or "embedded". Defaults to "embedded", three
                photographs on which no network here is trained.
            *others: Networks of the same magnification, scored too.
            channels: String, "y", as most papers do, or "rgb".
            data_dir: Path of the folder of test sets.
            progress: Callable that is told how many photographs are done.

        Returns:
            `Table` of dicts with the keys `data`, `photograph` ("mean" for
            the mean of a set), `way` ("bicubic", or the name of a network),
            `psnr` in dB, `ssim` and `seconds`. Photographs that cannot be
            read are named in its notes.

        Raises:
            InputError: If there are no photographs that can be read, or
                magnifications differ.
        """
        from issp_keras.network.tables import evaluation

        return evaluation(
            _by_name([self, *others]),
            _strings("data", data),
            channels,
            data_dir,
            progress,
        )

    def benchmark(
        self,
        *others: LoadedNetwork,
        size: tuple[int, int] = (128, 128),
        rounds: int = 20,
        protocol: str | None = None,
        data: str | Sequence[str] = _EMBEDDED,
        data_dir: StrPath = "data",
        progress: Callable[[float], None] = lambda done: None,
    ) -> Table:
        """Measures quality, size and latency of the `.tflite` file here.

        A `.keras` network is exported for it first, sparse in float32. With
        a delegate, each file has one row without and one with it.

        Example:

        >>> print(issp_keras.load("a.tflite", delegate="sparse").benchmark())

        Args:
            *others: Networks of the same magnification, which take turns.
            size: Pair of integers, LR height and width in pixels.
            rounds: Integer, timed runs.
            protocol: `"mlperf-mobile"` in place of these two, or None.
            data: What is scored, as of `evaluate`.
            data_dir: Path of the folder of test sets.
            progress: Callable that is told which share is done.

        Returns:
            `Table` of dicts, bicubic interpolation first, with the keys of
            the JSON file of `issp benchmark`, and `label`. Its notes say how
            it was measured.

        Raises:
            InputError: If a file takes images of another size only, or an
                argument is not usable.
        """
        from issp_keras.network.tables import benchmark

        with tempfile.TemporaryDirectory() as folder:
            paths = [of._file(folder) for of in (self, *others)]
            return benchmark(
                paths,
                self._threads,
                self._delegate or _delegate_of(others),
                size,
                rounds,
                protocol,
                _strings("data", data),
                data_dir,
                progress,
            )

    def _file(self, folder):
        """The `.tflite` file of the network, which may be written for it."""
        if self.path.suffix.lower() == _TFLITE:
            return self.path
        path = pathlib.Path(folder) / f"{self.path.stem}{_TFLITE}"
        return self.export(path).path

    def _stem(self):
        """Where files of the network go, without what follows a name."""
        is_file = pathlib.Path(self.name).exists()
        return (self.path if is_file else pathlib.Path(self.name)).with_suffix(
            ""
        )

    def _to_export(self, data, calibration, data_dir):
        """The model, and the options that depend on where it is from."""
        # Here alone, since they need TensorFlow.
        from issp_keras.tflite.parity import Reference
        from issp_keras.tflite.sources import method_of
        from issp_keras.tflite.sources import pairs_of

        self._check_keras("export", "is one already")
        model = self.model
        scale, pairs = self.scale, _strings("data", data)
        given: dict[str, Any] = {
            "reference": Reference(
                model, pairs_of(pairs, "held_out", scale, data_dir)
            ),
            "method": method_of(self.path),
        }
        if calibration is not None:
            names = _strings("calibration", calibration)
            images = pairs_of(names, "train", scale, data_dir)
            given["calibration"] = [pair.lr for pair in images]
        return model, given

    def _check_keras(self, what, why):
        if self.path.suffix.lower() == _TFLITE:
            raise InputError(
                f"{self.path}: {why}: `{what}` is of .keras networks, and "
                "this is a .tflite file."
            )


def load(
    model: StrPath = DEFAULT,
    *,
    threads: int = 1,
    delegate: str | None = None,
    tile: int = TILE,
    self_ensemble: bool = False,
) -> LoadedNetwork:
    """Loads a network, to upscale, export, evaluate and benchmark with it.

    Example:

    >>> network = issp_keras.load("quickstart_x4")
    >>> large = network.upscale(PIL.Image.open("photo.jpg"))

    Args:
        model: Path of a `.keras` or `.tflite` file, or the name of a network
            that comes with issp_keras, one of `networks()`. Defaults to the
            first of these. Keras and TensorFlow are not imported for a
            `.tflite` file.
        threads: Integer, threads of the TFLite interpreter. Defaults to `1`.
        delegate: For a `.tflite` file, `"sparse"` for the delegate that leaves
            out zeros, or the path of the library of another one. Defaults to
            none.
        tile: Integer, height and width in LR pixels of the tiles that large
            images are cut into, a multiple of 16 of at least 64; 0 for none.
            Defaults to `384`.
        self_ensemble: Boolean, whether to take the mean over 8 flips and
            rotations. Defaults to `False`.

    Returns:
        A `LoadedNetwork`.

    Raises:
        InputError: If the file is missing, broken, or not a network that
            maps an RGB image to a larger one; or an argument is not usable.
    """
    return LoadedNetwork(
        model,
        threads=threads,
        delegate=delegate,
        tile=tile,
        self_ensemble=self_ensemble,
    )


def _by_name(networks):
    """The networks by their names, each of them once."""
    found = {network.name: network for network in networks}
    if len(found) < len(networks):
        raise ArgumentError("others", "name a network twice.")
    return found


def _delegate_of(networks):
    return next((of._delegate for of in networks if of._delegate), None)


def _strings(argument, sources) -> list[str]:
    """What `data` names, as a list."""
    if isinstance(sources, str | pathlib.PurePath):
        return [str(sources)]
    found = [str(source) for source in sources]
    if not found:
        raise ArgumentError(argument, "is empty, expected photographs.")
    return found
