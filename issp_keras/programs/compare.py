"""What `issp compare` does."""

import math
import os
import pathlib
import time

import keras
from absl import flags

from issp_keras import files
from issp_keras.errors import InputError
from issp_keras.programs import cli
from issp_keras.programs import compare_report
from issp_keras.programs.commands.compare import run
from issp_keras.programs.fit import Diverged
from issp_keras.programs.results import table
from issp_keras.programs.results import write_results
from issp_keras.programs.train import train
from issp_keras.programs.trainings import list_trainings

_MINUTE = 60.0


class TrainingsFailed(InputError):
    """Some trainings failed; `results` are those of the others.

    Args:
        failures: List of sentences.
        total: Integer, how many trainings there are.
        results: List of dicts, as `compare` returns them.
    """

    def __init__(self, failures: list[str], total: int, results: list[dict]):
        lines = "\n  ".join(failures)
        super().__init__(
            f"{len(failures)} of {total} trainings failed:\n  {lines}"
        )
        self.results = results


def compare(
    config, workdir, minutes=None, turn=None, known=(), report=print
) -> list[dict]:
    """Trains and scores all trainings of a config.

    Args:
        config: `ml_collections.ConfigDict` with the entries of
            `configs/compare_methods.py`: `training` as for `issp-train`;
            `trainings`, which maps a name to what that training changes in
            it; `seeds`; `score_on`, the photographs for the table, and
            `data_dir`, where test sets are.
        workdir: Path of a folder, made if missing.
        minutes: Float, after which to stop. Defaults to no limit.
        turn: Float, the minutes after which the next training has its turn.
            Defaults to one after the other.
        known: Sequence of dicts, results of earlier calls.
        report: Callable that takes lines of text about the progress.

    Returns:
        A list of dicts, those of `results.json`: the results of all trainings
        that are done, in the order of the config. The entry `outcome` of each
        is "finished" or "diverged".

    Raises:
        InputError: If an entry of the config is not usable.
        TrainingsFailed: After all others have been trained, if a training
            fails.
    """
    if not isinstance(known, (list, tuple)):
        raise InputError("--known: is not a list of results.")
    # A mistake in the last of them must not show after hours.
    trainings = list_trainings(config, workdir)
    files.make_folder(workdir)
    for training in trainings:
        training.take_over(known)
    end = (
        float("inf")
        if minutes is None
        else time.monotonic() + (_MINUTE * minutes)
    )
    work = _Work(trainings, end, turn, report)
    work.run()
    results = write_results(workdir, trainings)
    if work.failures:
        raise TrainingsFailed(work.failures, len(trainings), results)
    return results


class _Work:
    """The trainings of one call, and what they have cost so far."""

    def __init__(self, trainings, end, turn, report):
        self._trainings = trainings
        self._end = end
        self._turn = turn
        self._report = report
        self._seconds = self._steps = 0
        self.failures: list[str] = []

    def run(self):
        """Trains until all is done or the time is over."""
        # Those that had a turn, in the order of their last one.
        waiting = list(self._trainings)
        while waiting and time.monotonic() < self._end:
            waiting = [t for t in waiting if t.result() is None]
            training = next((t for t in waiting if t.lock()), None)
            if training is None:
                if waiting:
                    self._report(
                        f"Other processes are at work on {len(waiting)} "
                        "trainings; this one ends."
                    )
                return
            try:
                # Another process may have finished it meanwhile.
                if training.result() is None and not self._turn_of(training):
                    waiting.remove(training)
                    waiting.append(training)
            except InputError as error:
                # The others are none the worse for it.
                waiting.remove(training)
                self.failures.append(f"{training.label}: {error}")
                self._report(self.failures[-1])
            finally:
                training.unlock()

    def _turn_of(self, training):
        """Trains until its turn ends; returns whether there is a result."""
        until = self._end
        if self._turn is not None:
            until = min(until, time.monotonic() + _MINUTE * self._turn)
        keras.backend.clear_session()
        try:
            network = train(
                training.config,
                training.folder,
                until=until,
                callbacks=[_Progress(training, self)],
                is_locked=True,
            )
        except Diverged:
            # As much a result of the settings as a score.
            training.write_diverged()
        else:
            if network is None:
                return False
            training.write_result(network)
        self._report(f"{training.label}: {training.summary()}")
        return True

    def tell(self, training, step, logs, steps, seconds):
        """Tells how far a training is, and when all will be done."""
        self._steps += steps
        self._seconds += seconds
        rate = self._seconds / self._steps
        left = sum(
            t.config.steps - (step if t is training else t.steps_done())
            for t in self._trainings
            if t.result() is None
        )
        end = time.strftime(
            "%a %H:%M", time.localtime(time.time() + rate * left)
        )
        done = sum(t.result() is not None for t in self._trainings)
        # NaN where there are no held-out photographs.
        psnr = logs["val_psnr"]
        score = "" if math.isnan(psnr) else f", {psnr:.2f} dB"
        self._report(
            f"{training.label}: step {step} of {training.config.steps}{score}; "
            f"{1000 * seconds / steps:.0f} ms a step; {done} of "
            f"{len(self._trainings)} done, this process alone would end "
            f"{end}"
        )


class _Progress(keras.callbacks.Callback):
    """Tells the driver of each epoch."""

    def __init__(self, training, work):
        super().__init__()
        self._training = training
        self._work = work

    def on_epoch_begin(self, epoch, logs=None):
        self._start = time.monotonic()

    def on_epoch_end(self, epoch, logs=None):
        if self.model.stop_training:
            # It diverged, which is told when its result is written.
            return
        steps = self._training.config.steps_per_epoch
        seconds = time.monotonic() - self._start
        self._work.tell(
            self._training, (epoch + 1) * steps, logs or {}, steps, seconds
        )


def main(argv):
    flag = flags.FLAGS
    if flag.nice:
        os.nice(flag.nice)
    known = files.read_json(flag.known) if flag.known else []
    try:
        results = compare(
            flag.config, flag.workdir, flag.minutes, flag.turn, known
        )
    except TrainingsFailed as error:
        _show(error.results)
        raise
    _show(results)


def _show(results):
    flag = flags.FLAGS
    header, *rows = table(results)
    cli.print_table(header, rows)
    done = pathlib.Path(flag.workdir) / "results.json"
    print(f"Wrote {done}, results.csv and results.md.")
    if flag.report:
        facts = cli.facts(f"as many as {keras.backend.backend()} takes")
        page = compare_report.page(results, flag.workdir, facts)
        cli.write_page(flag.report, page)


if __name__ == "__main__":
    run()
