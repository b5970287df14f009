"""The key under which the record hashes personal columns: made at first use, read by this user only."""

import os
import secrets
import stat
from contextlib import suppress
from pathlib import Path

from homeostat.core.errors import InvalidInput, NotFound

VARIABLE = "HOMEOSTAT_RECORD_KEY_FILE"
FILE = "record.key"
_BYTES = 32


def find(state: Path) -> bytes | None:
    """Return the key; None where none was made yet. Raises InvalidInput for a file that cannot be one."""
    named = os.environ.get(VARIABLE)
    path = Path(named) if named else state / FILE
    try:
        is_shared = bool(path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO))
        key = path.read_bytes()
    except FileNotFoundError as error:
        if named:
            raise NotFound(f"{VARIABLE} names a file that is not there", hint="it holds 32 random bytes") from error
        return None
    except OSError as error:
        raise InvalidInput(f"the key of the record cannot be read: {error.strerror}", hint=f"look at {path}") from error
    if is_shared and not named:  # a secret that a cluster mounts has the modes that the cluster gives it
        raise InvalidInput(f"others may read {path}, the key of the record", hint=f"chmod 600 {path}")
    if len(key) < _BYTES:
        raise InvalidInput(
            f"{path} has {len(key)} bytes: it is not the key of the record",
            hint="put back the one from your backup: without it, hashed keys in the record mean nobody",
        )
    return key


def find_or_make(state: Path, *, is_shared: bool) -> bytes:
    """Return the key, a new one where there is none. Processes that come at once get the same.

    `is_shared`: several machines write one record, so none of them may make up a key of its own: raises InvalidInput then.
    """
    key = find(state)
    if key is not None:
        return key
    if is_shared:
        raise InvalidInput(
            "record.hash needs one key for all machines that share a record",
            hint=f"write 32 random bytes into a file, as a secret, and name it in {VARIABLE} on each of them",
        )
    state.mkdir(exist_ok=True, mode=0o700)
    draft = state / f"{FILE}.{secrets.token_hex(8)}"
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(secrets.token_bytes(_BYTES))
            file.flush()
            os.fsync(file.fileno())
        with suppress(FileExistsError):
            (state / FILE).hardlink_to(draft)  # whole or not at all, and the first one wins
    finally:
        draft.unlink()
    found = find(state)
    assert found is not None
    return found
