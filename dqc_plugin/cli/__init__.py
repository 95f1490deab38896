"""The ``dqc`` command: one file a command; errors that a user can act on end in one message, not a traceback."""

from __future__ import annotations

import sys

import typer

from dqc_plugin.cli.check import check
from dqc_plugin.cli.compare import compare
from dqc_plugin.cli.export import export
from dqc_plugin.cli.inspect import inspect
from dqc_plugin.cli.run import run
from dqc_plugin.cli.search import search
from dqc_plugin.cli.sensitivity import sensitivity
from dqc_plugin.cli.trial import trial
from dqc_plugin.cli.verify import verify
from dqc_plugin.errors import DQCError

_INTERRUPTED = 130  # what typer makes of Ctrl-C

app = typer.Typer(
    help="From a trained PyTorch network to a small, verified file.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
for command in (run, check, compare, inspect, verify, export, sensitivity, search, trial):
    app.command()(command)


def main() -> None:
    """Entry point: exit code 0, 1 for an error with its message, 2 for wrong usage, 130 for Ctrl-C."""
    sys.path.insert(0, "")  # package.module:factory may be a file where the command is run
    try:
        app()
    except DQCError as error:
        sys.exit(f"error: {error}")
    except SystemExit as end:
        if end.code == _INTERRUPTED:
            print(
                "stopped; what is finished is kept: the same command goes on (dqc search: with --resume)",
                file=sys.stderr,
            )
        raise
