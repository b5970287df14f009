"""Telling webhooks: a thread that turns the audit log into deliveries and makes them, until each has arrived or never will."""

import json
import logging
import os
import threading
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import timedelta

from homeostat.app.channels import channel_of
from homeostat.app.channels import send as send_alert
from homeostat.app.outbound import Answer, Resolve, post, resolve
from homeostat.core.errors import HomeostatError, Unreachable
from homeostat.core.ports.clock import Clock
from homeostat.core.ports.store import Store
from homeostat.core.webhooks import Delivery, Webhook
from homeostat.registry import webhooks
from homeostat.registry.addresses import OutboundRules, networks_of
from homeostat.watch import alerts

log = logging.getLogger(__name__)

ALLOW_VARIABLE, SCHEMES_VARIABLE = "HOMEOSTAT_WEBHOOK_ALLOW", "HOMEOSTAT_WEBHOOK_SCHEMES"
_AT_ONCE = 4
_KEPT = timedelta(days=30)
_TIMEOUT_S = 10.0


def rules_here() -> OutboundRules:
    """Return whom this installation may call: public addresses by https, and what its settings add."""
    schemes = tuple(part.strip() for part in os.environ.get(SCHEMES_VARIABLE, "https").split(",") if part.strip())
    return OutboundRules(allowed=networks_of(os.environ.get(ALLOW_VARIABLE, "")), schemes=schemes)


def send(
    webhook: Webhook, delivery_id: str, body: str, *, rules: OutboundRules, clock: Clock, resolver: Resolve = resolve
) -> Answer:
    """Make one delivery and return the answer."""
    headers = webhooks.headers_of(delivery_id, body, secret=webhook.secret, now=clock.now())
    return post(webhook.url, body.encode(), headers, rules=rules, timeout_s=_TIMEOUT_S, resolver=resolver)


class Deliverer:
    """Makes deliveries in the background, to webhooks and to the `channels` of alerts (addresses by name, as homeostat.yaml has them).

    Several processes may run one: a delivery may then arrive twice, under the same id.
    """

    def __init__(
        self,
        store: Store,
        clock: Clock,
        *,
        channels: Mapping[str, str] | None = None,
        rules: OutboundRules | None = None,
        resolver: Resolve = resolve,
        every_s: float = 1.0,
    ) -> None:
        self._store = store
        self._channels = {alerts.PREFIX + name: text for name, text in (channels or {}).items()}
        self._clock = clock
        self._rules = rules_here() if rules is None else rules
        self._resolver = resolver
        self._every_s = every_s
        self._stop = threading.Event()
        self._woken = threading.Event()  # by each delivery that ends: the next one of its webhook may begin
        self._thread: threading.Thread | None = None
        self._pool = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="webhook")
        self._under_way: dict[str, Future[None]] = {}

    def start(self) -> None:
        self._thread = threading.Thread(target=self._run, name="webhooks", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Begin no more deliveries. What is under way ends by itself, and is made again at the next start if it did not."""
        self._stop.set()
        self._woken.set()
        if self._thread is not None:
            self._thread.join()
        self._pool.shutdown(wait=False, cancel_futures=True)

    def look(self) -> int:
        """Queue what happened, begin what is due (one per webhook at a time), and return how many were begun."""
        while self._has_news():
            with self._store.write() as tx:
                webhooks.queue(tx, now=self._clock.now())
        if self._channels:
            self._queue_alerts()
        # before what is due is read: a delivery that ends in between would be found due, and made twice
        self._under_way = {key: future for key, future in self._under_way.items() if not future.done()}
        with self._store.read() as tx:
            due = tx.webhooks.due(now=self._clock.now())
            found = {webhook.webhook_id: webhook for webhook in tx.webhooks.all()} if due else {}
        begun = 0
        for delivery in due:
            webhook = found.get(delivery.webhook_id)
            is_known = webhook is not None or delivery.webhook_id in self._channels
            if is_known and delivery.webhook_id not in self._under_way:
                self._under_way[delivery.webhook_id] = self._pool.submit(self._deliver, webhook, delivery)
                begun += 1
        return begun

    def settle(self) -> None:
        """Wait for what is under way."""
        for future in list(self._under_way.values()):
            future.result()

    def _run(self) -> None:
        forgotten = None
        while not self._stop.is_set():
            try:
                begun = self.look()
                now = self._clock.now()
                if forgotten is None or now - forgotten > timedelta(hours=1):
                    with self._store.write() as tx:
                        tx.webhooks.forget_deliveries(before=now - _KEPT)
                    forgotten = now
            except Exception:  # the border of the thread: the next look must come whatever this one met
                log.exception("webhooks.look_failed")
                begun = 0
            (self._woken if begun else self._stop).wait(self._every_s)
            self._woken.clear()

    def _has_news(self) -> bool:
        """Whether there is something to queue, asked without the write lock."""
        with self._store.read() as tx:
            return webhooks.has_news(tx)

    def _queue_alerts(self) -> None:
        """Turn what happened to incidents into deliveries. Channels that were taken away since get nothing more."""
        names = [name.removeprefix(alerts.PREFIX) for name in self._channels]
        is_news = True
        while is_news:
            with self._store.read() as tx:
                is_news = alerts.has_news(tx)
            if is_news:
                with self._store.write() as tx:
                    alerts.queue(tx, names, now=self._clock.now())

    def _deliver(self, webhook: Webhook | None, delivery: Delivery) -> None:
        try:
            self._attempt(webhook, delivery)
        finally:
            self._woken.set()

    def _send(self, webhook: Webhook | None, delivery: Delivery) -> Answer:
        if webhook is None:
            name = delivery.webhook_id.removeprefix(alerts.PREFIX)
            channel = channel_of(name, self._channels[delivery.webhook_id])
            message = json.loads(delivery.body)
            return send_alert(channel, message, delivery.delivery_id, rules=self._rules, resolver=self._resolver)
        return send(
            webhook,
            delivery.delivery_id,
            delivery.body,
            rules=self._rules,
            clock=self._clock,
            resolver=self._resolver,
        )

    def _attempt(self, webhook: Webhook | None, delivery: Delivery) -> None:
        try:
            answer = self._send(webhook, delivery)
            after = webhooks.settled(
                delivery, status=answer.status, error=None, retry_after_s=answer.retry_after_s, now=self._clock.now()
            )
        except Unreachable as error:
            after = webhooks.settled(
                delivery, status=None, error=error.message, retry_after_s=None, now=self._clock.now()
            )
        except HomeostatError as error:
            after = webhooks.refused(delivery, error=error.message, now=self._clock.now())
        if after.error:
            log.warning("webhook.not_delivered", extra={"webhook": delivery.webhook_id, "why": after.error})
        with self._store.write() as tx:
            tx.webhooks.update_delivery(after)
