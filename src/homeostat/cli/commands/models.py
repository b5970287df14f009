"""homeostat models: versions, and which of them answers."""

from typing import Annotated, Literal

import typer

COMMAND = typer.Typer(help="Versions of the model, and which of them answers.", no_args_is_help=True)

_Which = Annotated[
    str, typer.Argument(metavar="[NAME[@ALIAS|@VERSION]]", help="As in sales@champion, sales@3, @challenger, 3.")
]


@COMMAND.command("list")
def list_() -> None:
    """Show every version of every model, with aliases.

    Example: homeostat models list
    """
    from homeostat.cli.house import here
    from homeostat.cli.output import next_step, show, table

    rows = []
    with here().store.read() as tx:
        for name in tx.models.models():
            aliases = tx.models.aliases(name)
            for version in tx.models.versions(name):
                known = ", ".join(alias for alias, number in aliases.items() if number == version.version)
                passed = None if version.report_id is None else tx.models.report(version.report_id).passed
                gate = {True: "passed", False: "FAILED", None: None}[passed]
                rows.append(
                    (name, version.version, known or None, gate, version.health, version.created, version.run_id[:12])
                )
    names = ["model", "version", "aliases", "gate", "health", "registered (UTC)", "run"]
    keys = ["model", "version", "aliases", "gate", "health", "created", "run"]
    show([dict(zip(keys, row, strict=True)) for row in rows], table(names, rows) if rows else "no version yet")
    if not rows:
        next_step("homeostat train")


@COMMAND.command("show")
def show_(which: _Which = "@champion") -> None:
    """Show one version: signature, lineage, files. Default: the champion.

    Example: homeostat models show 3
    """
    from homeostat.app.promoting import which_version
    from homeostat.cli.house import here
    from homeostat.cli.output import show
    from homeostat.cli.told import version_text
    from homeostat.registry.evaluated import compiled_report, environment_told, told

    house = here()
    found = which_version(house, which)
    report = compiled_report(found, blobs=house.blobs)
    environment = environment_told(found, blobs=house.blobs, environments=house.project.serve.environments)
    show(found, version_text(found, None if report is None else told(report), environment))


@COMMAND.command()
def card(which: _Which = "@champion") -> None:
    """Print the model card of a version, as Markdown.

    Example: homeostat models card 3
    """
    from homeostat.app.promoting import which_version
    from homeostat.cli.house import here
    from homeostat.cli.output import show
    from homeostat.registry.card import card as describe

    house = here()
    found = which_version(house, which)
    with house.store.read() as tx:
        text = describe(tx, found)
    show({"card": text}, text.rstrip())


@COMMAND.command()
def register(run: Annotated[str, typer.Argument(help="A run's id, or its first digits.")]) -> None:
    """Make a version of a finished run, whatever the gate said of it; promotion still demands a passed report or --force.

    Example: homeostat models register 298124f8bf89
    """
    from homeostat.app.promoting import register_run
    from homeostat.cli.house import here
    from homeostat.cli.output import next_step, show

    found = register_run(here(), run)
    show(found, f"{found.model} version {found.version} is run {found.run_id[:12]}; it gets no traffic yet")
    next_step(f"homeostat models promote {found.version}")


@COMMAND.command()
def promote(
    version: Annotated[str, typer.Argument(help="A version's number, or an alias as in challenger.")],
    *,
    force: Annotated[str | None, typer.Option(help="A reason to go past the gate; the audit log keeps it.")] = None,
) -> None:
    """Let a version answer all requests; returns when every live worker has switched.

    Example: homeostat models promote 2
    """
    from homeostat.app.promoting import promote as use_case
    from homeostat.cli.house import here
    from homeostat.cli.output import busy, show
    from homeostat.cli.told import moved_text, say_serving

    house = here()
    with busy("switching"):
        moved = use_case(house, version, force=force)
    show(moved, moved_text(moved))
    say_serving(house, moved)


@COMMAND.command()
def rollback(
    *, reason: Annotated[str, typer.Option(help="Why; the audit log keeps it.")] = "rolled back by hand"
) -> None:
    """Put the previous champion back; returns when every live worker has switched.

    Example: homeostat models rollback --reason 'complaints from the shop'
    """
    from homeostat.app.promoting import roll_back
    from homeostat.cli.house import here
    from homeostat.cli.output import busy, show
    from homeostat.cli.told import moved_text, say_serving

    house = here()
    with busy("switching"):
        moved = roll_back(house, reason=reason)
    show(moved, moved_text(moved))
    say_serving(house, moved)


@COMMAND.command()
def adopt(
    version: Annotated[
        str, typer.Argument(metavar="NAME@VERSION", help="A version that a client registered: fraud@3, fraud@best, 3.")
    ],
    *,
    because: Annotated[str, typer.Option(help="Why; the audit log keeps it.")] = "",
    force: Annotated[str | None, typer.Option(help="A reason to go past the gate; the audit log keeps it.")] = None,
    wait: Annotated[
        bool, typer.Option("--wait", help="Return when the cycle is over; exit code 1 unless promoted.")
    ] = False,
) -> int:
    """Ask for a cycle that judges a registered version and puts it to work, instead of training one.

    Example: homeostat models adopt fraud@3 --wait
    """
    from homeostat.app.adopting import ask_to_adopt
    from homeostat.cli.asked import tell
    from homeostat.cli.house import here

    house = here()
    cycle, is_served = ask_to_adopt(house, version, because=because, force=force, must_be_served=wait)
    return tell(house, cycle, wait=wait, is_served=is_served)


_Because = Annotated[str, typer.Option(help="Why; the audit log keeps it.")]
_Force = Annotated[str | None, typer.Option(help="A reason to go past the gate; the audit log keeps it.")]


@COMMAND.command()
def route(
    *,
    segment: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=VALUE[,...]@VERSION", help="As in region=north@3, key=acme@2; may be repeated."),
    ] = None,
    because: _Because = "set by hand",
    force: _Force = None,
) -> None:
    """Set which segments of requests a version of their own answers, the first that fits; without --segment: none.

    Example: homeostat models route --segment region=north@3
    """
    from homeostat.app.route_rules import as_json, set_segments
    from homeostat.cli.house import here
    from homeostat.cli.output import busy, show
    from homeostat.cli.told import rules_text

    with busy("switching"):
        ruled = set_segments(here(), segment or [], because=because, force=force)
    show(as_json(ruled), rules_text(ruled))


@COMMAND.command()
def split(
    shares: Annotated[list[str] | None, typer.Argument(metavar="VERSION=PERCENT...", help="As in 1=30 2=70.")] = None,
    *,
    policy: Annotated[
        Literal["fixed", "thompson"], typer.Option(help="thompson: shares follow the rewards that labels bring.")
    ] = "fixed",
    reward: Annotated[
        Literal["correct", "label"], typer.Option(help="correct: right answers, small errors; label: its own value.")
    ] = "correct",
    floor: Annotated[float, typer.Option(min=0.0, max=0.5, help="The share that each version keeps.")] = 0.05,
    because: _Because = "set by hand",
    force: _Force = None,
) -> None:
    """Share the keys among versions, each key always with the same version; without shares: end the split.

    Example: homeostat models split 1=30 2=70
    """
    from homeostat.app.route_rules import Following, as_json, set_split
    from homeostat.cli.house import here
    from homeostat.cli.output import busy, show
    from homeostat.cli.told import rules_text

    with busy("switching"):
        following = Following(reward=reward, floor=floor) if policy == "thompson" else None
        ruled = set_split(here(), shares or [], because=because, force=force, following=following)
    show(as_json(ruled), rules_text(ruled))
