"""Reading ids for the command line: pure functions from bytes to ids and bad lines."""

import pytest

from lox24_async.cli.reading.ids import collect, from_arguments, from_file

A = "da0fa78c-4699-11ea-a637-96000028b339"
B = "11111111-2222-3333-4444-555555555555"
C = "abcdefab-cdef-abcd-efab-cdefabcdefab"


def read(data: bytes | str) -> tuple[tuple[str, ...], list[str]]:
    """Return the ids and the bad lines of a file named ``f``."""
    raw = data if isinstance(data, bytes) else data.encode()
    ids = collect(from_file(raw, "f"))
    return ids.good, [f"{line.where}: {line.problem}" for line in ids.bad]


@pytest.mark.parametrize(
    ("data", "good"),
    [
        ("", ()),
        ("# only a comment\n\n   \n", ()),
        (f"{A}\n{B}\n", (A, B)),
        (f"{A}\r\n{B}", (A, B)),
        (f"{A}\r{B}\r", (A, B)),
        (f"  {A}\t\n\n# note\n{B}  # the second\n", (A, B)),
        (f"{A}\n{B}\n{A.upper()}\n", (A, B)),
        (f"'{A}',\n\"{B}\";\n", (A, B)),
        (f"uuid\n{A}\n{B}\n", (A, B)),
        (f"bulk_id,state\n{A},too late\n", (A,)),
        (f"id,UUID ,text\n1,{A},x\n\n# gone: 2\n3,{B},y\n", (A, B)),
        (f"uuid;text\n{A};a, b\n", (A,)),
        (f"text\tuuid\nx\t{A}\n", (A,)),
        (f'uuid,text\n{A},"two\nlines, and a ""quote"""\n{B},x\n', (A, B)),
        (f'"uuid","text"\n"{A}","x"\n', (A,)),
        (f'# export\n\nuuid,text\n{A},"# x"\n', (A,)),
        (f'{{"uuid": "{A}", "text": "a"}}\n{{"uuid":"{B}"}}\n', (A, B)),
        (f'{{"bulk_id": "{A}", "state": "unknown"}}\n', (A,)),
        (f'{{"uuid": "{A}", "bulk_id": "{B}"}}\n', (B,)),
        (f'{A}\n{{"uuid": "{B}"}}\n', (A, B)),
        (f'[\n{{"uuid": "{A}"}},\n{{"bulk_id": "{B}"}}\n]\n', (A, B)),
        (f'  ["{A}", "{B}", "{A}"]', (A, B)),
        ("[]", ()),
    ],
)
def test_all_sane_kinds_of_files_give_their_ids(data: str, good: tuple[str, ...]) -> None:
    """Lines, comments, CSV and NDJSON are read; each distinct id is there once, in order."""
    assert read(data) == (good, [])


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("head", ["", "uuid\r\n", "# Müller\r\n"])
def test_the_encodings_of_other_systems_are_read(encoding: str, head: str) -> None:
    """A byte order mark, and PowerShell's UTF-16, are no hindrance."""
    assert read((head + f"{A}\r\n{B}\r\n").encode(encoding)) == ((A, B), [])


@pytest.mark.parametrize(
    ("data", "good", "bad"),
    [
        (f"{A}\nrubbish\n{B}\n", (A, B), ["f line 2: no bulk id: 'rubbish'"]),
        (f"\n# x\n{A[:-1]}\n{B}", (B,), [f"f line 3: no bulk id: '{A[:-1]}'"]),
        (f"{{{A}}}\n{B}", (B,), ["f line 1: broken JSON"]),
        (f'{{"uuid": "{A}"\n{B}', (B,), ["f line 1: broken JSON"]),
        (f'{{"id": "{A}"}}\n{B}', (B,), ["f line 1: no uuid in the JSON object"]),
        (f'{{"uuid": null}}\n{B}', (B,), ["f line 1: no uuid in the JSON object"]),
        (f'{{"uuid": "x"}}\n{B}', (B,), ["f line 1: no bulk id: 'x'"]),
        (
            f'[{{"uuid": "{A}"}}, {{}}, 7, "x", [], "{B}"]',
            (A, B),
            [
                "f item 2: no uuid in the JSON object",
                "f item 3: no uuid in the JSON object",
                "f item 4: no bulk id: 'x'",
                "f item 5: no uuid in the JSON object",
            ],
        ),
        (
            f'[\n{{"uuid": "{A}"}},\n{{"uuid":',
            (A,),
            ["f line 1: no bulk id: '['", "f line 3: broken JSON"],
        ),
        ("[" * 100_000, (), [f"f line 1: no bulk id: '{'[' * 60}…'"]),
        (f"{{{'[' * 100_000}\n{B}", (B,), ["f line 1: broken JSON"]),
        (
            f"uuid,n\n{A}\n{B},1\n,2\n",
            (B,),
            ["f line 2: 1 cells, but the header has 2", "f line 4: no bulk id: ''"],
        ),
        (f"n,uuid\n{A}\n1,{B}\n", (B,), ["f line 2: 1 cells, but the header has 2"]),
        (
            f"uuid,text\n{A},a, b\n{B},x\n",
            (B,),
            ["f line 2: 3 cells, but the header has 2"],
        ),
        (
            f'uuid,text\n{A},"never closed\n{B},x\n{C},y\n',
            (B, C),
            ["f line 2: broken CSV (unexpected end of data)"],
        ),
        (
            f'"uuid",text\n"{A},x\n{B},y\n"{C},z\n',
            (B,),
            [
                "f line 2: broken CSV (',' expected after '\"')",
                "f line 4: broken CSV (unexpected end of data)",
            ],
        ),
        (f"Stop these, please:\n{A}\n", (A,), ["f line 1: no bulk id: 'Stop these, please:'"]),
        (f"x\x1b[31m\x00\n{A}", (A,), ["f line 1: no bulk id: 'x\\x1b[31m\\x00'"]),
        ("x" * 500, (), [f"f line 1: no bulk id: '{'x' * 60}…'"]),
        (b"\xff\xffabc\n" + A.encode(), (A,), ["f line 1: no bulk id: '\ufffd\ufffdabc'"]),
    ],
)
def test_a_bad_line_is_named_by_number_and_the_rest_goes_on(
    data: bytes | str, good: tuple[str, ...], bad: list[str]
) -> None:
    """No bad line is silent, none stops or swallows another, none reaches the terminal raw."""
    assert read(data) == (good, bad)


def test_a_row_that_lacks_its_id_is_never_read_as_an_id() -> None:
    """An id in another column names another thing: it must not be cancelled."""
    assert read(f"group,uuid\n{A}\n{B},\n") == (
        (),
        ["f line 2: 1 cells, but the header has 2", "f line 3: no bulk id: ''"],
    )


def test_repeated_ids_are_counted() -> None:
    """What is left out because it was there before is known."""
    ids = collect(from_arguments([A, B, A.upper(), B]))
    assert (A, B) == ids.good
    assert ids.repeated == 2


def test_bad_arguments_are_named_by_position() -> None:
    """A bad id on the command line is told like one in a file."""
    ids = collect(from_arguments([A, "../sms", B]))
    assert (A, B) == ids.good
    assert [f"{line.where}: {line.problem}" for line in ids.bad] == [
        "argument 2: no bulk id: '../sms'"
    ]


@pytest.mark.parametrize("line", ["1234567:c4n4ry-c4n4ry", " 1:abcdefgh # mine"])
def test_case_32_a_token_among_the_ids_is_not_quoted(line: str) -> None:
    """Whoever takes the token file for the id file does not find the token in the log."""
    good, bad = read(f"{line}\n{A}\n")
    assert good == (A,)
    assert bad == ["f line 1: no bulk id, but what looks like a token; others may have seen it"]
