"""Metrics for Prometheus, by one hook; see ``docs/metrics-prometheus.md``."""

from prometheus_client import Counter, Histogram

from lox24_async import Attempt, Lox24Client

SECONDS = Histogram(
    "lox24_attempt_seconds",
    "Time of one attempt on the wire.",
    ("operation", "result"),
    buckets=(0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60),
)
RETRIES = Counter("lox24_retries_total", "Attempts that another one followed.", ("operation",))


def count(attempt: Attempt) -> None:
    """Count an attempt. No bulk id in a label: there are millions."""
    result = type(attempt.error).__name__ if attempt.error else "ok"
    SECONDS.labels(attempt.operation, result).observe(attempt.seconds)
    if attempt.will_retry:
        RETRIES.labels(attempt.operation).inc()


def make_client() -> Lox24Client:
    """Return a client whose attempts are counted."""
    return Lox24Client(on_attempt=count)
