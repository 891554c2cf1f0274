"""The Celery application that producers and workers share: one queue on Redis, safe against lost workers."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

from celery import Celery

from config.queues import LIVE
from config.redis_url import uses_tls

if TYPE_CHECKING:
    from config.settings import Settings


def make_celery(settings: Settings) -> Celery:
    """Build the application; nothing connects before it is used.

    A task is acknowledged when it is finished. A worker gives signs of life for those it has (`worker.heartbeat`);
    one that dies gives them back after the visibility timeout. Results are never stored: what came of a job stands in
    the object store.
    """
    broker = settings.broker
    url = broker.url.get_secret_value()
    app = Celery("semjpeg", broker=url, set_as_current=False)
    app.conf.update(
        # said here, for what kombu makes of `rediss://` alone is TLS that verifies nothing
        broker_use_ssl={"ssl_cert_reqs": ssl.CERT_REQUIRED} if uses_tls(url) else None,
        accept_content=["json"],
        task_serializer="json",
        task_ignore_result=True,
        task_default_queue=LIVE,
        task_acks_late=True,
        task_reject_on_worker_lost=True,
        worker_prefetch_multiplier=1,
        worker_disable_prefetch=True,
        worker_hijack_root_logger=False,
        worker_redirect_stdouts=False,
        broker_connection_retry_on_startup=True,
        broker_transport_options={
            "queue_order_strategy": "priority",  # a worker empties its first queue before it looks at the next
            "visibility_timeout": broker.visibility_timeout_s,
            "unacked_restore_interval": 5,
            "unacked_restore_throttle": 1,
            "global_keyprefix": broker.key_prefix,
            "health_check_interval": 15,
            "socket_timeout": 20,
            "socket_connect_timeout": 5,
            "socket_keepalive": True,
        },
    )
    return app


def make_observer(settings: Settings) -> Celery:
    """Build an application that asks workers how they are, and neither queues nor takes jobs.

    Whoever waits for an answer would, as kombu does it, also give back what dead workers held. An observer keeps books
    of its own on what is unacknowledged, which are always empty: so it needs no right to touch any job.
    """
    app = make_celery(settings)
    app.conf.broker_transport_options |= {
        name: f"observer.{name.removesuffix('_key')}"
        for name in ("unacked_key", "unacked_index_key", "unacked_mutex_key")
    }
    return app
