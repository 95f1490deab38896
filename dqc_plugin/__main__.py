"""``python -m dqc_plugin``: the command line."""

from dqc_plugin.cli import main

main()
