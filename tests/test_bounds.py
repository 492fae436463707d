"""What is read is bounded before it is unpacked, decoded or built.

The files of these tests are small. Each asks for gigabytes.
"""

import io
import json
import os
import stat
import struct
import time
import zipfile
import zlib

import h5py
import keras
import numpy as np
import PIL.Image
import pytest
import tifffile
from networks import TINY

from issp_keras import data
from issp_keras import host
from issp_keras import models
from issp_keras.data import photographs
from issp_keras.errors import InputError
from issp_keras.files import read_json
from issp_keras.files import write_json
from issp_keras.models.bounds import at_most
from issp_keras.programs import configuration

_WEIGHTS = "model.weights.h5"
_LARGE = 1_500_000_000


@pytest.fixture(scope="module")
def members(tmp_path_factory):
    """The members of a `.keras` file."""
    path = tmp_path_factory.mktemp("network") / "model.keras"
    TINY["edsr"]().save(path)
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def _write(path, members, **kinds):
    with zipfile.ZipFile(path, "w", **kinds) as archive:
        for name, content in members.items():
            archive.writestr(name, content)


def _inspect(path):
    from issp_keras.tflite import inspect

    return inspect(path)


def _with_data_set(content, name):
    """HDF5 content with a data set that is large, and stores nothing."""
    file = io.BytesIO(content)
    with h5py.File(file, "r+") as store:
        store.create_dataset(
            name, (_LARGE,), "f4", chunks=(1 << 20,), compression="gzip"
        )
    return file.getvalue()


@pytest.mark.parametrize("name", ["config.json", _WEIGHTS])
def test_a_zip_bomb_is_no_network(members, tmp_path, name):
    path = tmp_path / "model.keras"
    bomb = {**members, name: members[name] + bytes(40 << 20)}
    _write(path, bomb, compression=zipfile.ZIP_DEFLATED, compresslevel=9)
    with pytest.raises(InputError, match=rf"keras: .*{name} would expand"):
        models.load_model(path)


def test_a_compression_without_bounds_is_no_network(members, tmp_path):
    path = tmp_path / "model.keras"
    _write(path, members, compression=zipfile.ZIP_LZMA)
    with pytest.raises(InputError, match=r"keras: .* compressed in a way"):
        models.load_model(path)


def test_a_compressed_network_is_read(members, tmp_path):
    path = tmp_path / "model.keras"
    _write(path, members, compression=zipfile.ZIP_DEFLATED)
    assert models.load_model(path).count_params()


@pytest.mark.parametrize("name", ["activation_ranges/vars/a", "other"])
def test_an_hdf5_bomb_is_no_network(members, tmp_path, name):
    path = tmp_path / "model.keras"
    bomb = _with_data_set(members[_WEIGHTS], name)
    _write(path, {**members, _WEIGHTS: bomb})
    with pytest.raises(InputError, match=rf"keras: .*{_WEIGHTS} would expand"):
        models.load_model(path)


def test_weights_in_another_file_are_not_read(members, tmp_path):
    (tmp_path / "secret").write_bytes(bytes(64))
    file = io.BytesIO(members[_WEIGHTS])
    with h5py.File(file, "r+") as store:
        external = [(str(tmp_path / "secret"), 0, 64)]
        store.create_dataset("other", (16,), "f4", external=external)
    path = tmp_path / "model.keras"
    _write(path, {**members, _WEIGHTS: file.getvalue()})
    with pytest.raises(InputError, match=r"keras: .*lies in another file"):
        models.load_model(path)


@pytest.mark.parametrize("filters", [20_000_000, 2_000_000_000, 10**30])
def test_a_network_of_more_filters_than_are_stored_is_not_built(
    members, tmp_path, filters
):
    config = json.loads(members["config.json"])
    layer = next(
        layer["config"]
        for layer in config["config"]["layers"]
        if "filters" in layer["config"]
    )
    layer["filters"] = filters
    path = tmp_path / "model.keras"
    _write(path, {**members, "config.json": json.dumps(config)})
    with pytest.raises(InputError, match=r"model\.keras: needs more weights"):
        models.load_model(path)
    # Keras is left as it was.
    assert models.edsr(2, 4, 1).count_params()


def test_endless_layers_are_not_built(monkeypatch):
    monkeypatch.setattr("issp_keras.models.bounds._MOST_VARIABLES", 10)
    with (
        pytest.raises(InputError, match=r"^a: needs more weights than b\.$"),
        at_most(10**9, "a", "b"),
    ):
        models.edsr(2, 4, 2_000_000_000)


def test_other_errors_of_layers_are_passed_on():
    with pytest.raises(ValueError, match="filters"), at_most(10**9, "a", "b"):
        keras.layers.Conv2D(-1, 3)


def _config():
    from issp_keras.configs import edsr_small

    return edsr_small.get_config()


@pytest.mark.parametrize(
    "entry", [{"features": 2_000_000_000}, {"features": 10**30}]
)
def test_a_config_of_more_weights_than_memory_is_one_sentence(entry):
    config = _config()
    config.network.update(entry)
    with pytest.raises(InputError, match=r"^--config\.network: "):
        configuration.network(config)


@pytest.mark.parametrize("entry", ["batch_size", "patch_size"])
def test_a_batch_of_more_than_memory_is_one_sentence(entry):
    config = _config()
    config.data[entry] = 2_000_000_000
    with pytest.raises(InputError, match=r"^--config\.data\.batch_size: is "):
        configuration.check(config)


def test_the_memory_is_that_of_this_machine():
    assert 2**28 < host.memory() < 2**50


def test_a_photograph_is_not_run_as_a_program(tmp_path):
    """Pillow gives PostScript to Ghostscript, whatever the name says."""
    path = tmp_path / "photo.png"
    PIL.Image.new("RGB", (4, 3)).save(path, "EPS")
    with pytest.raises(InputError, match=r"photo\.png: .*PostScript"):
        data.read_photograph(path)


def _bomb(path, form, mode):
    """Writes an image that says that it has 10 gigapixels."""
    file = io.BytesIO()
    PIL.Image.new(mode, (3, 2)).save(file, form)
    content, side = bytearray(file.getvalue()), 100_000
    if form == "PNG":
        content[16:24] = struct.pack(">II", side, side)
        content[29:33] = struct.pack(">I", zlib.crc32(content[12:29]))
    elif form == "BMP":
        content[18:26] = struct.pack("<II", side, side)
    else:
        (at,) = struct.unpack_from("<I", content, 4)
        for entry in range(at + 2, at + 2 + 12 * 2, 12):
            assert content[entry] + 256 * content[entry + 1] in (256, 257)
            content[entry + 2 : entry + 4] = struct.pack("<H", 4)
            content[entry + 8 : entry + 12] = struct.pack("<I", side)
    path.write_bytes(content)


@pytest.mark.parametrize(
    ("form", "mode"),
    [("PNG", "RGB"), ("PNG", "I;16"), ("BMP", "RGB")]
    + [("TIFF", "RGB"), ("TIFF", "I;16")],
)
def test_an_image_of_too_many_pixels_is_not_decoded(tmp_path, form, mode):
    path = tmp_path / "bomb.png"
    _bomb(path, form, mode)
    with pytest.raises(InputError, match=r"bomb\.png: .*decompression bomb"):
        data.read_photograph(path)


@pytest.mark.parametrize(
    ("name", "mode", "megapixels"),
    [
        ("a.png", "RGB", 181),
        ("a.png", "RGBA", 133),
        ("a.tif", "CMYK", 133),
        ("a.webp", "RGB", 95),
        ("a.png", "I;16", 80),
    ],
)
def test_an_image_that_needs_gigabytes_is_not_decoded(
    tmp_path, monkeypatch, name, mode, megapixels
):
    # As if a few kilobytes were gigabytes.
    monkeypatch.setattr(photographs, "_MOST_BYTES", 2000)
    path = tmp_path / name
    image = PIL.Image.new(mode, (megapixels, 1))
    image.save(path)
    assert data.read_photograph(path).pixels.shape[:2] == (1, megapixels)
    PIL.Image.new(mode, (megapixels, 2)).save(path)
    with pytest.raises(InputError, match=rf"{name}: .*has {megapixels}x2 pix"):
        data.read_photograph(path)


def test_the_pages_of_a_photograph_are_not_counted(tmp_path):
    path = tmp_path / "photo.tif"
    PIL.Image.new("RGB", (4, 3)).save(path)
    content = bytearray(path.read_bytes())
    (first,) = struct.unpack_from("<I", content, 4)
    entries = content[first : first + 2 + 12 * content[first]]
    link = first + len(entries)
    # Counting 50,000 pages would take a minute.
    for _ in range(50_000):
        content[link : link + 4] = struct.pack("<I", len(content))
        link = len(content) + len(entries)
        content += entries + bytes(4)
    path.write_bytes(content)
    begin = time.process_time()
    assert data.read_photograph(path).pixels.shape == (3, 4, 3)
    assert time.process_time() - begin < 5


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="There are no pipes.")
@pytest.mark.parametrize(
    "read",
    [
        data.read_photograph,
        models.load_model,
        models.from_torch,
        read_json,
        pytest.param(_inspect, marks=pytest.mark.tensorflow),
        lambda path: write_json(path, {}),
    ],
)
def test_a_pipe_is_neither_read_nor_replaced(tmp_path, read):
    path = tmp_path / "pipe"
    os.mkfifo(path)
    with pytest.raises(InputError, match="pipe: is a device or a pipe, exp"):
        read(path)
    assert stat.S_ISFIFO(path.stat().st_mode)
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("compression", ["zlib", "lzma"])
def test_a_tiff_strip_of_more_than_its_pixels_is_not_unpacked(
    tmp_path, compression
):
    path = tmp_path / "photo.tif"
    pixels = np.zeros((3000, 2000), np.uint16)
    tifffile.imwrite(path, pixels, compression=compression, metadata=None)
    assert data.read_photograph(path).pixels.shape == (3000, 2000)
    content = bytearray(path.read_bytes())
    # Height, and rows of a strip.
    for tag in (257, 278):
        at = content.index(
            struct.pack("<H", tag), struct.unpack_from("<I", content, 4)[0]
        )
        content[at + 8 : at + 12] = struct.pack("<I", 3)
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"photo\.tif: .* would expand to"):
        data.read_photograph(path)


def test_a_checkpoint_whose_entries_share_bytes_is_refused(tmp_path):
    path = tmp_path / "model.pth"
    models.to_torch(TINY["edsr"](), path)
    with zipfile.ZipFile(path) as archive:
        infos = archive.infolist()
        largest = max(infos, key=lambda info: info.file_size)
    content = bytearray(path.read_bytes())
    for info in infos:
        if "/data/" in info.filename:
            _point_to(content, info, largest)
    path.write_bytes(content)
    with pytest.raises(
        InputError, match=r"model\.pth: is not a PyTorch"
    ) as refused:
        models.from_torch(path)
    assert "overlap" in str(refused.value.__cause__)


def _point_to(content, info, other):
    """Gives an entry of a ZIP file's directory the bytes of another one."""
    at = content.rindex(info.filename.encode()) - 46
    assert content[at : at + 4] == b"PK\1\2"
    content[at + 16 : at + 28] = struct.pack(
        "<III", other.CRC, other.compress_size, other.file_size
    )


@pytest.mark.parametrize(
    "content",
    [
        "[" * 200_000,
        '{"format": "issp_keras pairs 1", "scale": 2, "photographs": '
        '[["a", 0, 0, Infinity, 3]]}',
        '{"format": "issp_keras pairs 1", "scale": 2, "photographs": '
        '[["a", 0, 0, 1000000000, 1000000000]]}',
    ],
    ids=["deep", "infinite", "large"],
)
def test_an_index_of_more_than_there_is_is_refused(tmp_path, content):
    (tmp_path / "index.json").write_text(content)
    (tmp_path / "00000.bin").write_bytes(bytes(100))
    with pytest.raises(InputError, match=r"index\.json: |ends before a"):
        data.open_prepared(tmp_path, 2)


def test_json_that_is_too_deep_is_refused(tmp_path):
    path = tmp_path / "result.json"
    path.write_text("[" * 200_000)
    with pytest.raises(InputError, match=r"result\.json: cannot be read"):
        read_json(path)


@pytest.mark.tensorflow
def test_metadata_that_is_too_deep_is_refused():
    from ai_edge_litert import schema_py_generated as schema

    from issp_keras.tflite import metadata

    model = schema.ModelT(buffers=[])
    metadata.add_metadata(model, {})
    model.buffers[-1].data = np.frombuffer(b"[" * 200_000, np.uint8)
    with pytest.raises(ValueError, match="too deep"):
        metadata.read_metadata(model)
