"""The commands, under one roof."""

from typing import Annotated

import typer

from .cancel import command as cancel
from .demo import command as demo
from .options import EXIT_CODES

app = typer.Typer(
    help="Stop SMS campaigns (bulks) at the LOX24 gateway, and see what became of each.",
    epilog=EXIT_CODES,
    no_args_is_help=True,
    rich_markup_mode=None,  # plain help: there at once, and as readable in a pipe
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("cancel", epilog=EXIT_CODES)(cancel)
app.command("demo")(demo)


def _show_version(wanted: bool) -> None:
    if wanted:
        from lox24_async import __version__  # noqa: PLC0415  not for the help

        print(f"lox24 {__version__}")
        raise typer.Exit


@app.callback()
def lox24(
    *,
    version: Annotated[
        bool,
        typer.Option(
            "--version", help="Show the version and exit.", callback=_show_version, is_eager=True
        ),
    ] = False,
) -> None:
    """Take the options that stand before the command."""
    del version  # shown by its callback
