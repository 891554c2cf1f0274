"""`semjpeg evaluate`: encoders beside each other on pictures; with `maps` importance maps, with `log` logs."""

from __future__ import annotations

import click

from semjpeg.commands.evaluate import log, maps, pictures


class _PicturesByDefault(click.Group):
    """What is no subcommand is a folder of pictures, or an option of the command that measures them."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if args and args[0] not in (*self.commands, *ctx.help_option_names):
            # The group has no options of its own: behind this sign none is looked for.
            args = ["--", *args]
        return super().parse_args(ctx, args)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args[0] in self.commands:
            return super().resolve_command(ctx, args)
        return "", pictures.command, args

    def collect_usage_pieces(self, ctx: click.Context) -> list[str]:
        del ctx
        return ["[OPTIONS] DATA | maps … | log …"]

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        pictures.command.format_options(ctx, formatter)
        self.format_commands(ctx, formatter)


command = _PicturesByDefault("evaluate", commands=(maps.command, log.command), help=pictures.command.help)
