"""Counters of the gateway, for Prometheus."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)


class Metrics:
    """What one gateway has answered since it started."""

    def __init__(self) -> None:
        self._registry = registry = CollectorRegistry()
        self._requests = Counter(
            "ppocr_gateway_requests", "Answers.", ("route", "status"), registry=registry
        )
        self._refused = Counter(
            "ppocr_gateway_refused", "Errors by their code.", ("route", "code"), registry=registry
        )
        self._seconds = Histogram(
            "ppocr_gateway_request_seconds",
            "From a request's head to the end of its answer.",
            ("route",),
            buckets=SECONDS,
            registry=registry,
        )
        self.in_progress = Gauge(
            "ppocr_gateway_requests_in_progress", "Requests being answered.", registry=registry
        )

    def count(self, route: str, status: int, seconds: float) -> None:
        """Count an answer."""
        self._requests.labels(route, str(status)).inc()
        self._seconds.labels(route).observe(seconds)

    def count_refusal(self, route: str, code: str) -> None:
        """Count an error."""
        self._refused.labels(route, code).inc()

    def text(self) -> bytes:
        """All of it in Prometheus' text format."""
        return generate_latest(self._registry)
