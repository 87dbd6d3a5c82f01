"""A host's figures in the text that Prometheus reads: `GET /metrics`.

The names follow Prometheus' rules; every label has few values: a namespace of the application, or one
of an enum of ours. Nothing is counted here: figures are read where they are when they are asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder

from .http import Response
from .metric_families import (
    binding_families,
    event_families,
    host_families,
    loop_families,
    tally_families,
)
from .survey import survey

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from prometheus_client.core import Metric

    from .host import Host


class Collector:
    """Gives a registry the families that were made for one answer."""

    def __init__(self, families: Iterable[Metric]) -> None:
        self._families = list(families)

    def collect(self) -> Iterator[Metric]:
        """All of them."""
        yield from self._families


async def metrics_response(host: Host, accept: str) -> Response:
    """The figures of one host. `accept`: the header of the request, which chooses between Prometheus'
    own text and OpenMetrics. StorageError: storage is closed, or broken."""
    present = await survey(host.engine)
    # Not those of classes that a deploy took away: another one may be bound by their name.
    served = {namespace.number for namespace in host.namespaces.values()}
    meters = {number: meter for number, meter in host.observer.meters.items() if number in served}
    families = [
        *event_families(list(meters.values())),
        *binding_families(meters, present),
        *tally_families(list(meters.values())),
        *loop_families(host),
        *host_families(host),
    ]
    registry = CollectorRegistry(auto_describe=False)
    registry.register(Collector(families))
    encode, content_type = choose_encoder(accept)
    return Response(encode(registry), headers={"content-type": content_type})
