"""The program: its commands by name, their help, and what is wrong with a line.

A command's module is imported when it is needed.
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
from .overview import ABOUT, COMMANDS, EXAMPLES, FLAGS, answer, paragraphs
from .text import mask

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions

_Shell = Literal["bash", "zsh", "fish", "powershell"]


def _epilogue(name: str) -> str:
    """Return a command's examples and its exit codes."""
    lines = [f"  {line}\n      # {said}" for said, line in EXAMPLES[name]]
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
    help=ABOUT,
    help_epilogue=EXIT_CODES,
    help_format="plaintext",
    help_formatter=_Columns(),
    version=f"lox24 {__version__}",
    group_parameters=Group("Options", sort_key=1),
    # The last of a repeated option counts, so that an alias can be overridden.
    default_parameter=Parameter(negative=(), show_default=False, allow_repeating=True),
)
for _place, _name in enumerate(COMMANDS):
    app.command(
        f"lox24_async.cli.commands.{_name}:{_name}",
        name=_name,
        help="\n\n".join(paragraphs(_name)),
        sort_key=_place,
        help_epilogue=_epilogue(_name),
    )
app.register_install_completion_command(  # pyright: ignore[reportUnknownMemberType]
    help=FLAGS["--install-completion"]
)


@app.command(name="--show-completion", help=FLAGS["--show-completion"])
def _show_completion(shell: _Shell | None = None) -> None:
    print(app.generate_completion(shell=shell))


def run(line: Sequence[str] | None = None) -> ExitCode:
    """Run the command that was typed behind ``lox24``: by default, this program's arguments."""
    words = sys.argv[1:] if line is None else list(line)
    if (code := answer(words)) is not None:
        return code
    words = _with_value("--resume", words)
    try:
        with interruptible_import():
            execute, bound = bind(words)
    except CycloptsError as error:
        command = " ".join(("lox24", *(error.command_chain or ())))
        print(f"Error: {mask(str(error))}\nTry '{command} --help'.", file=sys.stderr)
        return ExitCode.USAGE
    done: ExitCode | None = execute(*bound.args, **bound.kwargs)
    return ExitCode.DONE if done is None else done


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
