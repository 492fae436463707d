"""A loaded network, with methods for the commands of `issp`."""

from __future__ import annotations

import pathlib
import tempfile
from collections.abc import Callable
from collections.abc import Sequence
from typing import TYPE_CHECKING
from typing import Any

from issp_keras import files
from issp_keras.errors import ArgumentError
from issp_keras.errors import InputError
from issp_keras.files import StrPath
from issp_keras.inference import DEFAULT
from issp_keras.inference import NO_DELEGATE
from issp_keras.inference import TILE
from issp_keras.inference import KerasNetwork
from issp_keras.inference import Network
from issp_keras.inference import check_tile
from issp_keras.inference import find_bundled
from issp_keras.inference import keras_path
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
    """A super-resolution network. `load` returns one.

    Args:
        model: Path or name, see `load`.
        threads: Integer, see `load`.
        delegate: String or None, see `load`.
        tile: Integer, see `load`.
        self_ensemble: Boolean, see `load`.

    Attributes:
        name: String, the name or path that was given.
        path: Path of the file.
        scale: Integer, the magnification.
        threads: Integer, threads of the TFLite interpreter.

    Raises:
        InputError: For the reasons that `load` lists.
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
        self._keras_path = keras_path(model)
        self.threads = threads
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
            image: Array or `PIL.Image.Image`. An array has the shape (height,
                width, 3), or (height, width) or (height, width, 1) for grey,
                and the dtype uint8, uint16, or floats in 0..1. A Pillow image
                has any mode with 8 bits per channel, or the mode `I;16`. It is
                rotated upright by its EXIF data, and keeps its transparency
                and its colour profile.
            progress: Callable that receives two integers after each tile: the
                number of finished tiles, and the number of all tiles.

        Returns:
            The same kind, `scale` times taller and wider: a NumPy array of
            the same dtype (floats are not clipped), or a Pillow image.

        Raises:
            ArgumentError: If `image` is of another kind.
        """
        return upscale_image(self._network, image, progress)

    @property
    def stem(self) -> pathlib.Path:
        """The path of the network's exports, without suffix.

        It is in the folder of the network. For a network that comes with
        issp_keras, it is in the current folder.
        """
        is_bundled = find_bundled(self.name) is not None
        path = pathlib.Path(self.name) if is_bundled else self.path
        return path.with_suffix("")

    @property
    def model(self) -> keras.Model:
        """A new copy of the `keras.Model`, to change or to train it.

        Raises:
            InputError: If the network is a `.tflite` file.
        """
        from issp_keras.models import load_model

        self._check_keras("model")
        return load_model(self._keras_path)

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
        """Converts a `.keras` network to a `.tflite` file, and checks it.

        Example:

        >>> exported = network.export("small.tflite", precision="int8")
        >>> print(exported)
        >>> issp_keras.load(exported.path).upscale(image)

        Args:
            path: Path of the file. Defaults to a name such as
                `model_float32_sparse.tflite`, in the folder of the network.
                For a network that comes with issp_keras, the file is in the
                current folder.
            precision: String, see `issp_keras.tflite.export`.
            sparse: Boolean, see `issp_keras.tflite.export`.
            data: The photographs on which the file is compared with the
                network, see `evaluate`.
            calibration: The photographs on which int8 finds its ranges, in
                the form of `data`. Defaults to the embedded training
                photographs.
            data_dir: Path of the folder of test sets.
            **options: `height`, `width`, `input`, `tolerance`, `ranges` and
                `upsampling`, see `issp_keras.tflite.export`.

        Returns:
            An `Exported`, which prints as a sentence.

        Raises:
            InputError: If the network is a `.tflite` file, or for a reason
                that `issp_keras.tflite.export` lists.
        """
        from issp_keras.tflite import export
        from issp_keras.tflite.variants import variant_path

        model, given = self._to_export(data, calibration, data_dir)
        path = path or variant_path(self.stem, precision, sparse)
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
            stem: Path without suffix, see `issp_keras.tflite.export_all`.
                Defaults to the path of the network, or to the name of a
                network that comes with issp_keras.
            data: The photographs for the comparison, see `export`.
            calibration: The photographs for int8, see `export`.
            data_dir: Path of the folder of test sets.
            progress: Callable that receives the finished share, a float.
            **options: `height`, `width`, `input`, `tolerance`, `ranges` and
                `upsampling`, see `export`.

        Returns:
            The result of `issp_keras.tflite.export_all`.

        Raises:
            InputError: For the reasons that `issp_keras.tflite.export_all`
                lists.
        """
        from issp_keras.tflite import export_all

        model, given = self._to_export(data, calibration, data_dir)
        stem = stem or self.stem
        return export_all(model, stem, progress=progress, **given, **options)

    def evaluate(
        self,
        data: str | Sequence[str] = _EMBEDDED,
        *others: LoadedNetwork | StrPath,
        channels: str = "y",
        data_dir: StrPath = "data",
        progress: Callable[[int], None] = lambda done: None,
    ) -> Table:
        """Compares the network with bicubic interpolation on photographs.

        Example:

        >>> scores = network.evaluate(["set5", "set14"], data_dir="data")
        >>> print(scores)

        Args:
            data: String, or list of strings: folders of photographs, test
                sets in `data_dir` ("set5", "set14", "b100", "urban100",
                "manga109"), or "embedded". Defaults to "embedded", three
                photographs that no network here is trained on.
            *others: Networks of the same magnification to score too. A name
                or path is loaded as by `load`.
            channels: String, "y", as in most papers, or "rgb".
            data_dir: Path of the folder of test sets.
            progress: Callable that receives the number of finished
                photographs.

        Returns:
            `Table` of dicts with the keys `data`, `photograph` ("mean" for
            the mean of a set), `way` ("bicubic", or the name of a network),
            `psnr` in dB, `ssim` and `seconds`. Its notes list the photographs
            that cannot be read.

        Raises:
            InputError: If no photograph can be read, or the magnifications
                differ.
        """
        from issp_keras.network.tables import evaluation

        return evaluation(
            _by_name([self, *_loaded(others)]),
            _strings("data", data),
            channels,
            data_dir,
            progress,
        )

    def benchmark(
        self,
        *others: LoadedNetwork | StrPath,
        size: tuple[int, int] = (128, 128),
        rounds: int = 20,
        protocol: str | None = None,
        data: str | Sequence[str] = _EMBEDDED,
        data_dir: StrPath = "data",
        progress: Callable[[float], None] = lambda done: None,
    ) -> Table:
        """Measures quality, size and latency on this machine.

        A `.keras` network is first exported, sparse in float32. With a
        delegate, each file has one row without it and one row with it.

        Example:

        >>> print(issp_keras.load("a.tflite", delegate="sparse").benchmark())

        Args:
            *others: Networks of the same magnification, with the same
                `threads`. A name or path is loaded as by `load`. A delegate of
                one network is used for all. The timed runs of all networks
                alternate.
            size: Pair of integers, LR height and width in pixels.
            rounds: Integer, the number of timed runs.
            protocol: `"mlperf-mobile"`, which replaces `size` and `rounds`, or
                None.
            data: The photographs to score, see `evaluate`.
            data_dir: Path of the folder of test sets.
            progress: Callable that receives the finished share, a float.

        Returns:
            `Table` of dicts, bicubic interpolation first. The keys are those
            of the JSON file of `issp benchmark`, and `label`. Its notes
            describe the measurement.

        Raises:
            InputError: If a file only takes images of another size, the
                networks have different `threads` or delegates, or an argument
                is not usable.
        """
        from issp_keras.network.tables import benchmark

        networks = [self, *_loaded(others, self.threads)]
        delegate = _delegate_of(networks)
        if {of.threads for of in networks} != {self.threads}:
            raise ArgumentError(
                "others",
                f"have other `threads`, expected {self.threads} for all.",
            )
        with tempfile.TemporaryDirectory() as folder:
            paths = [of._file(folder, i) for i, of in enumerate(networks)]
            return benchmark(
                paths,
                self.threads,
                delegate,
                size,
                rounds,
                protocol,
                _strings("data", data),
                data_dir,
                progress,
            )

    def _file(self, folder, number):
        """Returns the `.tflite` file of the network, exported if needed."""
        if self.path.suffix.lower() == _TFLITE:
            return self.path
        # Networks may have the same name. Labels show the ends of paths.
        of_path = self.path.resolve().parent.name
        within = files.make_folder(pathlib.Path(folder) / str(number) / of_path)
        return self.export(within / f"{self.path.stem}{_TFLITE}").path

    def _to_export(self, data, calibration, data_dir):
        """Returns the model, and the export options that depend on it."""
        # Imported here, since these modules need TensorFlow.
        from issp_keras.tflite.parity import Reference
        from issp_keras.tflite.sources import method_of
        from issp_keras.tflite.sources import pairs_of

        self._check_keras("export")
        apply = self._network.apply
        # No copy is needed, since an export does not change the model.
        model = apply.model if isinstance(apply, KerasNetwork) else self.model
        scale, pairs = self.scale, _strings("data", data)
        given: dict[str, Any] = {
            "reference": Reference(
                model, pairs_of(pairs, "held_out", scale, data_dir)
            ),
            "method": method_of(self._keras_path),
        }
        if calibration is not None:
            names = _strings("calibration", calibration)
            images = pairs_of(names, "train", scale, data_dir)
            given["calibration"] = [pair.lr for pair in images]
        return model, given

    def _check_keras(self, what):
        if self._keras_path.suffix.lower() == _TFLITE:
            raise InputError(
                f"{self._keras_path}: is a .tflite file, but `{what}` needs a "
                ".keras network."
            )


def load(
    model: StrPath = DEFAULT,
    *,
    threads: int = 1,
    delegate: str | None = None,
    tile: int = TILE,
    self_ensemble: bool = False,
) -> LoadedNetwork:
    """Loads a network to upscale, export, evaluate and benchmark.

    Example:

    >>> network = issp_keras.load("x4_fast")
    >>> large = network.upscale(PIL.Image.open("photo.jpg"))

    Args:
        model: Path of a `.keras` or `.tflite` file, or the name of a network
            that comes with issp_keras (`networks()` lists them). Defaults to
            the first of these. If LiteRT is installed, `.tflite` files and
            these networks do not import Keras and TensorFlow.
        threads: Integer, threads of the TFLite interpreter. Defaults to `1`.
        delegate: A delegate for a `.tflite` file: `"sparse"` for the sparse
            delegate of issp_keras, which skips zeros, the path of another
            delegate library, or `"none"`. Defaults to `"sparse"` for networks
            that come with issp_keras, if the delegate is compiled. Defaults to
            `"none"` for others.
        tile: Integer, height and width in LR pixels of the tiles that large
            images are cut into. It is a multiple of 16 of at least 64, or 0
            for no tiles. Defaults to `384`.
        self_ensemble: Boolean, whether to return the mean over 8 flips and
            rotations. Defaults to `False`.

    Returns:
        A `LoadedNetwork`.

    Raises:
        InputError: If the file is missing or broken, the network does not map
            an RGB image to a larger one, or an argument is not usable.
    """
    return LoadedNetwork(
        model,
        threads=threads,
        delegate=delegate,
        tile=tile,
        self_ensemble=self_ensemble,
    )


def _loaded(networks, threads=1):
    """Returns networks, names and paths as networks."""
    return [
        of if isinstance(of, LoadedNetwork) else load(of, threads=threads)
        for of in networks
    ]


def _by_name(networks):
    """Returns a dict from names to networks."""
    found = {network.name: network for network in networks}
    if len(found) < len(networks):
        raise ArgumentError("others", "name a network twice.")
    return found


def _delegate_of(networks):
    """Returns the delegate that was given, or None."""
    given = {of._delegate for of in networks} - {None, NO_DELEGATE}
    if len(given) > 1:
        raise ArgumentError(
            "others",
            f"have the delegates {' and '.join(sorted(map(str, given)))}, "
            "expected one delegate for all.",
        )
    return next(iter(given), None)


def _strings(argument, sources) -> list[str]:
    """Returns one source or several as a list of strings."""
    if isinstance(sources, str | pathlib.PurePath):
        return [str(sources)]
    found = [str(source) for source in sources]
    if not found:
        raise ArgumentError(argument, "is empty, expected photographs.")
    return found
