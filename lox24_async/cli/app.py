"""The program: its commands by name, their help, and what is wrong with a line.

Light, so that the help is there at once: a command's module is imported when it is needed.
"""

import sys
from collections.abc import Callable, Sequence
from inspect import BoundArguments
from typing import TYPE_CHECKING, Final, Literal

from cyclopts import App, CycloptsError, Group, Parameter
from cyclopts.help import HelpPanel, PlainFormatter

from lox24_async import __version__

from . import interruptible_import
from .exits import CANCEL_CODES, EXIT_CODES, ExitCode
from .text import mask

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions

_Shell = Literal["bash", "zsh", "fish", "powershell"]
_COMMANDS: Final = {  # in the help's order: what is needed in an emergency comes first
    "cancel": """Cancel bulks: what they have not sent yet will not be sent.

        The token is read from LOX24_AUTH_TOKEN or --token-file, never from the command line,
        where others could see it. Ctrl-C stops cleanly; what is left stands in the journal, and
        --resume goes on with it. A cancel cannot be undone.""",
    "list": """List bulks: those that meet all filters, the oldest first.

        In a terminal the newest first, fifty unless --limit or --all. They are written as the
        pages arrive.""",
    "runs": """List what cancel did before: its journals, the newest first.

        When each began, how many bulks are in which state, and whether it is finished.""",
    "report": """Write what a run did, to hand in: who, when, what, and what became of each bulk.

        The same journal gives the same bytes. Times are UTC.""",
    "show": """Show all that LOX24 knows about a bulk, text and recipients included.

        Times are this machine's, with the offset from UTC.""",
    "status": """See where bulks stand.

        With --watch a table that is kept up to date in a terminal; in a pipe, a line for each
        change, until all are final.""",
    "create": """Send a campaign: its messages cost money.

        Shows what will be sent and asks. If the answer is lost nothing is repeated: then look
        with lox24 list whether the bulk is there before you send it again.""",
    "simulate": """Let LOX24 check a campaign, and say what it would cost; nothing is sent.

        That LOX24 can do so is documented; where, and what it answers, is inferred.""",
    "delete": """Delete bulks for good. This cannot be undone.

        A deleted bulk also disappears from the itemised bill, and LOX24 accepts no complaint
        about it any more. It is not documented whether deleting stops what is being sent:
        cancel first.""",
    "doctor": """See whether LOX24 can be reached, and how: one request.

        Tells the version, the address, where the token comes from (the client id only), the
        proxy, what the guard knows, how long an answer takes, and whether this machine's
        clock is right. Exit code 0, 3 (token refused), 4 (IP blocked) or 5 (not reached).""",
    "sandbox": """Run a gateway on this machine to try things out on.

        It speaks as LOX24 does, over plain HTTP, to this machine only, and for programs in any
        language. Its bulks are made up; some wait, some are being sent, some are over. Ctrl-C
        ends it.""",
    "demo": """See it work, without an account or a network.

        Runs a gateway on this machine for a few seconds: 250 bulks of all kinds, a wrong token,
        a service that fails in mid-run. Every number shown is checked; if one is wrong, the
        exit code is 1.""",
}


_EXAMPLES: Final = {
    "cancel": (
        ("stop one bulk, now", "lox24 cancel e26b7c8b-731b-401b-91be-36dd1f4ee1f3"),
        ("stop all of a sender; shows them, and asks", "lox24 cancel --matching --sender-is Shop"),
        (
            "unasked, and what is still to come",
            "lox24 cancel --matching --text SALE --yes --for 30m",
        ),
        ("stop those in a file", "lox24 cancel --file ids.txt"),
        ("go on after a crash or Ctrl-C", "lox24 cancel --resume"),
    ),
    "list": (
        ("what is running now", "lox24 list --running"),
        ("the largest of today", "lox24 list --order messages --descending --created-from 1d"),
        ("stop what it shows", "lox24 list --running -o ndjson | lox24 cancel --file -"),
    ),
    "runs": (("which runs are unfinished", "lox24 runs"),),
    "report": (
        ("the newest run", "lox24 report"),
        ("to print or to mail", "lox24 report --format html > report.html"),
    ),
    "show": (
        ("all of a bulk", "lox24 show 4e5de266-b43f-47ae-858f-448a7f1679d5"),
        (
            "what had gone out",
            "lox24 show 4e5de266-b43f-47ae-858f-448a7f1679d5 --messages --sent",
        ),
    ),
    "status": (
        ("watch two bulks stop", "lox24 status --watch ID1 ID2"),
        ("those in a file", "lox24 status --file ids.txt"),
    ),
    "create": (
        (
            "in two hours",
            "lox24 create --sender Shop --text 'Open again.' --phones-file p.csv --at +2h",
        ),
    ),
    "simulate": (
        ("what it would cost", "lox24 simulate --sender Shop --text Hi --phone +491701234567"),
    ),
    "delete": (("one bulk, for good", "lox24 delete 4e5de266-b43f-47ae-858f-448a7f1679d5"),),
    "doctor": (("is it us, the network, or LOX24?", "lox24 doctor"),),
    "sandbox": (
        ("50 bulks to play with", "lox24 sandbox"),
        ("behind a rate limit", "lox24 sandbox --rate-limit 50 --refuse-with 429"),
        ("in mid-deploy", "lox24 sandbox --ingress-404 3"),
    ),
    "demo": (("250 bulks, a wrong token, a storm", "lox24 demo"),),
}


def _epilogue(name: str) -> str:
    """Return a command's examples and its exit codes."""
    lines = [f"  {line}\n      # {said}" for said, line in _EXAMPLES[name]]
    codes = CANCEL_CODES if name == "cancel" else EXIT_CODES
    return "\n".join(["Examples:", *lines, "", codes])


class _Columns(PlainFormatter):
    """Prints the help in two columns, without control codes: as readable in a pipe."""

    def __call__(self, console: "Console", options: "ConsoleOptions", panel: HelpPanel) -> None:
        from rich.table import Table  # noqa: PLC0415  only the help needs rich here
        from rich.text import Text  # noqa: PLC0415

        del options
        if not panel.entries:
            return
        grid = Table.grid(padding=(0, 2, 0, 0))
        grid.add_column(max_width=32)
        grid.add_column()
        for entry in panel.entries:
            notes = [f"choices: {', '.join(entry.choices)}"] if entry.choices else []
            notes += [f"default: {entry.default}"] if entry.default not in (None, "None") else []
            notes += [f"env: {name}" for name in entry.env_var or ()]
            notes += ["required"] if entry.required else []
            said = " ".join(str(entry.description.primary_renderable).split())
            more = f" [{'; '.join(notes)}]" if notes else ""
            grid.add_row("  " + ", ".join(entry.display_labels_with_metavar), Text(said + more))
        console.print(f"{panel.title}:", grid, "", sep="\n", markup=False, highlight=False)


app: Final = App(
    name="lox24",
    help="Stop SMS campaigns (bulks) at the LOX24 gateway, and see what became of each.",
    help_epilogue=EXIT_CODES,
    help_format="plaintext",
    help_formatter=_Columns(),
    version=f"lox24 {__version__}",
    group_parameters=Group("Options", sort_key=1),
    # The last of a repeated option counts, so that an alias can be overridden.
    default_parameter=Parameter(negative=(), show_default=False, allow_repeating=True),
)
for _place, (_name, _help) in enumerate(_COMMANDS.items()):
    app.command(
        f"lox24_async.cli.commands.{_name}:{_name}",
        name=_name,
        help="\n\n".join(" ".join(part.split()) for part in _help.split("\n\n")),
        sort_key=_place,
        help_epilogue=_epilogue(_name),
    )
app.register_install_completion_command(  # pyright: ignore[reportUnknownMemberType]
    help="Install completion for the current shell."
)


@app.command(name="--show-completion", help="Show completion for the current shell.")
def _show_completion(shell: _Shell | None = None) -> None:
    print(app.generate_completion(shell=shell))


def run(line: Sequence[str] | None = None) -> ExitCode:
    """Run the command that was typed behind ``lox24``: by default, this program's arguments."""
    words = sys.argv[1:] if line is None else list(line)
    if not words:
        app.help_print([])
        return ExitCode.USAGE
    words = _with_value("--resume", words)
    try:
        with interruptible_import():
            execute, bound = bind(words)
    except CycloptsError as error:
        command = " ".join(("lox24", *(error.command_chain or ())))
        print(f"Error: {mask(str(error))}\nTry '{command} --help'.", file=sys.stderr)
        return ExitCode.USAGE
    code: ExitCode | None = execute(*bound.args, **bound.kwargs)
    return ExitCode.DONE if code is None else code


def bind(words: Sequence[str]) -> tuple[Callable[..., ExitCode | None], BoundArguments]:
    """Return the command that a line names, and its arguments.

    Raises:
        CycloptsError: the line is wrong.
    """
    command, bound, _ = app.parse_args(words, exit_on_error=False, print_error=False)
    return command, bound


def _with_value(option: str, words: list[str]) -> list[str]:
    """Give an option that may stand alone an empty value."""
    return [
        f"{word}=" if word == option and (not rest or rest.startswith("-")) else word
        for word, rest in zip(words, [*words[1:], ""], strict=True)
    ]
