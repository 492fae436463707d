import io

import numpy as np
import PIL.Image
import pytest

from issp_keras import data
from issp_keras.errors import InputError

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("split", ["train", "held_out"])
def test_the_embedded_photographs_are_there(split):
    photographs = data.load_photographs("embedded", split, 200)
    assert len(photographs) >= 3
    assert all(p.pixels.dtype == np.uint8 for p in photographs)


def test_no_embedded_photograph_is_in_both_splits():
    train, held_out = (
        {p.name for p in data.load_photographs("embedded", split)}
        for split in ("train", "held_out")
    )
    assert not train & held_out


def test_reads_a_folder_in_order_and_passes_other_files_by(
    folder_of_photographs,
):
    (folder_of_photographs / "notes.txt").write_text("no photograph")
    photographs = data.load_photographs(str(folder_of_photographs), "train")
    assert [(p.name, p.pixels.shape) for p in photographs] == [
        ("a", (48, 60, 3)),
        ("b", (41, 37, 3)),
        ("grey", (40, 44)),
    ]


def test_a_missing_folder_is_refused(tmp_path):
    with pytest.raises(InputError, match="nowhere: no such folder"):
        data.load_photographs(str(tmp_path / "nowhere"), "train")


def test_an_empty_folder_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"holds no photograph.*\.png"):
        data.load_photographs(str(tmp_path), "train")


def test_a_photograph_smaller_than_a_patch_is_refused(folder_of_photographs):
    with pytest.raises(InputError, match=r"b\.png: is 37x41.*least 41x41"):
        data.load_photographs(str(folder_of_photographs), "train", 41)


def test_a_truncated_photograph_is_refused(folder_of_photographs):
    path = folder_of_photographs / "a.png"
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(InputError, match=r"a\.png: cannot be read"):
        data.load_photographs(str(folder_of_photographs), "train")


@pytest.mark.parametrize("content", [b"", b"no image", b"\x89PNG\r\n\x1a\n"])
def test_a_file_that_is_no_image_is_refused(tmp_path, content):
    path = tmp_path / "photo.png"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"photo\.png: cannot be read"):
        data.read_photograph(path)


def test_a_missing_photograph_is_refused(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        data.read_photograph(tmp_path / "photo.png")


def test_more_than_8_bits_are_refused(tmp_path):
    path = tmp_path / "deep.png"
    PIL.Image.fromarray(np.full((4, 4), 40_000, np.uint16)).save(path)
    with pytest.raises(InputError, match="more than 8 bits"):
        data.read_photograph(path)


def test_16_bit_colours_are_refused(tmp_path):
    import struct
    import zlib

    import tifffile

    def chunk(kind, content):
        checksum = struct.pack(">I", zlib.crc32(kind + content))
        return struct.pack(">I", len(content)) + kind + content + checksum

    png = tmp_path / "deep.png"
    png.write_bytes(
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", struct.pack(">IIBBBBB", 2, 2, 16, 2, 0, 0, 0))
        + chunk(b"IDAT", zlib.compress(bytes(2 * (1 + 2 * 6))))
        + chunk(b"IEND", b"")
    )
    tiff = tmp_path / "deep.tif"
    tifffile.imwrite(tiff, np.zeros((4, 4, 3), np.uint16), photometric="rgb")
    for path in (png, tiff):
        with pytest.raises(InputError, match="more than 8 bits"):
            data.read_photograph(path)


def test_opaque_grey_stays_grey(tmp_path):
    grey = RNG.integers(0, 256, (4, 6), np.uint8)
    image = PIL.Image.fromarray(grey).convert("LA")
    image.save(tmp_path / "grey.png")
    found = data.read_photograph(tmp_path / "grey.png").pixels
    np.testing.assert_array_equal(found, grey)


def test_transparency_is_refused_and_full_opacity_is_dropped(tmp_path):
    pixels = RNG.integers(0, 256, (4, 4, 4), np.uint8)
    path = tmp_path / "photo.png"
    PIL.Image.fromarray(pixels).save(path)
    with pytest.raises(InputError, match="transparent"):
        data.read_photograph(path)
    pixels[..., 3] = 255
    PIL.Image.fromarray(pixels).save(path)
    found = data.read_photograph(path).pixels
    np.testing.assert_array_equal(found, pixels[..., :3])


def test_a_palette_and_a_turned_photograph_are_read_as_they_look(tmp_path):
    pixels = np.zeros((4, 6, 3), np.uint8)
    pixels[0, :, 0] = 255
    path = tmp_path / "palette.png"
    PIL.Image.fromarray(pixels).quantize(4).save(path)
    np.testing.assert_array_equal(data.read_photograph(path).pixels, pixels)
    turned = PIL.Image.fromarray(pixels)
    exif = turned.getexif()
    exif[0x0112] = 6  # To be shown turned by 90 degrees.
    path = tmp_path / "turned.png"
    turned.save(path, exif=exif)
    found = data.read_photograph(path).pixels
    np.testing.assert_array_equal(found, np.rot90(pixels, -1))


def test_an_image_that_cannot_be_written_leaves_the_old_one(tmp_path):
    path = tmp_path / "photo.png"
    data.write_photograph(path, np.zeros((2, 2), np.uint8))
    before = path.read_bytes()
    with pytest.raises(InputError, match=r"photo\.xyz: cannot be written"):
        data.write_photograph(
            tmp_path / "photo.xyz", np.zeros((2, 2), np.uint8)
        )
    with pytest.raises(InputError, match="cannot be written"):
        data.write_photograph(path / "in.png", np.zeros((2, 2), np.uint8))
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["photo.png"]


def test_write_and_read_are_lossless_for_png(tmp_path):
    pixels = RNG.integers(0, 256, (5, 7, 3), np.uint8)
    data.write_photograph(tmp_path / "photo.png", pixels)
    found = data.read_photograph(tmp_path / "photo.png")
    np.testing.assert_array_equal(found.pixels, pixels)


def test_a_decompression_bomb_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(PIL.Image, "MAX_IMAGE_PIXELS", 10)
    buffer = io.BytesIO()
    PIL.Image.new("L", (100, 100)).save(buffer, "png")
    path = tmp_path / "bomb.png"
    path.write_bytes(buffer.getvalue())
    with pytest.raises(InputError, match=r"bomb\.png: cannot be read"):
        data.read_photograph(path)
