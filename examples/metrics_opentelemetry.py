"""Metrics and spans for OpenTelemetry, by one hook; see ``docs/metrics-opentelemetry.md``."""

import time

from opentelemetry import metrics, trace
from opentelemetry.trace import SpanKind, Status, StatusCode

from lox24_async import Attempt, Lox24Client

METHODS = {"cancel": "PUT", "create": "POST", "simulate": "POST", "delete": "DELETE"}

seconds = metrics.get_meter("lox24").create_histogram(
    "http.client.request.duration", unit="s", description="Time of one attempt on the wire."
)
tracer = trace.get_tracer("lox24")


def record(attempt: Attempt) -> None:
    """Record an attempt by the semantic conventions for HTTP clients."""
    method = METHODS.get(attempt.operation, "GET")
    labels: dict[str, str | int] = {
        "http.request.method": method,
        "server.address": "api.lox24.eu",
        "lox24.operation": attempt.operation,
    }
    if attempt.status is not None:
        labels["http.response.status_code"] = attempt.status
    if attempt.error is not None:
        labels["error.type"] = type(attempt.error).__name__
    seconds.record(attempt.seconds, labels)

    # The attempt is over: its span gets its times afterwards. It is a child of the span that
    # is current where the cancel was called.
    end = time.time_ns()
    span = tracer.start_span(
        f"lox24 {attempt.operation}",
        kind=SpanKind.CLIENT,
        start_time=end - int(attempt.seconds * 1e9),
        attributes=labels | {"http.request.resend_count": attempt.number - 1},
    )
    if attempt.bulk_id is not None:
        span.set_attribute("lox24.bulk_id", attempt.bulk_id)
    if attempt.request_id is not None:
        span.set_attribute("lox24.request_id", attempt.request_id)
    if attempt.error is not None:
        span.set_status(Status(StatusCode.ERROR, str(attempt.error)))
    span.end(end)


def make_client() -> Lox24Client:
    """Return a client whose attempts are recorded."""
    return Lox24Client(on_attempt=record)
