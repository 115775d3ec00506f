"""The speed targets: what is compared with what, and what is good enough."""

from dataclasses import dataclass
from operator import ge, le

CPU, RATE, P50, P99, MBS, PEAK = "mid_cpu_s_per_1k", "rate", "p50_us", "p99_us", "mb_s", "mid_hwm_mib"


@dataclass
class Target:
    """A figure of the bridge: key of a case, against the same of base if there
    is one. good compares it with least and with aim. floor is the case of the
    best that could be: what that misses is out of reach."""

    number: str
    what: str
    case: str
    key: str
    base: str
    good: object
    least: float
    aim: float
    unit: str = "x"
    floor: str = ""

    def figure(self, row, base):
        return row[self.key] / base[self.key] if base else row[self.key]

    def verdict(self, figure):
        if self.good(figure, self.aim):
            return "aim"
        return "ok" if self.good(figure, self.least) else "MISSED"

    def bound(self, limit):
        sign = "≥" if self.good is ge else "≤"
        return f"{sign} {limit:g} {self.unit}"


TARGETS = [
    Target("1", "gRPC CallTool, CPU against nethttp", "bridge gRPC", CPU, "nethttp gRPC", le, 1.25, 0.90),
    Target("2", "its rate against nethttp", "bridge gRPC", RATE, "nethttp gRPC", ge, 0.85, 1.05),
    Target("3", "its rate against gosdk", "bridge gRPC", RATE, "gosdk gRPC", ge, 2.0, 2.8),
    Target("4", "one caller, p50 against nethttp", "bridge gRPC, 1 caller", P50, "nethttp gRPC, 1 caller", le, 1.15, 1.0),
    Target("5", "REST CallTool, CPU against nethttp", "bridge REST", CPU, "nethttp REST", le, 2.0, 1.4),
    Target("6", "stdio, rate against mcp-go's client alone", "bridge stdio", RATE, "mcp-go stdio", ge, 0.5, 0.8,
           floor="bare stdio"),
    Target("6", "its rate against bare stdio", "bridge stdio", RATE, "bare stdio", ge, 0.6, 0.85),
    Target("7", "1 MiB of text, one caller, MB/s against raw", "bridge, 1 MiB", MBS, "raw, 1 MiB", ge, 0.6, 0.85),
    Target("8", "10 MiB x 4, peak RSS against raw", "bridge, 4 x 10 MiB", PEAK, "raw, 4 x 10 MiB", le, 1.5, 1.0),
    Target("9", "10 kB structured, CPU of Struct against text", "structured, Struct", CPU, "structured, text", le, 2.0, 1.3),
    Target("10", "ListTools of 100 (80 kB), CPU against gosdk", "bridge list", CPU, "gosdk list", le, 0.3, 0.1),
    Target("11", "watched idle session, RSS", "idle, watched", "rss_kib_each", "", le, 45, 25, "KiB"),
    Target("11", "watched idle session, goroutines", "idle, watched", "goroutines_each", "", le, 4.05, 3.05, "each"),
    Target("12", "idle session, RSS", "idle", "rss_kib_each", "", le, 12, 4, "KiB"),
    Target("12", "idle session, goroutines", "idle", "goroutines_each", "", le, 1.05, 0.05, "each"),
    Target("13", "p99 of 100 active, 10,000 open against 100", "100 of 10,000 sessions", P99, "100 of 100 sessions", le, 1.5, 1.1),
    Target("14", "CPU with tracing against without", "traced gRPC", CPU, "bridge gRPC", le, 1.4, 1.2),
    Target("15", "cold start to the first answer of the demo", "cold start", "cold_ms", "", le, 500, 150, "ms"),
    Target("16", "CPU at 256 callers against 64", "bridge gRPC, 256 callers", CPU, "bridge gRPC", le, 1.1, 1.0),
    Target("16", "CPU with 1,000 servers configured against 2", "bridge gRPC, 1,000 servers", CPU, "bridge gRPC", le, 1.1, 1.0),
]
