"""Finding an address to listen on, shared by every process that serves."""

import contextlib
import socket
from collections.abc import Iterator

from homeostat.core.errors import InvalidInput, Unreachable


@contextlib.contextmanager
def reserved(host: str, port: int) -> Iterator[socket.socket]:
    """Yield a socket that is bound and does not listen yet, so that errors come early and port 0 gets a number.

    Any number of processes may bind the same port: the kernel shares out connections among those that listen. Raises InvalidInput for a host
    that has no address here, Unreachable where the port is taken.
    """
    try:
        family, kind, _, _, where = socket.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM)[0]
    except (socket.gaierror, UnicodeError, OverflowError) as error:
        raise InvalidInput(
            f"'{host}' port {port} is no address: {error}", hint="set serve.host to 127.0.0.1"
        ) from error
    with socket.socket(family, kind) as holder:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        try:
            holder.bind(where)
        except (OSError, OverflowError) as error:
            raise Unreachable(
                f"cannot listen on {host} port {port}: {error}", hint="set serve.host and serve.port to free ones"
            ) from error
        yield holder
