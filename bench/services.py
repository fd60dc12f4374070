"""The systems that are compared: how each is started, and what it is. A row here is a row of the page."""
from dataclasses import dataclass, field

import backend
import cluster

WORKERS = 2
BREAKER = {"timeout_ms": 800, "failure_percent": 50, "minimum_calls": 10, "open_ms": 5000}


@dataclass
class Service:
    key: str
    title: str
    peer: str = ""  # the folder below bench/peers/node; "": lastminutestay-api
    settings: dict = field(default_factory=dict)
    hangs: bool = True  # plays in the story of the hanging provider
    loads: bool = True  # plays under load

    def start(self, stand):
        self.port = backend.free_port()
        make = self.of_node if self.peer else self.of_ours
        command, environment = make(stand)
        process = backend.Process(stand.world, self.key, command, environment | self.settings)
        process.wait_until(lambda: is_ready(self.url("/monitoring/health")))
        return process

    def url(self, path=""):
        return f"http://127.0.0.1:{self.port}{path}"

    def of_ours(self, stand):
        world = stand.world
        command = [world.scratch / "bin/lastminutestay-api", "--port", self.port, "--workers", WORKERS,
                   "--state", world.fresh("state"), "--logs", world.fresh("logs")]
        where = {"LASTMINUTESTAY_REDIS_PORT": str(stand.redis_port),
                 "LASTMINUTESTAY_PROVIDER_PORT": str(stand.provider_port)}
        numbers = {"PROVIDER_DEADLINE": f"{BREAKER['timeout_ms']}ms", "BREAKER_OPEN_FOR": f"{BREAKER['open_ms']}ms",
                   "BREAKER_FAILURE_PERCENT": BREAKER["failure_percent"],
                   "BREAKER_MINIMUM_CALLS": BREAKER["minimum_calls"]}
        return command, stand.ours(backend.DATABASE) | where | {
            f"LASTMINUTESTAY_{name}": str(value) for name, value in numbers.items()}

    def of_node(self, stand):
        world = stand.world
        node = world.scratch / "node"
        sockets = stand.server.sockets
        return [node / "node_modules/.bin/pm2-runtime", "start", node / "ecosystem.config.cjs"], {
            "PEER": self.peer, "PM2_HOME": str(world.fresh("pm2")), "PORT": str(self.port),
            "LOGS": str(world.fresh("logs")), "BUSINESS_DATE": backend.BUSINESS_DATE,
            "DATABASE_URL": f"postgres://postgres@localhost:{cluster.PORT}/{backend.DATABASE}?host={sockets}",
            "REDIS_URL": f"redis://127.0.0.1:{stand.redis_port}", "PROVIDER_URL": stand.provider_url(),
            "TOKEN_SECRET_FILE": str(world.scratch / "token.secret"),
            "PROVIDER_TIMEOUT_MS": str(BREAKER["timeout_ms"]),
            "BREAKER_FAILURE_PERCENT": str(BREAKER["failure_percent"]),
            "BREAKER_MINIMUM_CALLS": str(BREAKER["minimum_calls"]), "BREAKER_OPEN_MS": str(BREAKER["open_ms"])}


def is_ready(url):
    return '"pass"' in backend.ask(url, seconds=2)


OURS = "daruma"
SERVICES = [
    Service(OURS, "**`lastminutestay-api`**"),
    Service("daruma-plain", "`lastminutestay-api`, every search asks Redis", settings={"LASTMINUTESTAY_CACHE_NEAR_FOR": "0s"},
            hangs=False),
    Service("express", "express 5, 2 workers of pm2", "express"),
    Service("fastify", "fastify, 2 workers of pm2", "fastify"),
    Service("fastify-near", "fastify, 2 workers of pm2, near cache of 1 s", "fastify", {"CACHE_NEAR_MS": "1000"}, hangs=False),
    Service("fastify-2s", "fastify, 2 workers of pm2, breaker's window 2 s", "fastify",
            {"BREAKER_WINDOW_MS": "2000"}, loads=False),
]
