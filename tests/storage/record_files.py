"""The files of a record, opened anew as another process would."""

from homeostat.storage.records import FileRecords
from homeostat.storage.segments import segments


def opened(folder, **other):
    return FileRecords(folder, writer_id="worker-0", **other)


def ids(folder):
    return opened(folder).read("predictions", "m")["request_id"].to_list()


def files(folder, kind="predictions"):
    return segments(folder / "segments" / kind / "m")
