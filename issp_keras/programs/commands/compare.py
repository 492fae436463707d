"""Trains what a config lists, and compares the results in one table.

    issp compare --config=compare_methods --workdir=runs/compare
    issp compare --config=recipe_search --workdir=runs/search --turn=20

Each training has a folder of its own in the workdir. After a kill, the same
command goes on with the last epoch that was finished, and what is done stays
done. --minutes=N stops at the end of the last epoch that is probably done by
then, but not before one epoch; each training then has a checkpoint. The
trainings run in the order of the config, or with --turn=N in turns of N
minutes. Several of these commands may share one workdir: each takes a training
that no other one has. They run at low priority (--nice).

results.json, results.csv and results.md in the workdir hold PSNR and SSIM on
each test set, the non-zeros and the time of every training that is done. A
training that diverges is a result too. It is not tried again. --report writes
a page for a browser, with the table and plots of it. --known takes such a JSON
file, of another machine or of an earlier version: what is in it with the same
settings is not trained again.
"""

from absl import flags

from issp_keras.programs import cli


def main(argv):
    flag = flags.FLAGS
    cli.no_argument(argv)
    cli.check_config_file()
    if flag.known:
        cli.check_file(flag.known, "a JSON file")
    cli.check_page("report", flag.report)
    cli.load("issp_keras.programs.compare").main(argv)


def run():
    """Entry point of `issp compare`."""
    cli.define_config_flag()
    flags.DEFINE_string("workdir", None, "Folder for what is trained.")
    flags.DEFINE_float(
        "minutes", None, "Stop after so many minutes.", lower_bound=0
    )
    flags.DEFINE_float(
        "turn",
        None,
        "Minutes after which the next training has its turn; one after the "
        "other without.",
        lower_bound=0,
    )
    flags.DEFINE_string(
        "known", None, "JSON file of results that are not trained again."
    )
    flags.DEFINE_integer(
        "nice", 19, "How far to lower the priority, 0 to 19.", 0, 19
    )
    cli.define_report_flag("the table and plots of it")
    flags.mark_flags_as_required(["config", "workdir"])
    cli.run(main, cli.parse_flags_with_config)


if __name__ == "__main__":
    run()
