import pytest
from tests.serve.houses import House
from tests.serve.planes import CHAMPION

from homeostat.storage.records import FileRecords
from homeostat.testing import serving as fakes


@pytest.fixture
def records(tmp_path):
    return FileRecords(tmp_path, writer_id="w")


@pytest.fixture
def plane_of(records):
    planes = []

    def make(models, route=CHAMPION, *, record=records, signature=fakes.BINARY, **options):
        load = models if callable(models) else fakes.Versions(models, signature)
        plane = fakes.PlaneInThread(load, record, fakes.FixedClock(), **options)
        planes.append(plane)
        if route is not None:
            plane.switch(route)
        return plane

    yield make
    for plane in planes:
        assert plane.close(10)
    records.close()


@pytest.fixture
def serve(tmp_path):
    """Return what starts a server; all are ended with the test."""
    houses = []

    def make(models, *route, **settings):
        houses.append(House(tmp_path, models, *route, **settings))
        return houses[-1]

    yield make
    for house in houses:
        house.close()


@pytest.fixture
def house(serve):
    return serve({1: fakes.Says(0.75), 2: fakes.Raises()})
