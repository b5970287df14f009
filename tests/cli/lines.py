"""Command lines as documentation writes them, read by the commands' own parsers and never run."""

import shlex

import typer

from homeostat.cli.commands import application


def _walk(group, path=()):
    for name, command in group.commands.items():
        yield (*path, name), command
        if hasattr(command, "commands"):
            yield from _walk(command, (*path, name))


COMMANDS = dict(_walk(typer.main.get_command(application())))


def read(line: str, *, is_whole: bool = True) -> None:
    """Raise what the command itself would say of an argument or option that it does not take; without `is_whole`, some may be missing."""
    words = [word for word in shlex.split(line.partition(" > ")[0], comments=True) if word != "--json"]
    assert words.pop(0) == "homeostat", line
    path, command = (), None
    while words and (*path, words[0]) in COMMANDS:
        path = (*path, words.pop(0))
        command = COMMANDS[path]
    if command is None:
        assert words in (["COMMAND", "--help"], ["--help"], ["--version"]), line
        return
    if words == ["--help"]:
        return
    if hasattr(command, "commands"):
        assert not words, f"{line}: no command `{words[0]}`"
        assert not is_whole, f"{line}: what of it?"
        return
    try:
        command.make_context(" ".join(path), words)
    except typer.BadParameter as error:
        if is_whole or type(error).__name__ != "MissingParameter":
            raise
