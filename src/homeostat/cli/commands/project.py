"""homeostat project: what homeostat.yaml says, and whether it can be."""

import typer

COMMAND = typer.Typer(help="homeostat.yaml: its schema, its meaning, its mistakes.", no_args_is_help=True)


@COMMAND.command()
def schema() -> None:
    """Print the JSON Schema of homeostat.yaml, for editors.

    Example: homeostat project schema
    """
    import json

    from homeostat.app.project import schema as describe
    from homeostat.cli.output import show

    found = describe()
    show(found, json.dumps(found, indent=2))


@COMMAND.command("show")
def show_() -> None:
    """Print the whole project as it counts, defaults included.

    Example: homeostat project show
    """
    from homeostat.app import yaml_text
    from homeostat.app.explained import builtins
    from homeostat.cli.house import place
    from homeostat.cli.output import show

    found = builtins(place().project)
    show(found, yaml_text.write(found).rstrip())


@COMMAND.command()
def check() -> None:
    """Check homeostat.yaml and whether the data have the columns that it names; mistakes are named by line or column.

    Example: homeostat project check
    """
    from homeostat.app.checking import check_project
    from homeostat.cli.house import place
    from homeostat.cli.output import next_step, show

    found = check_project(place())
    show(found, f"{found['file']} is sound: {found['rows']:,} rows of {found['source']} fit it")
    next_step("homeostat train")
