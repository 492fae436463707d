"""Trains the networks that a config lists, and compares them in a table.

    issp compare --config=compare_methods --workdir=runs/compare
    issp compare --config=recipe_search --workdir=runs/search --turn=20

Each training has its own folder in the workdir. After Ctrl-C or SIGTERM, the
same command continues after the last step; after another end, it continues
after the last finished epoch. Finished trainings are not repeated.
--minutes=N stops after the last epoch that probably ends within N minutes. The
length of the first epoch is unknown, so this epoch may end later. With
--minutes=0, only the tables are written.
The trainings run in the order of the config. With --turn=N, they take turns of
N minutes. Several of these commands may share one workdir: each takes a
training that no other command runs. They run at low priority (--nice).

results.json, results.csv and results.md in the workdir hold PSNR and SSIM on
each test set, the non-zeros and the time of every finished training of the
config. A word after the colon selects trainings, so the tables then have only
these. results.md also lists the others with their steps. A training that
diverges is a result too, and is not repeated. --report writes a page for a
browser with the table and plots. --known takes a results.json of another
machine or of an earlier version. Trainings in it with the same settings are not
repeated.
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
    flags.DEFINE_string("workdir", None, "Folder for the trainings.")
    flags.DEFINE_float(
        "minutes", None, "Stop after this number of minutes.", lower_bound=0
    )
    flags.DEFINE_float(
        "turn",
        None,
        "Minutes of one turn of a training. Without it, the trainings run one "
        "after the other.",
        lower_bound=0,
    )
    flags.DEFINE_string(
        "known", None, "JSON file of results; these trainings are skipped."
    )
    flags.DEFINE_integer(
        "nice", 19, "How much to lower the priority, 0 to 19.", 0, 19
    )
    cli.define_report_flag("the table and plots")
    flags.mark_flags_as_required(["config", "workdir"])
    cli.run(main, cli.parse_flags_with_config)


if __name__ == "__main__":
    run()
