"""What is measured: one run of loadgen each, in every round."""

from dataclasses import dataclass, field

from lab import PORTS, at

TOOL = f"http://{at('bridge', 1)}/v1/servers/up/tools/echo:call"
STRUCTURED = ["-tool", "record", "-args", '{"rows":95}', "-want", "rows", "-want-items", "95"]
BIG = ["-tool", "blob", "-want", "quick brown fox"]


@dataclass
class Case:
    """A run of loadgen with args against program."""

    program: str  # whose CPU and memory count
    args: list
    needs: list = field(default_factory=list)  # programs that must run beside upstream
    fresh: bool = False  # the program is started for this run alone
    once: bool = False  # in the first round only, which is exact enough


def bridge(program, *args, mode="bridge", **options):
    return Case(program, ["-mode", mode, "-target", at(program), *args], **options)


def passthru(program, *args, method="Call", **options):
    return Case(program, ["-mode", "grpc-bytes", "-target", at(program), "-method", f"/perf.Bridge/{method}", *args], **options)


def crowd(*args, **options):
    return bridge("crowd", "-admin", f"http://{at('crowd', 2)}", *args, needs=["events"], fresh=True, **options)


def cases(lab):
    """All cases, in the order of measurement: what is compared is next to each other."""
    return {
        "bridge gRPC": bridge("bridge", "-c", "64"),
        "nethttp gRPC": passthru("nethttp", "-c", "64"),
        "gosdk gRPC": passthru("gosdk", "-c", "64"),
        "traced gRPC": bridge("traced", "-c", "64", needs=["collector"]),
        "bridge gRPC, 256 callers": bridge("bridge", "-c", "256"),
        "bridge gRPC, 1,000 servers": bridge("many", "-c", "64"),
        "bridge gRPC, 1 caller": bridge("bridge", "-c", "1"),
        "nethttp gRPC, 1 caller": passthru("nethttp", "-c", "1"),
        "bridge REST": Case("bridge", ["-mode", "rest", "-c", "64", "-url", TOOL, "-body", '{"arguments":{"m":"hello world"}}']),
        "nethttp REST": Case("nethttp", ["-mode", "rest", "-c", "64", "-url", f"http://{at('nethttp', 1)}/v1/bytes"]),
        "bridge stdio": bridge("bridge", "-c", "64", "-bridge-target", "servers/local"),
        "bare stdio": passthru("stdio", "-c", "64"),
        "mcp-go stdio": Case("", ["-mode", "mcp-go", "-c", "64", "-cmd", f"{lab.bin}/upstream -stdio"]),
        "bridge, 1 MiB": bridge("bridge", "-c", "1", "-args", '{"kib":1024}', *BIG),
        "raw, 1 MiB": passthru("raw", "-c", "1", "-args", '{"kib":1024}', "-want", "quick brown fox", method="CallBlob"),
        "bridge, 4 x 10 MiB": bridge("big bridge", "-c", "4", "-args", '{"kib":10240}', *BIG, fresh=True),
        "raw, 4 x 10 MiB": passthru("big raw", "-c", "4", "-args", '{"kib":10240}', "-want", "quick brown fox", method="CallBlob", fresh=True),
        "structured, Struct": bridge("bridge", "-c", "64", "-json-text=false", *STRUCTURED),
        "structured, text": bridge("bridge", "-c", "64", *STRUCTURED),
        "bridge list": bridge("bridge", "-c", "16", "-json-text=false", mode="bridge-list"),
        "gosdk list": bridge("gosdk", "-c", "16", "-json-text=false", "-list-method", "/perf.Bridge/ListTools", mode="bridge-list"),
        "100 of 100 sessions": crowd("-sessions", "100", "-c", "100", mode="bridge-owned"),
        "100 of 10,000 sessions": crowd("-sessions", "10000", "-c", "100", mode="bridge-owned"),
        "idle, watched": crowd("-sessions", "2500", "-watch", mode="bridge-idle", once=True),
        "idle": crowd("-sessions", "5000", mode="bridge-idle", once=True),
        "cold start": Case("", ["-mode", "bridge-cold", "-target", at("cold"), "-bridge-target", "servers/demo", "-tool", "calculate",
                                "-args", '{"operation":"multiply","a":6,"b":7}', "-want", "42", "-cmd", " ".join(lab.bridge_command("cold"))], once=True),
    }


assert len(set(PORTS.values())) == len(PORTS)
