"""The commands, under one roof."""

from typing import Annotated

import typer

from .commands.cancel import command as cancel
from .commands.create import command as create
from .commands.delete import command as delete
from .commands.demo import command as demo
from .commands.list import command as list_bulks
from .commands.sandbox import command as sandbox
from .commands.show import command as show
from .commands.simulate import command as simulate
from .commands.status import command as status
from .options import CANCEL_CODES, EXIT_CODES

app = typer.Typer(
    help="Stop SMS campaigns (bulks) at the LOX24 gateway, and see what became of each.",
    epilog=EXIT_CODES,
    no_args_is_help=True,
    rich_markup_mode=None,  # plain help: there at once, and as readable in a pipe
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
# In the help's order: what is needed in an emergency comes first.
app.command("cancel", epilog=CANCEL_CODES)(cancel)
app.command("list")(list_bulks)
app.command("show")(show)
app.command("status")(status)
app.command("create")(create)
app.command("simulate")(simulate)
app.command("delete")(delete)
app.command("sandbox")(sandbox)
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
