"""All sensible variants of a network: each precision, dense and sparse."""

import pathlib
from collections.abc import Callable
from typing import Any

import keras

from issp_keras import files
from issp_keras.errors import InputError
from issp_keras.files import StrPath
from issp_keras.tflite.choices import PRECISIONS
from issp_keras.tflite.export import Conversion
from issp_keras.tflite.export import Exported
from issp_keras.tflite.export import check_upsampling
from issp_keras.tflite.export import size_of_file
from issp_keras.tflite.parity import Reference


def export_all(
    model: keras.Model,
    stem: StrPath,
    height: int | None = None,
    width: int | None = None,
    tolerance: float | None = None,
    method: str | None = None,
    progress: Callable[[float], None] = lambda done: None,
    **options: Any,
) -> tuple[list[Exported], list[str]]:
    """Writes every sensible variant of a network.

    For each precision, it writes a dense file. It also writes a sparse file,
    if any kernel gets smaller without its zeros.

    Args:
        model: As in `export`.
        stem: Path without suffix: `runs/model` gives
            `runs/model_float32_dense.tflite` and so on.
        height: As in `export`, like all others.
        width: Integer, or None.
        tolerance: Float, or None.
        method: String, or None.
        progress: Callable that receives the share that is done.
        **options: `input`, `reference`, `calibration`, `ranges` and
            `upsampling`.

    Returns:
        List of `Exported`, and a list of errors, one for each variant that
        loses more than `tolerance` or could not be written.

    Raises:
        InputError: If the folder cannot be written, or an option is wrong.
    """
    files.make_folder(pathlib.Path(stem).parent)
    size = size_of_file(model, height, width)
    check_upsampling(options.get("upsampling", "depth_to_space"), size)
    options.setdefault("reference", Reference(model))
    written, failures = [], []
    for i, precision in enumerate(PRECISIONS):
        progress(i / len(PRECISIONS))
        try:
            conversion = Conversion(model, precision, size, **options)
        except InputError as error:
            failures.append(str(error))
            continue
        for sparse in (False, True):
            path = variant_path(stem, precision, sparse)
            try:
                exported = conversion.write(path, sparse, tolerance, method)
            except InputError as error:
                failures.append(str(error))
                continue
            if sparse and not exported.inspection.weights.sparse_kernels:
                path.unlink()  # The same as the dense one.
                continue
            written.append(exported)
    return written, failures


def variant_path(stem, precision: str, sparse: bool) -> pathlib.Path:
    """Where `issp-export` writes a variant."""
    encoding = "sparse" if sparse else "dense"
    return pathlib.Path(f"{stem}_{precision}_{encoding}.tflite")
