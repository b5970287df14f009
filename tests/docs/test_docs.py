"""What the documentation says of commands, settings and variables is held against the code."""

import re
import textwrap
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
import yaml
from tests.cli.lines import read

from homeostat.app.explained import WHY, explained
from homeostat.app.project import parse
from homeostat.core.columns import Task
from homeostat.core.duration import Duration
from homeostat.data.settings import DataSettings
from homeostat.retrain.project import Project
from homeostat.retrain.settings import RetrainSettings, Triggers
from homeostat.watch.settings import WatchSettings

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
TEXTS = {page.name: page.read_text(encoding="utf-8") for page in PAGES}
SECTIONS = tuple(field.name for field in msgspec.structs.fields(Project))
EXAMPLE = Project(
    model="sales",
    task=Task.BINARY,
    data=DataSettings(source="sales.parquet", target="sold", time="day", key=["order"]),
    watch=WatchSettings(window=Duration(days=7)),
    retrain=RetrainSettings(triggers=Triggers(new_rows=600)),
)


def blocks() -> Iterator[tuple[str, str]]:
    """Yield (page, text) of everything that is set apart as code."""
    for name, text in TEXTS.items():
        for fenced in re.findall(r"^```\w*\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL):
            yield name, fenced
        for indented in re.findall(r"(?:^    .*\n|^[ ]*\n(?=    ))+", text, flags=re.MULTILINE):
            yield name, textwrap.dedent(indented).strip("\n") + "\n"


def commands(page: str) -> Iterator[tuple[str, bool]]:
    """Yield (line, whether it is a whole one) of a page: whole in blocks, and maybe the command alone in a sentence."""
    for name, block in blocks():
        for line in block.replace("\\\n", " ").splitlines():
            if name == page and re.match(r"homeostat [a-z-]", line):
                yield line.partition("   (")[0], True
    for said in re.findall(r"`(homeostat [^`]+)`", TEXTS[page]):
        yield said, False


def settings() -> Iterator[tuple[str, str]]:
    """Yield (page, YAML) of blocks, and of words in a text, that are a part of homeostat.yaml."""
    for name, block in blocks():
        if re.match(rf"(# .*\n)*({'|'.join(SECTIONS)}):", block):
            yield name, block
    for name, text in TEXTS.items():
        for said in re.findall(rf"`((?:{'|'.join(SECTIONS)}): \S[^`]*)`", text):
            yield name, said


FORM = re.compile(r"[|]|\[|\b(N|K|NAME|COMMAND|VERSION)\b")  # a form with places to fill in is no command line


@pytest.mark.parametrize("page", TEXTS)
def test_every_command_in_it_is_taken_by_the_command(page):
    for line, is_whole in commands(page):
        if FORM.search(line.partition("#")[0]):
            continue
        try:
            read(line, is_whole=is_whole)
        except Exception as error:  # noqa: BLE001 - whatever the command line's library raises
            pytest.fail(f"{page}: {line}: {getattr(error, 'message', error)!r}")


@pytest.mark.parametrize("page", TEXTS)
def test_every_part_of_homeostat_yaml_in_it_loads(page):
    base = {"model": "sales", "task": "binary", "data": {"source": "a.csv", "target": "y", "time": "t", "key": ["k"]}}
    for name, block in settings():
        if name == page:
            given = yaml.safe_load(block)
            data = {**base["data"], "exclude": ["email", "customer"], **given.get("data", {})}
            parse(yaml.safe_dump({**base, **given, "data": data}), name=f"{page}: {block}")


@pytest.mark.parametrize("page", TEXTS)
def test_every_setting_that_it_names_exists(page):
    named = re.findall(rf"`((?:{'|'.join(SECTIONS)})\.[a-z_]+(?:\.[a-z_]+)*)`", TEXTS[page])
    # a file, what a train function gets, and events of the audit log
    others = {
        "model.py",
        "data.frame",
        "data.params",
        "data.seed",
        "data.log_metric",
        "record.erased",
        "record.expired",
    }
    for dotted in sorted({*named} - others):
        assert dotted in WHY, f"{page} names {dotted}, which is no setting"


def test_the_settings_page_is_what_init_writes():
    fenced = re.search(r"^```yaml\n(.*?)^```", TEXTS["settings.md"], flags=re.MULTILINE | re.DOTALL)
    assert fenced is not None
    assert fenced.group(1) == explained(EXAMPLE), "put what `explained(EXAMPLE)` returns into docs/settings.md"


def test_every_variable_of_the_environment_is_documented():
    code = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "src").rglob("*.py"))
    internal = {"HOMEOSTAT_HEART", "HOMEOSTAT_JSON", "HOMEOSTAT_SUPERVISOR_PID"}  # of our processes among themselves
    told = set(re.findall(r"HOMEOSTAT_[A-Z_]+[A-Z]", "".join(TEXTS.values())))
    read_by_code = set(re.findall(r"[\"'](HOMEOSTAT_[A-Z_]+[A-Z])[\"']", code)) - internal
    assert read_by_code <= told, f"not in the documentation: {sorted(read_by_code - told)}"
    assert told <= read_by_code, f"in the documentation, and not in the code: {sorted(told - read_by_code)}"
