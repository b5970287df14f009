"""One serving process: an ASGI application on a port that any number of such processes share, stopped without dropping a request."""

import asyncio
import contextlib
import gc
import logging
import os
import signal
import threading
from collections.abc import Callable, Coroutine
from typing import Any

from homeostat.core.errors import Unreachable
from homeostat.serve.listening import reserved

log = logging.getLogger(__name__)
_THREADS = "/proc/self/task"
_BACKLOG = 1024
_MOST_CONNECTIONS = 8192  # Granian's own bound is 128, idle ones among them: whoever opens so many keeps all others out


def run_worker(
    app: Any,
    *,
    host: str,
    port: int,
    stop: threading.Event | None = None,
    drain_s: float = 5.0,
    on_ready: Callable[[int], None] | None = None,
    beside: Callable[[], Coroutine[Any, Any, None]] | None = None,
) -> bool:
    """Serve until SIGTERM, SIGINT (in the main thread) or `stop`; return whether every request under way was answered.

    After the signal no connection is taken, and requests under way have `drain_s` to end. Where this returns False, a handler still
    hangs in a thread: only `os._exit` ends the process then. Port 0 takes a free one; `on_ready` is called with the port once it
    listens. `beside` runs on the event loop as long as it serves. Raises InvalidInput for a host that has no address here, Unreachable where the port is taken.
    """
    with reserved(host, port) as holder:
        address, bound, *_ = holder.getsockname()
        return asyncio.run(_serve(app, address, bound, stop=stop, drain_s=drain_s, on_ready=on_ready, beside=beside))


async def _serve(
    app: Any,
    address: str,
    port: int,
    *,
    stop: threading.Event | None,
    drain_s: float,
    on_ready: Callable[[int], None] | None,
    beside: Callable[[], Coroutine[Any, Any, None]] | None,
) -> bool:
    from granian.constants import Interfaces
    from granian.server.embed import Server

    before = _native_threads()
    # log_enabled=False also keeps quiet that the embedded server is young; errors of handlers are logged at our border
    server = Server(
        app,
        address=address,
        port=port,
        interface=Interfaces.ASGINL,
        backlog=_BACKLOG,
        backpressure=_MOST_CONNECTIONS,
        log_enabled=False,
        websockets=False,
    )
    serving = asyncio.create_task(server.serve())
    await _listening(address, port, serving)
    runtime = _native_threads() - before
    if on_ready is not None:
        on_ready(port)
    wanted = asyncio.create_task(_stop_wanted(stop))
    running = None if beside is None else asyncio.create_task(beside())
    await asyncio.wait({serving, wanted}, return_when=asyncio.FIRST_COMPLETED)
    wanted.cancel()
    if running is not None:
        running.cancel()
    server.stop()  # type: ignore[no-untyped-call]
    done, _ = await asyncio.wait({serving}, timeout=drain_s)
    if not done:
        log.warning("serve.drain_timed_out", extra={"port": port, "seconds": drain_s})
        serving.cancel()
        await asyncio.wait({serving}, timeout=1.0)
        return False
    serving.result()
    await _gone(runtime)
    return True


async def _listening(address: str, port: int, serving: "asyncio.Task[None]") -> None:
    """Wait until this process itself listens (others may share the port)."""
    import psutil

    process = psutil.Process()
    while True:
        if serving.done():
            error = serving.exception()
            told = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise Unreachable(f"cannot listen on {address} port {port}: {told}") from error
        ports = [each.laddr.port for each in process.net_connections("tcp") if each.status == psutil.CONN_LISTEN]
        if port in ports:
            return
        await asyncio.sleep(0.005)


async def _stop_wanted(stop: threading.Event | None) -> None:
    """Return when a signal comes (the main thread gets them) or the event is set."""
    loop = asyncio.get_running_loop()
    wanted = asyncio.Event()
    signals = (signal.SIGTERM, signal.SIGINT) if threading.current_thread() is threading.main_thread() else ()
    for number in signals:
        loop.add_signal_handler(number, wanted.set)

    def watch(event: threading.Event) -> None:
        event.wait()
        with contextlib.suppress(RuntimeError):  # the loop is closed: it was a signal
            loop.call_soon_threadsafe(wanted.set)

    if stop is not None:
        threading.Thread(target=watch, args=(stop,), name="homeostat-stop", daemon=True).start()
    try:
        await wanted.wait()
    finally:
        for number in signals:
            loop.remove_signal_handler(number)


def _native_threads() -> set[str]:
    """Return the ids of this process's threads; empty where the system does not tell."""
    try:
        return set(os.listdir(_THREADS))  # noqa: PTH208 - ids, not files
    except OSError:
        return set()


async def _gone(threads: set[str]) -> None:
    """Wait, at most two seconds, for threads of the server's runtime: one that outlives the interpreter aborts the process."""
    for waited in range(1000):
        if not threads & _native_threads():
            return
        if waited == 25:
            gc.collect()  # the traceback of a refused request may still hold on to it, and so to the runtime
        await asyncio.sleep(0.002)
