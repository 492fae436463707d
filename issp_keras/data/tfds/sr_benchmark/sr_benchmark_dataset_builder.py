"""Set5, Set14, B100, Urban100 and Manga109, from folders."""

import tensorflow_datasets.public_api as tfds
from absl import logging

from issp_keras.data import BENCHMARKS
from issp_keras.data import LAYOUTS
from issp_keras.data import find_benchmark
from issp_keras.data import find_pairs
from issp_keras.data.tfds.features import example
from issp_keras.data.tfds.features import lr_and_hr

_SCALES = (2, 3, 4)


class SRBenchmarkConfig(tfds.core.BuilderConfig):
    """The config of one test set at one scale.

    Args:
        benchmark: String, a key of `issp_keras.data.BENCHMARKS`.
        scale: Integer.
    """

    def __init__(self, benchmark, scale):
        super().__init__(
            name=f"{benchmark}_x{scale}",
            description=f"{benchmark}, LR {scale} times smaller.",
        )
        self.benchmark = benchmark
        self.scale = scale


class Builder(tfds.core.GeneratorBasedBuilder):
    """The test sets of super-resolution papers, LR and HR.

    The preparation raises an `InputError` if the folder of a set is missing or
    empty, a file cannot be read, or the size of LR is not floor(HR / scale).
    If there are no LR files, MATLAB's bicubic `imresize` makes LR.
    """

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES = {"1.0.0": "Initial release."}
    BUILDER_CONFIGS = [
        SRBenchmarkConfig(benchmark, scale)
        for benchmark in BENCHMARKS
        for scale in _SCALES
    ]
    MANUAL_DOWNLOAD_INSTRUCTIONS = f"""
    Put the photographs of the test sets ({", ".join(BENCHMARKS)}) into the
    manual_dir, each set in one of these layouts, where NAME is the name of
    the set in any case, and 4 stands for any scale:

{LAYOUTS}
    """

    def _info(self) -> tfds.core.DatasetInfo:
        return self.dataset_info_from_configs(
            features=lr_and_hr(), supervised_keys=("lr", "hr")
        )

    def _split_generators(self, dl_manager: tfds.download.DownloadManager):
        config = self.builder_config
        folder = find_benchmark(dl_manager.manual_dir, config.benchmark)
        photographs = find_pairs(folder, config.scale)
        _, expected = BENCHMARKS[config.benchmark]
        if len(photographs) != expected:
            logging.warning(
                "%s: holds %d photographs, %s has %d.",
                folder,
                len(photographs),
                config.benchmark,
                expected,
            )
        return {"test": self._generate_examples(photographs)}

    def _generate_examples(self, photographs):
        """Yields examples. The keys are the names of HR."""
        for photograph in photographs:
            yield (
                photograph.name,
                example(photograph, self.builder_config.scale),
            )
