from pathlib import Path

from tests.app.receiver import receiver


def name_channels(at, **channels: str) -> None:
    path = Path(at.folder) / "homeostat.yaml"
    lines = "".join(f"  {name}: {url}\n" for name, url in channels.items())
    path.write_text(path.read_text().replace("# alerts: {}", "") + f"\nalerts:\n{lines}")


def test_a_test_message_tells_whether_it_was_taken(shell, monkeypatch):
    monkeypatch.setenv("HOMEOSTAT_WEBHOOK_ALLOW", "127.0.0.1")
    monkeypatch.setenv("HOMEOSTAT_WEBHOOK_SCHEMES", "http")
    shell.init()
    assert shell("alerts", "test").status == 3
    with receiver() as fine, receiver() as broken:
        broken.answer = lambda _n: (404, {})
        monkeypatch.setenv("OPS_ALERTS", f"{fine.url}?token=SECRET")
        name_channels(shell, ops="$OPS_ALERTS", team=f"{broken.url}?token=SECRET")
        said = shell("alerts", "test", "--json")
        one = shell.ok("alerts", "test", "ops")
        listed = shell.ok("alerts", "list", "--json")
        shown = shell.ok("project", "show")
        unknown = shell("alerts", "test", "nobody")
    assert said.status == 1
    assert [(each["name"], each["is_sent"], each["because"]) for each in said.json] == [
        ("ops", True, "taken"),
        ("team", False, "answered 404"),
    ]
    assert len(fine.got) == 2
    assert unknown.status == 3
    assert [each["kind"] for each in listed.json] == ["http", "http"]
    assert "SECRET" not in said.out + said.err + one.out + listed.out + shown.out
    assert "$OPS_ALERTS" in shown.out
