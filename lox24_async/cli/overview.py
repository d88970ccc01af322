"""What the program does, in words: its commands, an example of each, and the page that lists them.

Nothing of the command line is imported for that page: it is there at once.
"""

import shutil
import textwrap
from collections.abc import Sequence
from typing import Final

from .exits import EXIT_CODES, ExitCode

ABOUT: Final = "Stop SMS campaigns (bulks) at the LOX24 gateway, and see what became of each."
COMMANDS: Final = {  # in the help's order: what is needed in an emergency comes first
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

EXAMPLES: Final = {
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

FLAGS: Final = {
    "--help, -h": "Display this message and exit.",
    "--install-completion": "Install completion for the current shell.",
    "--show-completion": "Show completion for the current shell.",
    "--version": "Display application version.",
}
_GAP: Final = 2 + max(map(len, FLAGS)) + 2  # before what is said of each


def paragraphs(name: str) -> list[str]:
    """Return a command's help; the first paragraph says in one line what it does."""
    return [" ".join(part.split()) for part in COMMANDS[name].split("\n\n")]


def answer(words: Sequence[str]) -> ExitCode | None:
    """Print all commands, if that is what was typed; who types nothing gets them, and a 2."""
    if words and list(words) not in (["--help"], ["-h"]):
        return None
    print(page(shutil.get_terminal_size().columns))
    return ExitCode.DONE if words else ExitCode.USAGE


def page(width: int) -> str:
    """Return all commands and exit codes, in lines of so many characters."""
    said = {name: paragraphs(name)[0] for name in COMMANDS} | FLAGS
    gap = _GAP if width >= 2 * _GAP else 6
    fill = textwrap.TextWrapper(width, subsequent_indent=" " * gap, break_on_hyphens=False)
    rows = [fill.fill(f"  {name:{gap - 4}}  {text}") for name, text in said.items()]
    about = textwrap.fill(ABOUT, width)
    return "\n".join(
        ["Usage: lox24 COMMAND", "", about, "", "Commands:", *rows, "", EXIT_CODES.rstrip()]
    )
