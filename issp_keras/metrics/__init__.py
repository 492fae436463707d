"""Image fidelity: PSNR and SSIM, as functions and as Keras metrics."""

from typing import TYPE_CHECKING

from issp_keras.late import import_late

if TYPE_CHECKING:
    from issp_keras.metrics.fidelity import psnr
    from issp_keras.metrics.fidelity import ssim
    from issp_keras.metrics.fidelity import to_y
    from issp_keras.metrics.formulas import CHANNELS
    from issp_keras.metrics.keras_metrics import PSNR
    from issp_keras.metrics.keras_metrics import SSIM

__all__ = ["CHANNELS", "PSNR", "SSIM", "psnr", "ssim", "to_y"]

import_late(__name__)
