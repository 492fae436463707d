"""PSNR and SSIM as super-resolution papers compute them."""

import math

import numpy as np


def psnr(image: np.ndarray, reference: np.ndarray, border: int = 0) -> float:
    """Peak signal-to-noise ratio on Y, in dB.

    Args:
        image: uint8 array of shape (height, width, 3) in RGB, or
            (height, width), which is compared as it is.
        reference: uint8 array of the same shape.
        border: Integer, pixels to leave out on each side; papers leave out
            as many as the magnification.

    Returns:
        Float; infinity if the images are equal.

    Raises:
        ValueError: If the shapes or dtypes differ from the above, or nothing
            is left inside the border.
    """
    image, reference = _comparable(image, reference, border)
    error = np.mean((image - reference) ** 2)
    return 10 * math.log10(255**2 / error) if error else math.inf


def ssim(image: np.ndarray, reference: np.ndarray, border: int = 0) -> float:
    """Structural similarity on Y, at most 1.

    Gaussian window of 11x11 pixels with a standard deviation of 1.5, where
    it lies wholly inside the image.

    Args: as for `psnr`; height and width inside the border must be at least
        11 pixels.

    Reference: Wang et al., Image Quality Assessment: From Error Visibility
    to Structural Similarity, IEEE TIP 2004.
    """
    from skimage.metrics import structural_similarity

    image, reference = _comparable(image, reference, border)
    if min(image.shape) < 11:
        raise ValueError(
            "SSIM needs at least 11x11 pixels inside the border. "
            f"Received: {image.shape[1]}x{image.shape[0]}"
        )
    return float(
        structural_similarity(
            image,
            reference,
            data_range=255,
            gaussian_weights=True,
            sigma=1.5,
            use_sample_covariance=False,
        )
    )


def to_y(image: np.ndarray) -> np.ndarray:
    """The Y of an RGB image (BT.601, 16..235), float64 and not rounded."""
    from skimage.color import rgb2ycbcr

    return rgb2ycbcr(image)[..., 0]


def _comparable(image, reference, border):
    if image.shape != reference.shape:
        raise ValueError(
            "Images of different shapes cannot be compared. "
            f"Received: {image.shape} and {reference.shape}"
        )
    for array in (image, reference):
        if array.dtype != np.uint8:
            raise ValueError(
                f"Images must be uint8. Received: dtype={array.dtype}"
            )
    if min(image.shape[:2]) <= 2 * border:
        raise ValueError(
            f"Nothing is left inside a border of {border} pixels. "
            f"Received: shape={image.shape}"
        )
    inside = slice(border, -border or None)
    arrays = (a[inside, inside] for a in (image, reference))
    return [to_y(a) if a.ndim == 3 else a.astype(float) for a in arrays]
