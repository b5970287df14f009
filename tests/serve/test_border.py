import pytest

from homeostat.core.errors import NotAllowed
from homeostat.serve.border import Hosts


class Asked:
    def __init__(self, host):
        self.headers = {"host": host}


def test_names_that_the_environment_adds_are_known_and_no_others(monkeypatch):
    monkeypatch.setenv("HOMEOSTAT_ALLOWED_HOSTS", "churn-inference, churn-inference.ml.svc")
    hosts = Hosts("0.0.0.0")
    hosts.check(Asked("churn-inference.ml.svc:8700"))
    hosts.check(Asked("10.0.0.7:8700"))
    with pytest.raises(NotAllowed):
        hosts.check(Asked("evil.example"))


def test_without_names_in_the_environment_only_its_own_are_known(monkeypatch):
    monkeypatch.delenv("HOMEOSTAT_ALLOWED_HOSTS", raising=False)
    with pytest.raises(NotAllowed):
        Hosts("127.0.0.1").check(Asked("churn-inference"))
