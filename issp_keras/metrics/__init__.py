"""Image fidelity: PSNR and SSIM."""

from issp_keras.metrics.fidelity import psnr
from issp_keras.metrics.fidelity import ssim
from issp_keras.metrics.fidelity import to_y

__all__ = ["psnr", "ssim", "to_y"]
