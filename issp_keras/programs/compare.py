"""The program of `issp compare`."""

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
from issp_keras.programs.resume import steps_done
from issp_keras.programs.train import train
from issp_keras.programs.trainings import list_trainings
from issp_keras.programs.trainings import step_costs

_MINUTE = 60.0


class TrainingsFailed(InputError):
    """The error of failed trainings.

    Args:
        failures: List of sentences about the failed trainings.
        total: Integer, the number of all trainings.
    """

    def __init__(self, failures: list[str], total: int):
        lines = "\n  ".join(failures)
        super().__init__(
            f"{len(failures)} of {total} trainings failed:\n  {lines}"
        )


def compare(
    config, workdir, minutes=None, turn=None, known=(), report=print
) -> list[dict]:
    """Trains and scores all trainings of a config.

    Args:
        config: `ml_collections.ConfigDict` with the entries of
            `configs/compare_methods.py`: `training`, a config for
            `issp train`; `trainings`, a dict from names to changes of this
            config; `seeds`; `score_on`, the photographs for the table;
            `data_dir`, the folder of test sets.
        workdir: Path of a folder. It is created if it is missing.
        minutes: Float, the minutes after which to stop. Defaults to no limit.
        turn: Float, the minutes of one turn of a training. Defaults to None:
            the trainings run one after the other.
        known: Sequence of dicts, results of earlier calls.
        report: Callable that receives lines of text about the progress.

    Returns:
        List of dicts, the content of `results.json`: the results of all
        finished trainings, in the order of the config. The entry `outcome` of
        each is "finished" or "diverged".

    Raises:
        InputError: If an entry of the config is not usable.
        TrainingsFailed: If a training failed. It is raised after all others
            have run.
    """
    comparison = Comparison(config, workdir, known, report)
    comparison.run(minutes, turn)
    return comparison.results()


class Comparison:
    """The trainings of a config, and the time that they took in this process.

    Args:
        config, workdir, known, report: As in `compare`.

    Raises:
        InputError: If an entry of the config is not usable.
    """

    def __init__(self, config, workdir, known=(), report=print):
        if not isinstance(known, (list, tuple)):
            raise InputError("--known: is not a list of results.")
        # Check all trainings first, so that errors do not show after hours.
        self._trainings = list_trainings(config, workdir)
        self._workdir = files.make_folder(workdir)
        self._report = report
        self._costs = {}
        self._seconds = self._cost = 0.0
        self._end = math.inf
        self._turn = None
        self._failures: list[str] = []
        for training in self._trainings:
            training.take_over(known)

    def results(self) -> list[dict]:
        """Returns the results of the finished trainings."""
        results = (training.result() for training in self._trainings)
        return [result for result in results if result is not None]

    def unfinished(self) -> list[list[str]]:
        """Returns a header, then a row for each training without a result."""
        header = ["not finished", "seed", "steps"]
        return [header] + [
            [training.name, str(training.seed), training.progress()]
            for training in self._trainings
            if training.result() is None
        ]

    def run(self, minutes=None, turn=None):
        """Trains until all trainings are finished or the time is over.

        Args:
            minutes, turn: As in `compare`.

        Raises:
            TrainingsFailed: If a training failed. It is raised after all
                others have run.
        """
        if minutes is not None:
            self._end = time.monotonic() + _MINUTE * minutes
        self._turn = turn
        self._write()
        self._run()
        self._write()
        if self._failures:
            raise TrainingsFailed(self._failures, len(self._trainings))

    def _write(self):
        write_results(self._workdir, self.results, self.unfinished)

    def _run(self):
        # Trainings that had a turn come last, in the order of their turns.
        waiting = [t for t in self._trainings if t.result() is None]
        self._costs = step_costs(waiting)
        while waiting and time.monotonic() < self._end:
            waiting = [t for t in waiting if t.result() is None]
            training = next((t for t in waiting if t.lock()), None)
            if training is None:
                if waiting:
                    names = ", ".join(of.label for of in waiting)
                    self._report(
                        f"Other processes run what remains ({names}); this "
                        "process ends."
                    )
                return
            until = self._end_of_turn()
            try:
                # Another process may have finished it meanwhile.
                if training.result() is None and not self._train(
                    training, until
                ):
                    if until == self._end:
                        # Its next epoch would end too late.
                        return
                    waiting.remove(training)
                    waiting.append(training)
            except InputError as error:
                # The other trainings can still run.
                waiting.remove(training)
                self._failures.append(f"{training.label}: {error}")
                self._report(self._failures[-1])
            finally:
                training.unlock()

    def _end_of_turn(self):
        if self._turn is None:
            return self._end
        return min(self._end, time.monotonic() + _MINUTE * self._turn)

    def _train(self, training, until):
        """Trains until then, and returns whether there is a result."""
        keras.backend.clear_session()
        training.note_backend()
        try:
            network = train(
                training.config,
                training.folder,
                until=until,
                callbacks=[_Progress(training, self)],
                is_locked=True,
            )
        except Diverged:
            # A divergence is a result too.
            training.write_diverged()
        else:
            if network is None:
                return False
            training.write_result(network)
        # Write the tables now, since the process may be killed later.
        self._write()
        self._report(f"{training.label}: {training.summary()}")
        return True

    def tell(self, training, step, logs, steps, seconds):
        """Reports the progress of a training, and when all will be done."""
        self._write()
        self._cost += steps * self._costs[training]
        self._seconds += seconds
        left = sum(
            self._costs[t]
            * (t.config.steps - (step if t is training else t.steps_done()))
            for t in self._trainings
            if t.result() is None
        )
        end = time.strftime(
            "%a %H:%M",
            time.localtime(time.time() + self._seconds / self._cost * left),
        )
        done = sum(t.result() is not None for t in self._trainings)
        # It is NaN without held-out photographs.
        psnr = logs["val_psnr"]
        score = "" if math.isnan(psnr) else f", {psnr:.2f} dB"
        self._report(
            f"{training.label}: step {step} of {training.config.steps}{score}; "
            f"{1000 * seconds / steps:.0f} ms a step; {done} of "
            f"{len(self._trainings)} done, this process alone would end "
            f"{end}"
        )


class _Progress(keras.callbacks.Callback):
    """Reports each epoch to a `Comparison`."""

    def __init__(self, training, comparison):
        super().__init__()
        self._training = training
        self._comparison = comparison

    def on_train_begin(self, logs=None):
        # It may begin in the middle of an epoch.
        self._step = steps_done(self.model)

    def on_epoch_begin(self, epoch, logs=None):
        self._start = time.monotonic()

    def on_epoch_end(self, epoch, logs=None):
        if self.model.stop_training:
            # It diverged. The result will say so.
            return
        seconds = time.monotonic() - self._start
        before = self._step
        self._step = (epoch + 1) * self._training.config.steps_per_epoch
        self._comparison.tell(
            self._training, self._step, logs or {}, self._step - before, seconds
        )


def main(argv):
    flag = flags.FLAGS
    if flag.nice:
        os.nice(flag.nice)
    known = files.read_json(flag.known) if flag.known else []
    comparison = Comparison(flag.config, flag.workdir, known)
    try:
        comparison.run(flag.minutes, flag.turn)
    except TrainingsFailed:
        _show(comparison)
        raise
    _show(comparison)


def _show(comparison):
    flag = flags.FLAGS
    results, unfinished = comparison.results(), comparison.unfinished()
    for header, *rows in (table(results), unfinished):
        if rows:
            cli.print_table(header, rows)
    done = pathlib.Path(flag.workdir) / "results.json"
    print(f"Wrote {done}, results.csv and results.md.")
    if flag.report:
        facts = cli.facts(f"as many as {keras.backend.backend()} takes")
        page = compare_report.page(results, unfinished, flag.workdir, facts)
        cli.write_page(flag.report, page)


if __name__ == "__main__":
    run()
