"""What every blob store must do."""

import hashlib
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from homeostat.core.errors import InvalidInput, NotFound
from homeostat.core.ports.blobs import BlobStore

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

    def test_an_upload_is_there_when_its_block_ends(self, tmp_path: Path) -> None:
        store = self.blobs(tmp_path)
        with store.upload("a/big") as file:
            file.write(b"one ")
            assert not store.exists("a/big")
            file.write(b"two")
        assert store.get_bytes("a/big") == b"one two"
        assert store.size("a/big") == 7

    def test_a_broken_upload_leaves_nothing_and_keeps_what_was_there(self, tmp_path: Path) -> None:
        store = self.blobs(tmp_path)
        store.put_bytes("old", b"old")
        for path in ("new/file", "old"):
            with pytest.raises(RuntimeError), store.upload(path) as file:  # noqa: PT012 - the block is the upload
                file.write(b"half")
                raise RuntimeError
        assert not store.exists("new/file")
        assert store.get_bytes("old") == b"old"

    def test_entries_of_a_folder_have_sizes(self, tmp_path: Path) -> None:
        store = self.blobs(tmp_path)
        store.put_bytes("f/b.txt", b"12")
        store.put_bytes("f/a/deep", b"1")
        found = [(entry.name, entry.is_folder, entry.size_bytes) for entry in store.entries("f")]
        assert found == [("a", True, None), ("b.txt", False, 2)]
        assert store.entries("nowhere") == []
        assert store.entries("f/b.txt") == []

    def test_chunks_give_any_range(self, tmp_path: Path) -> None:
        store = self.blobs(tmp_path)
        content = bytes(range(256)) * 20_000
        store.put_bytes("big", content)
        assert b"".join(store.chunks("big")) == content
        assert b"".join(store.chunks("big", start=100, stop=70_000)) == content[100:70_000]
        assert b"".join(store.chunks("big", start=len(content) - 3)) == content[-3:]
        with pytest.raises(NotFound):
            list(store.chunks("nothing"))

    def test_a_file_is_on_this_machine_or_not_given(self, tmp_path: Path) -> None:
        store = self.blobs(tmp_path)
        store.put_bytes("a/b", b"x")
        found = store.file("a/b")
        assert found is None or found.read_bytes() == b"x"
        with pytest.raises(NotFound):
            store.file("a/nothing")
        with pytest.raises(NotFound):
            store.file("a")

    def test_a_path_below_a_file_is_refused(self, tmp_path: Path) -> None:
        store = self.blobs(tmp_path)
        store.put_bytes("file", b"x")
        with pytest.raises(InvalidInput):
            store.put_bytes("file/below", b"y")
        assert store.get_bytes("file") == b"x"

    def test_a_writer_at_work_and_one_that_is_done_leave_nothing_behind(self, tmp_path: Path) -> None:
        store, later = self.blobs(tmp_path), datetime.now(UTC) + timedelta(days=2)
        with store.upload("a") as file:
            file.write(b"1")
            assert store.leftovers(before=later) == []
        store.delete("a")
        assert store.leftovers(before=later) == []
        store.clear([])

    def test_an_entry_says_when_it_was_written(self, tmp_path: Path) -> None:
        store = self.blobs(tmp_path)
        store.put_bytes("t/a", b"1")
        (entry,) = store.entries("t")
        assert entry.changed is not None
        assert abs(entry.changed - datetime.now(UTC)) < timedelta(hours=1)
