"""`homeostat NOUN VERB`."""

import sys
from collections.abc import Sequence
from typing import Any

from homeostat.cli.border import inside_the_border
from homeostat.core.errors import InvalidInput


def main(argv: Sequence[str] | None = None) -> None:
    """Run a command and leave the process with its exit status."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    sys.exit(run(arguments))


def run(arguments: list[str]) -> int:
    """Run a command and return its exit status."""
    from homeostat.cli import output

    if "--json" in arguments:
        arguments = [argument for argument in arguments if argument != "--json"]
        output.use_json()
    if arguments in (["--version"], ["-V"]):
        from homeostat import __version__

        output.show({"version": __version__}, f"homeostat {__version__}")
        return 0
    return inside_the_border(lambda: _dispatch(arguments))


def _dispatch(arguments: list[str]) -> int:
    import typer

    from homeostat.cli import output
    from homeostat.cli.commands import application

    # typer carries a click of its own from 0.16 on, so its errors are found through what typer exports
    usage_error: Any = next(kind for kind in typer.BadParameter.__mro__ if kind.__name__ == "ClickException")
    try:
        result = application()(arguments, standalone_mode=False, prog_name="homeostat")
    except typer.Exit as leaving:
        return int(leaving.exit_code)
    except typer.Abort as error:
        raise KeyboardInterrupt from error
    except usage_error as error:
        if type(error).__name__ == "NoArgsIsHelpError":
            output.show({"help": str(error)}, str(error))
            return InvalidInput.exit_status
        context = getattr(error, "ctx", None)
        command = "homeostat" if context is None else context.command_path
        return output.fail(InvalidInput(error.format_message().rstrip(), hint=f"`{command} --help` shows how"))
    return result if isinstance(result, int) else 0
