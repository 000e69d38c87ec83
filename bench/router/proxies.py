"""Starts the proxies of the benchmark and the service behind them, each pinned to its cores."""
import http.client
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import time

HERE = pathlib.Path(__file__).parent
NGINX = "/usr/sbin/nginx"
SET_HEADERS = """
    proxy_set_header X-Pourover-Track $upstream;
    proxy_set_header X-Pourover-Unit $cookie_pourover_id;
    proxy_set_header X-Pourover-Start $msec;
"""
TRACKS = ("STABLE1", "STABLE2", "CANARY1", "CANARY2")
CHECK = "pourover_check http uri=/ interval=2s timeout=1s;"
WATCH = {"slow_us": [100_000, 1_000_000], "hang_ms": 10_000, "sample": 64, "kinds": ["4xx", "3xx"]}
FLEET = 20  # further peers that the service behind has


def free_port():
    """A free port of 127.0.0.1 below those that outgoing connections use."""
    low = int(pathlib.Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    for port in range(10240 + os.getpid() % 97 + 100 * free_port.calls, max(low, 20000)):
        free_port.calls += 1
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue
    raise RuntimeError("no free port on 127.0.0.1")


free_port.calls = 0


def wait_until(condition, what, seconds=30):
    """Returns what the condition returns once it is true; an error names what was waited for."""
    deadline = time.monotonic() + seconds
    while not (result := condition()):
        if time.monotonic() > deadline:
            raise RuntimeError(f"waited {seconds} s in vain for {what}")
        time.sleep(0.01)
    return result


def render(template, to, values):
    """Writes a configuration with @NAME@ filled in."""
    text = (HERE / template).read_text()
    to.write_text(re.sub(r"@(\w+)@", lambda match: str(values[match[1]]), text))


def processes(pid):
    """The process and all below it."""
    try:
        children = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return []
    return [pid, *(each for child in children for each in processes(int(child)))]


class Server:
    """A program that listens. command: a function of the directory that returns its arguments."""

    def __init__(self, directory, cores, port, command, environment=None):
        self.directory, self.port = directory, port
        self.log = open(directory / "output", "wb")
        self.process = subprocess.Popen(
            command(directory),
            stdout=self.log,
            stderr=self.log,
            env={**os.environ, **(environment or {})},
            preexec_fn=lambda: os.sched_setaffinity(0, cores),
        )
        try:
            wait_until(self.listens, f"{command(directory)[0]} to listen; see {directory}/output")
        except RuntimeError:
            self.stop()
            raise

    def listens(self):
        """Whether it takes connections; an error if it has ended instead."""
        if self.process.poll() is not None:
            output = (self.directory / "output").read_text(errors="replace")
            raise RuntimeError(f"{self.process.args[0]} ended with {self.process.returncode}:\n{output[-2000:]}")
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def cpu_ns(self):
        """CPU time of all its threads so far."""
        total = 0
        for pid in processes(self.process.pid):
            for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
                total += int((task / "schedstat").read_text().split()[0])
        return total

    def get(self, path, cookie=None):
        """Status, headers and body of one answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        connection.request("GET", path, headers={"Cookie": cookie} if cookie else {})
        response = connection.getresponse()
        body = response.read()
        connection.close()
        return response.status, response.headers, body

    def put(self, path, value):
        """Sends JSON; an error unless it is taken."""
        self.send("PUT", path, value)

    def patch(self, path, value):
        """The same by PATCH."""
        self.send("PATCH", path, value)

    def send(self, method, path, value):
        """Sends JSON by any method; an error unless it is taken."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        connection.request(method, path, json.dumps(value), {"Content-Type": "application/json"})
        response = connection.getresponse()
        body = response.read()
        connection.close()
        if response.status != 200:
            raise RuntimeError(f"{method} {path}: {response.status} {body!r}")

    def stop(self):
        """Ends the program; kills what is left of it after five seconds."""
        left = processes(self.process.pid)
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            for pid in left:
                os.kill(pid, signal.SIGKILL)
            self.process.wait()
        self.log.close()


def nginx(template, directory, cores, values):
    """An NGINX with one worker for each of the cores. values: what the template needs, at least its port."""
    directory.mkdir(parents=True)
    masks = " ".join(format(1 << core, "b") for core in sorted(cores))
    main = f"daemon off; worker_processes {len(cores)}; worker_cpu_affinity {masks};"
    render("common.conf", directory / "common.conf", {})
    render(template, directory / "nginx.conf", {"MAIN": main, **values})
    return Server(
        directory,
        cores,
        values.get("PORT", values["STABLE1"]),
        lambda place: [NGINX, "-p", place, "-e", place / "error.log", "-c", place / "nginx.conf"],
    )


def plain(directory, cores, peers, set_headers=""):
    """Stock NGINX with split_clients. set_headers: lines for its server."""
    return nginx("plain.conf", directory, cores, {"PORT": free_port(), "SET": set_headers, **peers})


def pourover(directory, cores, peers, module, headers="on", more="", size="8m", state="state=state/router.json", judged=True):
    """NGINX with the module. more: further services. judged: with health checks, slow start, events and samples."""
    values = {"PORT": free_port(), "MODULE": module, "HEADERS": headers, "MORE": more, "SIZE": size, "STATE": state}
    values |= {"CHECK": CHECK, "SERVICE": "slow_start=1s"} if judged else {"CHECK": "", "SERVICE": ""}
    server = nginx("pourover.conf", directory, cores, {**values, **peers})
    if judged:
        server.put("/pourover/v1/services/router/watch", WATCH)
    return server


def haproxy(directory, cores, peers):
    """HAProxy with a cut of the same kind."""
    directory.mkdir(parents=True)
    values = {"PORT": free_port(), "DIR": directory, **peers}
    render("haproxy.cfg", directory / "haproxy.cfg", values)
    (directory / "share.map").write_text("share 300000\n")
    return Server(directory, cores, values["PORT"], lambda place: ["haproxy", "-db", "-f", place / "haproxy.cfg"])


def caddy(directory, cores, peers):
    """Caddy, on as many threads as it has cores."""
    directory.mkdir(parents=True)
    values = {"PORT": free_port(), **peers}
    render("Caddyfile", directory / "Caddyfile", values)
    return Server(
        directory,
        cores,
        values["PORT"],
        lambda place: ["caddy", "run", "--adapter", "caddyfile", "--config", place / "Caddyfile"],
        {"GOMAXPROCS": str(len(cores)), "HOME": str(directory), "XDG_DATA_HOME": str(directory)},
    )


def backend(directory, cores):
    """The service behind the proxies: (server, ports of its peers, ports of its further peers)."""
    peers = {name: free_port() for name in TRACKS}
    fleet = [free_port() for _ in range(FLEET)]
    listen = "".join(f"listen 127.0.0.1:{port};" for port in fleet)
    return nginx("backend.conf", directory, cores, {"FLEET": listen, **peers}), {**peers, "FLEET": fleet}


def many_services(services, peers, ports):
    """Configuration of so many further services with so many peers each."""
    lines = []
    for service in range(services):
        lines.append(f"upstream other{service} {{ pourover zone=main share=1%;")
        lines += [f"server 127.{1 + service % 250}.{1 + peer}.1:{ports['STABLE1']};" for peer in range(peers)]
        lines.append("keepalive 4; }")
    return "\n".join(lines)


def checked_services(services, ports):
    """Configuration of so many further services with health checks, each with all the further peers."""
    servers = "".join(f"server 127.0.0.1:{port};" for port in ports["FLEET"])
    names = (f"upstream fleet{service}" for service in range(services))
    return "\n".join(f"{name} {{ pourover zone=main share=1%; {servers} {CHECK} keepalive 4; }}" for name in names)
