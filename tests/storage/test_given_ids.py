from datetime import UTC, datetime

NOW = datetime(2026, 1, 2, tzinfo=UTC)


def test_an_id_that_is_given_is_kept_and_never_given_out_again(store):
    with store.write() as tx:
        assert tx.experiments.create("seven", now=NOW, experiment_id="7") == "7"
        assert tx.experiments.create("three", now=NOW, experiment_id="3") == "3"
    with store.write() as tx:
        made = [tx.experiments.create(f"e{i}", now=NOW) for i in range(6)]
    assert len({*made, "7", "3", "0"}) == 9
