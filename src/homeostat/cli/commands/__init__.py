"""The commands: one file each, with a constant COMMAND (a function, or a Typer of verbs below a noun). Discovered, never listed."""

import typer

from homeostat.core.plugins import modules

_HELP = """Keeps machine-learning models accurate in production.

Every command takes --json (result as JSON on stdout, errors as JSON on stderr).
Exit codes: 0 done; 1 a check failed; 2 wrong usage; 3 not found; 4 not allowed; 5 unreachable; 6 conflict; 70 our bug."""


def application() -> typer.Typer:
    """Return the command line with every command that this package holds."""
    app = typer.Typer(
        help=_HELP, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None
    )
    for module_name, module in modules(__name__, __path__).items():
        command = module.COMMAND
        name = module_name.rstrip("_").replace("_", "-")
        if isinstance(command, typer.Typer):
            app.add_typer(command, name=name)
        else:
            app.command(name)(command)
    return app
