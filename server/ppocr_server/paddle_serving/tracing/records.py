"""What happened to requests since the tracer last asked."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class Records:
    """Latencies of all requests, in milliseconds, and the ids of those that failed."""

    latencies: list[float] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)

    def add(self, request_id: str, succeeded: bool, milliseconds: float) -> None:
        """Note the end of one request."""
        self.latencies.append(milliseconds)
        if not succeeded:
            self.failed.append(request_id)

    def take(self) -> Records:
        """Return what was noted and begin anew."""
        taken = Records(self.latencies, self.failed)
        self.latencies, self.failed = [], []
        return taken
