"""What every system stands on: PostgreSQL with a data set, Redis, and the provider HotelDataAPI."""
import json
import os
import signal
import socket
import subprocess
import time
import urllib.request

import cluster
import measure

BUSINESS_DATE = "2024-06-20"
TEMPLATE, DATABASE = "lastminutestay_template", "lastminutestay"

SETTINGS = """
listen_addresses = ''
unix_socket_directories = '{sockets}'
port = {port}
shared_buffers = 512MB
max_wal_size = 4GB
max_connections = 100
autovacuum = off
"""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Process:
    """Something that runs until it is stopped: its pid is the root of its processes."""

    def __init__(self, world, name, command, environment=None):
        self.name, self.log = name, world.scratch / f"{name}.log"
        with open(self.log, "ab") as out:
            self.process = subprocess.Popen(world.command(*command), stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                                            env=world.environment | (environment or {}), cwd=world.scratch)

    @property
    def pid(self):
        return self.process.pid

    def wait_until(self, answers, seconds=30):
        began = time.monotonic()
        while time.monotonic() < began + seconds:
            if self.process.poll() is not None:
                raise measure.Failed(f"{self.name} ended with {self.process.returncode}:\n{self.tail()}")
            try:
                if answers():
                    return
            except (OSError, ValueError, measure.Failed):
                pass  # not yet
            time.sleep(0.05)
        raise measure.Failed(f"{self.name} is not ready after {seconds} s:\n{self.tail()}")

    def tail(self):
        return "".join(self.log.read_text(errors="replace").splitlines(keepends=True)[-15:])

    def stop(self):
        """Returns when it and all its processes are gone."""
        pids = measure.tree(self.pid)
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            for pid in pids:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
            self.process.wait()


def ask(url, method="GET", body=None, seconds=5):
    request = urllib.request.Request(url, data=body, method=method)
    with urllib.request.urlopen(request, timeout=seconds) as answer:
        return answer.read().decode()


class Backend:
    def __init__(self, world):
        self.world, self.processes = world, []
        self.server = cluster.Server(world, world.fresh("data"), world.fresh("sockets"))
        self.redis_port, self.provider_port = free_port(), free_port()

    def start(self, hotels):
        world = self.world
        world.run(world.programs / "initdb", "-k", "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C",
                  "-D", self.server.data)
        with open(self.server.data / "postgresql.conf", "a") as settings:
            settings.write(SETTINGS.format(sockets=self.server.sockets, port=cluster.PORT))
        self.server.start()
        self.make_template(hotels)
        self.redis = self.run("redis", [
            "redis-server", "--port", self.redis_port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"])
        self.redis.wait_until(lambda: self.redis_says("PING") == "PONG")
        self.provider = self.run("provider", [
            world.scratch / "bin/hotel-data-api", "--port", self.provider_port, "--workers", "1",
            "--state", world.fresh("provider-state"), "--logs", world.fresh("provider-logs")])
        self.provider.wait_until(lambda: ask(self.provider_url("/health")))

    def run(self, name, command):
        self.processes.append(Process(self.world, name, command))
        return self.processes[-1]

    def stop(self):
        for process in reversed(self.processes):
            process.stop()
        if (self.server.data / "postmaster.pid").exists():
            self.server.stop()

    def ours(self, database):
        """The settings of lastminutestay-api that say where things are."""
        return {f"LASTMINUTESTAY_{name}": str(value) for name, value in {
            "POSTGRES_HOST": self.server.sockets, "POSTGRES_PORT": cluster.PORT, "POSTGRES_USER": "postgres",
            "POSTGRES_DATABASE": database, "MIGRATIONS": self.world.scratch / "migrations",
            "BUSINESS_DATE": BUSINESS_DATE, "TOKEN_SECRET_FILE": self.world.scratch / "token.secret"}.items()}

    def command_of_ours(self, *words):
        settings = [f"{name}={value}" for name, value in self.ours(TEMPLATE).items()]
        return self.world.run("env", *settings, self.world.scratch / "bin/lastminutestay-api", *words)

    def make_template(self, hotels):
        self.server.sql(f"create database {TEMPLATE}")
        self.command_of_ours("migrate")
        self.command_of_ours("generate", "--hotels", hotels)
        self.sql(TEMPLATE, "vacuum analyze")

    def fresh_database(self):
        """Everybody begins with the same rows, the same room in the files and an empty cache."""
        self.server.sql(f"drop database if exists {DATABASE} with (force)",
                        f"create database {DATABASE} template {TEMPLATE}", "checkpoint")
        self.redis_says("FLUSHALL")

    def sql(self, database, statement):
        return self.world.run(self.world.programs / "psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-h", self.server.sockets,
                              "-p", cluster.PORT, "-U", "postgres", "-d", database, "-c", statement).strip()

    def redis_says(self, *words):
        return self.world.run("redis-cli", "-p", self.redis_port, *words).strip()

    def provider_url(self, path=""):
        return f"http://127.0.0.1:{self.provider_port}{path}"

    def provider_behaves(self, **behaviour):
        ask(self.provider_url("/admin/behaviour"), "PUT", json.dumps(behaviour).encode())

    def cpu(self):
        return {"postgres_cpu_s": measure.tree_cpu(self.server.pid()), "redis_cpu_s": measure.tree_cpu(self.redis.pid),
                "provider_cpu_s": measure.tree_cpu(self.provider.pid)}
