"""What every blob store must do."""

import hashlib
from pathlib import Path

import pytest

from homeostat.core.errors import InvalidInput, NotFound
from homeostat.core.ports import BlobStore

ESCAPES = ("../x", "a/../../x", "/etc/passwd", "", ".", "a/./b", "a//b", "a\\b", "a\0b", "a/", "..")


class BlobsContract:
    """Inherit, and return the store under test from `blobs`."""

    def blobs(self, tmp_path: Path) -> BlobStore:
        raise NotImplementedError

    def test_bytes_come_back(self, tmp_path: Path) -> None:
        store = self.blobs(tmp_path)
        store.put_bytes("a/b.bin", b"\x00\xff")
        assert store.get_bytes("a/b.bin") == b"\x00\xff"
        assert store.local("a/b.bin").read_bytes() == b"\x00\xff"
        assert store.exists("a/b.bin")

    def test_a_second_put_replaces_the_first(self, tmp_path: Path) -> None:
        store = self.blobs(tmp_path)
        store.put_bytes("a", b"long content")
        store.put_bytes("a", b"new")
        assert store.get_bytes("a") == b"new"

    def test_what_is_not_there_is_not_found(self, tmp_path: Path) -> None:
        store = self.blobs(tmp_path)
        assert not store.exists("a")
        with pytest.raises(NotFound, match="'a'"):
            store.get_bytes("a")
        with pytest.raises(NotFound, match="'a'"):
            store.local("a")
        store.delete("a")

    def test_deleted_is_gone(self, tmp_path: Path) -> None:
        store = self.blobs(tmp_path)
        store.put_bytes("a/b", b"1")
        store.put_bytes("a/c", b"2")
        store.delete("a/b")
        assert not store.exists("a/b")
        assert store.get_bytes("a/c") == b"2"

    @pytest.mark.parametrize("path", ESCAPES)
    def test_a_path_that_leaves_the_root_is_refused(self, tmp_path: Path, path: str) -> None:
        store = self.blobs(tmp_path)
        with pytest.raises(InvalidInput):
            store.put_bytes(path, b"x")
        with pytest.raises(InvalidInput):
            store.get_bytes(path)
        with pytest.raises(InvalidInput):
            store.delete(path)

    def test_a_tree_comes_back_with_digests(self, tmp_path: Path) -> None:
        store = self.blobs(tmp_path)
        folder = tmp_path / "source"
        (folder / "sub").mkdir(parents=True)
        (folder / "model.bin").write_bytes(b"m")
        (folder / "sub" / "x.json").write_bytes(b"{}")
        digests = store.put_tree("models/1", folder)
        assert digests == {
            "model.bin": hashlib.sha256(b"m").hexdigest(),
            "sub/x.json": hashlib.sha256(b"{}").hexdigest(),
        }
        assert (store.local("models/1") / "sub" / "x.json").read_bytes() == b"{}"
        assert store.get_bytes("models/1/model.bin") == b"m"

    def test_a_tree_is_replaced_whole(self, tmp_path: Path) -> None:
        store = self.blobs(tmp_path)
        for name in ("first", "second"):
            folder = tmp_path / name
            folder.mkdir()
            (folder / name).write_text(name)
            store.put_tree("tree", folder)
        assert not store.exists("tree/first")
        assert store.get_bytes("tree/second") == b"second"

    def test_a_link_in_a_tree_is_refused_and_nothing_is_stored(self, tmp_path: Path) -> None:
        store = self.blobs(tmp_path)
        folder = tmp_path / "source"
        folder.mkdir()
        (folder / "a").write_text("a")
        (folder / "link").symlink_to("/etc/hostname")
        with pytest.raises(InvalidInput, match="link"):
            store.put_tree("tree", folder)
        assert not store.exists("tree")
