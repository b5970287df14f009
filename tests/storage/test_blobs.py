from pathlib import Path

import pytest

from homeostat.core.errors import InvalidInput
from homeostat.storage.blobs import LocalBlobs
from homeostat.testing.contracts.blobs import BlobsContract


class TestLocalBlobs(BlobsContract):
    def blobs(self, tmp_path: Path) -> LocalBlobs:
        return LocalBlobs(tmp_path / "store")

    def test_a_link_that_leads_out_is_refused(self, tmp_path):
        store = self.blobs(tmp_path)
        outside = tmp_path / "outside"
        outside.mkdir()
        (outside / "secret").write_text("s")
        store.put_bytes("a", b"a")
        (store.root / "link").symlink_to(outside)
        with pytest.raises(InvalidInput, match="symbolic link"):
            store.get_bytes("link/secret")
        with pytest.raises(InvalidInput, match="symbolic link"):
            store.put_bytes("link/new", b"x")
        assert not (outside / "new").exists()

    def test_nothing_is_left_in_staging(self, tmp_path):
        store = self.blobs(tmp_path)
        store.put_bytes("folder/a", b"a")
        with pytest.raises(InvalidInput, match="is a folder"):
            store.put_bytes("folder", b"a")
        store.delete("folder")
        assert list((store.root / ".staging").iterdir()) == []
