"""Code that the console commands share."""

from issp_keras.files import check_file
from issp_keras.programs.cli.arguments import arguments
from issp_keras.programs.cli.arguments import check_exists
from issp_keras.programs.cli.arguments import check_failures
from issp_keras.programs.cli.arguments import check_output
from issp_keras.programs.cli.arguments import check_photographs
from issp_keras.programs.cli.arguments import no_argument
from issp_keras.programs.cli.config_file import check_config_file
from issp_keras.programs.cli.config_file import define_config_flag
from issp_keras.programs.cli.config_file import parse_flags_with_config
from issp_keras.programs.cli.flags import check_network
from issp_keras.programs.cli.flags import define_data_flags
from issp_keras.programs.cli.flags import define_latency_flags
from issp_keras.programs.cli.flags import define_network_flags
from issp_keras.programs.cli.flags import image_size
from issp_keras.programs.cli.flags import network
from issp_keras.programs.cli.reports import check_page
from issp_keras.programs.cli.reports import define_compare_flag
from issp_keras.programs.cli.reports import define_report_flag
from issp_keras.programs.cli.reports import facts
from issp_keras.programs.cli.reports import network_threads
from issp_keras.programs.cli.reports import write_page
from issp_keras.programs.cli.runner import as_flags
from issp_keras.programs.cli.runner import load
from issp_keras.programs.cli.runner import run
from issp_keras.programs.cli.terminal import markdown_table
from issp_keras.programs.cli.terminal import print_table
from issp_keras.programs.cli.terminal import progress_bar

__all__ = [
    "arguments",
    "as_flags",
    "check_config_file",
    "check_exists",
    "check_failures",
    "check_file",
    "check_network",
    "check_output",
    "check_page",
    "check_photographs",
    "define_compare_flag",
    "define_config_flag",
    "define_data_flags",
    "define_latency_flags",
    "define_network_flags",
    "define_report_flag",
    "facts",
    "image_size",
    "load",
    "markdown_table",
    "network",
    "network_threads",
    "no_argument",
    "parse_flags_with_config",
    "print_table",
    "progress_bar",
    "run",
    "write_page",
]
