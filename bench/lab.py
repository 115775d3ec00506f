"""The programs that are measured: starting, finding and stopping them."""

import json
import os
import socket
import subprocess
import time

PORTS = {  # of what a program listens on first; its other ports follow
    "upstream": 7901, "events": 7903, "collector": 7905, "bridge": 7910, "traced": 7915, "many": 7925, "crowd": 7935,
    "nethttp": 7940, "gosdk": 7945, "raw": 7950, "big raw": 7955, "big bridge": 7960, "cold": 7965,
    "stdio": 7970,
}
MCP = f"http://127.0.0.1:{PORTS['upstream']}/mcp"


def at(program, offset=0):
    """The address of a program's port."""
    return f"127.0.0.1:{PORTS[program] + offset}"


class Lab:
    """Starts programs when they are first needed. Whoever made it closes it."""

    def __init__(self, binaries, directory):
        self.bin, self.dir, self.running = binaries, directory, {}

    def close(self):
        for name in list(self.running):
            self.stop(name)

    def stop(self, name):
        process = self.running.pop(name)
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def pid(self, name):
        """The pid of a program, which runs from now on."""
        if name not in self.running:
            self.running[name] = self._start(name)
        return self.running[name].pid

    def sessions(self):
        """The process sessions that all our programs and their children are in."""
        return ",".join(str(process.pid) for process in self.running.values())

    def config(self, name, servers):
        path = os.path.join(self.dir, f"{name}.json")
        with open(path, "w", encoding="utf-8") as file:
            json.dump({"mcpServers": servers}, file)
        return path

    def bridge_command(self, name):
        """The command line of a bridge."""
        servers = {"up": {"url": MCP}}
        if name == "bridge":
            servers["local"] = {"command": f"{self.bin}/upstream", "args": ["-stdio"]}
        if name == "crowd":
            servers["up"]["url"] = f"http://{at('events')}/mcp"
        if name == "many":
            servers |= {f"s{i}": {"url": MCP} for i in range(999)}
        config = [] if name == "cold" else ["--mcp-config", self.config(name, servers)]
        return [f"{self.bin}/mcpbridge", *config, "--log-level", "warn",
                "--grpc-addr", at(name), "--http-addr", at(name, 1), "--admin-addr", at(name, 2)]

    def _start(self, name):
        env = {key: value for key, value in os.environ.items() if not key.startswith(("OTEL_", "MCPBRIDGE_"))}
        if name == "upstream":
            command = [f"{self.bin}/upstream", "-listen", at(name)]
        elif name == "events":
            command = [f"{self.bin}/upstream", "-listen", at(name), "-sse-get"]
        elif name == "collector":
            command = [f"{self.bin}/collector", "-listen", at(name)]
        elif name in ("nethttp", "gosdk", "raw", "big raw", "stdio"):
            command = [f"{self.bin}/passthru", "-backend", name.removeprefix("big "), "-url", MCP, "-cmd", f"{self.bin}/upstream -stdio",
                       "-listen", at(name), "-rest", at(name, 1)]
        else:
            command = self.bridge_command(name)
            env["MCPBRIDGE_ADMIN_PPROF"] = "true"
        if name == "crowd":
            env["MCPBRIDGE_SESSIONS_MAX"] = "20000"
        if name == "traced":
            env |= {"OTEL_TRACES_SAMPLER": "always_on", "OTEL_TRACES_EXPORTER": "otlp", "OTEL_METRICS_EXPORTER": "none",
                    "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf", "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://{at('collector')}"}
        return self._spawn(name, command, env)

    def _spawn(self, name, command, env):
        log = os.path.join(self.dir, f"{name}.log")
        with open(log, "a", encoding="utf-8") as out:
            # In a session of its own, which its children are in too: so their
            # load is told from that of others.
            process = subprocess.Popen(command, stdout=out, stderr=out, env=env, start_new_session=True)
        deadline = time.monotonic() + 20
        while not listens(PORTS[name]):
            if process.poll() is not None or time.monotonic() > deadline:
                process.kill()
                with open(log, encoding="utf-8") as file:
                    raise RuntimeError(f"{name} does not run: {file.read()[-500:]}")
            time.sleep(0.02)
        return process


def listens(port):
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
        return True
    except OSError:
        return False


def busy_cores(seconds=2.0):
    """How many cores the whole machine keeps busy while nothing of ours runs."""
    def used():
        with open("/proc/stat", encoding="utf-8") as file:
            fields = [int(field) for field in file.readline().split()[1:9]]
        return (sum(fields) - fields[3] - fields[4]) / os.sysconf("SC_CLK_TCK")

    before, began = used(), time.monotonic()
    time.sleep(seconds)
    return (used() - before) / (time.monotonic() - began)
