"""homeostat status: how each model is, in words."""


def COMMAND() -> None:
    """Say how each model is, in words and a table.

    Example: homeostat status
    """
    from homeostat.app.status import as_json, status
    from homeostat.cli.house import here
    from homeostat.cli.output import coloured, next_step, show, table
    from homeostat.core.states import SHAPES

    found = status(here())
    rows = [
        (m.model, f"{SHAPES[m.state]} {m.state}", m.champion, m.route.canary if m.route else None,
         m.route.shadow if m.route else None, m.data_version, m.quarantined, m.workers)
        for m in found
    ]  # fmt: skip
    words = [f"{coloured(SHAPES[m.state], m.state)} {m.sentence}" for m in found]
    heads = ["model", "state", "champion", "canary", "shadow", "data", "quarantined", "workers"]
    show({"models": [as_json(one) for one in found]}, "\n".join([*words, "", table(heads, rows)]))
    asking = [m.cycle.cycle_id for m in found if m.cycle and not m.cycle.state.is_over and m.cycle.stage == "approval"]
    if asking:
        next_step(f"homeostat cycles approve {asking[0][:12]} --by NAME   (or: refuse)")
    elif all(one.champion is None and one.ready is None for one in found):
        next_step("homeostat train")
    elif not any(one.workers for one in found):
        next_step("homeostat up")
