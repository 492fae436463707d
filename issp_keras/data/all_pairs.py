"""Loads all pairs of a data set, into memory or as files to read from."""

from absl import logging

from issp_keras import host
from issp_keras.data.layouts import find_source
from issp_keras.data.pairs import Pair
from issp_keras.data.photographs import size_of
from issp_keras.data.prepared import is_prepared
from issp_keras.data.prepared import open_prepared
from issp_keras.errors import InputError


def load_pairs(
    source: str, split: str, scale: int, smallest: int = 1
) -> list[Pair]:
    """Loads photographs for training or for scores.

    Args:
        source: String, one or more sources, separated by commas. Each is a
            source for `find_source`, or the path of a folder that
            `issp-prepare` made. Such a folder may be larger than the memory.
        split: "train" or "held_out", the split of the embedded photographs.
            Folders are read completely. With "train", photographs that are
            too small are skipped, and the log says how many.
        scale: Integer, the magnification.
        smallest: Integer, the smallest height and width of HR in pixels.

    Raises:
        InputError: If a source does not exist or holds no photograph, if a
            file cannot be read, if a held-out photograph or all training
            photographs are too small, or if the photographs would fill more
            than half of the memory.
    """
    pairs: list = []
    total = 0
    for each in source.split(","):
        loaded, found = _load(each.strip(), split, scale, smallest)
        pairs += loaded
        total += found
    if split != "train":
        return pairs
    # A smaller photograph has no LR pixel.
    least = max(smallest, scale)
    large = [pair for pair in pairs if min(pair.hr.shape[:2]) >= least]
    if not large:
        raise InputError(
            f"{source}: holds no photograph of at least {least}x{least} pixels."
        )
    if skipped := total - len(large):
        logging.warning(
            "%s: skipped %d of %d photographs, which are smaller than %dx%d "
            "pixels.",
            source,
            skipped,
            total,
            least,
            least,
        )
    return large


def _load(source, split, scale, smallest):
    """Returns the pairs of one source, and how many photographs it has."""
    if is_prepared(source):
        pairs = open_prepared(source, scale)
        if split == "train":
            return pairs, len(pairs)
        for pair in pairs:
            height, width = pair.hr.shape[:2]
            if min(height, width) < smallest:
                raise InputError(
                    f"{source}: {pair.name} is {width}x{height} pixels, "
                    f"expected at least {smallest}x{smallest}."
                )
        # Held-out photographs are used whole, so read them into memory.
        _check_memory(source, [pair.hr.shape[:2] for pair in pairs])
        whole = [Pair(p.name, p.lr[:, :], p.hr[:, :]) for p in pairs]
        return whole, len(whole)
    photographs = find_source(source, split, scale)
    sizes = [size_of(photograph.hr) for photograph in photographs]
    _check_memory(
        source,
        sizes,
        "a folder that `issp-prepare` makes from them",
    )
    if split != "train":
        pairs = [photograph.read(scale, smallest) for photograph in photographs]
        return pairs, len(pairs)
    pairs = [
        photograph.read(scale)
        for photograph, size in zip(photographs, sizes, strict=True)
        # Without a single LR pixel, it cannot be read.
        if not 0 < min(size) < scale
    ]
    return pairs, len(photographs)


def _check_memory(source, sizes, mend="fewer photographs"):
    size = sum(3 * height * width for height, width in sizes)
    if size > host.memory() / 2:
        raise InputError(
            f"{source}: holds {len(sizes)} photographs of {size / 1e9:.1f} "
            f"GB, more than half of the memory; expected {mend}."
        )
