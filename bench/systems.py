"""Measures lastminutestay-api beside the same API on Node.js, in rounds, and writes what came of it to a results file.

Started by script/bench systems, which see. One JSON object per line: first what machine and data it was, then one per
run.
"""
import argparse
import datetime
import json
import os
import platform
import pwd
import sys
from pathlib import Path

import backend
import cluster
import hanging
import load
import machine
import measure
import services
import systems_report

WARM_UP_S = 3


class Comparison:
    def __init__(self, world, stand, options):
        self.world, self.stand, self.options = world, stand, options
        self.token = self.stand.command_of_ours("token", "--for", "24h").strip()
        self.script = world.scratch / "load/requests.lua"
        self.searches, self.bookings = world.scratch / "searches", world.scratch / "bookings"
        self.stays = load.write_searches(self.searches)
        load.write_bookings(self.stand, self.bookings)

    def record(self, **fields):
        with open(self.options.results, "a") as out:
            out.write(json.dumps(fields) + "\n")

    def describe(self):
        stand, world = self.stand, self.world
        count = {table: int(stand.sql(backend.TEMPLATE, f"select count(*) from {table}"))
                 for table in ("hotels", "rooms", "bookings")}
        versions = [f"lastminutestay-api {self.options.version}",
                    f"PostgreSQL {world.run(world.programs / 'pg_config', '--version').split()[1]}",
                    f"Redis {world.run('redis-server', '--version').split()[2].removeprefix('v=')}",
                    f"Node.js {world.run('node', '--version').strip()}"]
        lock = json.loads((world.scratch / "node/package-lock.json").read_text())["packages"]
        versions += [f"{name} {lock['node_modules/' + name]['version']}"
                     for name in ("express", "fastify", "pg", "ioredis", "opossum", "pm2")]
        self.record(kind="setting", note=self.options.note, date=datetime.date.today().isoformat(), rounds=self.options.rounds,
                    seconds=self.options.seconds, connections=self.options.connections, stays=self.stays, **count,
                    machine=f"{machine.processor()}, {machine.memory()} of memory, Linux {platform.release()}",
                    disk=f"{machine.disk(world)}; making 8 KiB durable takes {machine.flush_milliseconds(world):.1f} ms",
                    versions=", ".join(versions))

    def rounds(self):
        every = [service for service in services.SERVICES if service.loads]
        for number in range(self.options.rounds):
            for service in every[number % len(every):] + every[:number % len(every)]:
                self.under_load(service, number)
        for number in range(self.options.stories):
            for service in services.SERVICES:
                if service.hangs:
                    self.story(service, number)

    def under_load(self, service, number):
        self.stand.fresh_database()
        process = service.start(self.stand)
        try:
            self.measure(service, number, process, "search", self.searches)
            self.measure(service, number, process, "booking", self.bookings)
        finally:
            process.stop()

    def measure(self, service, number, process, group, file):
        words = ("searches", file) if group == "search" else ("bookings", file, self.token)
        options, url = self.options, service.url()
        if group == "search":
            load.fill_cache(service)
            load.run(self.stand, process.pid, load.wrk(url, options.connections, WARM_UP_S, self.script, *words))
        measure.wait_until_quiet(options.wait)
        before = self.bookings_made()
        cost = load.run(self.stand, process.pid,
                        load.wrk(url, options.connections, options.seconds, self.script, *words))
        made = self.bookings_made() - before
        self.check(service, group, cost, made)
        self.record(kind="run", group=group, row=service.key, round=number, made=made, **cost)
        print(f"round {number + 1}  {group:7}  {service.key:12} {cost['rate']:9.0f}/s  p99 {cost['p99_ms']:7.2f} ms  "
              f"{cost['cpu_s_per_1000']:7.4f} CPU s per 1,000  {cost['pss_mib']:5.0f} MiB"
              f"{'  disturbed' if cost['disturbed'] else ''}", file=sys.stderr, flush=True)

    def bookings_made(self):
        return int(self.stand.sql(backend.DATABASE, "select count(*) from bookings"))

    def check(self, service, group, cost, made):
        """What was acknowledged is there; what was asked last may have been done without its answer being read."""
        if cost["broken"] or (group == "search" and cost["refused"]):
            raise measure.Failed(f"{service.key}, {group}: {cost['broken']} broken, {cost['refused']} refused")
        acknowledged = cost["requests"] - cost["refused"]
        if group == "booking" and not acknowledged <= made <= acknowledged + self.options.connections:
            raise measure.Failed(f"{service.key}: {acknowledged} bookings acknowledged, {made} made")

    def story(self, service, number):
        self.stand.fresh_database()
        process = service.start(self.stand)
        try:
            measure.wait_until_quiet(self.options.wait)
            told = hanging.run(self.stand, service)
        finally:
            process.stop()
        self.record(kind="run", group="hanging", row=service.key, round=number, **told)
        print(f"story {number + 1}  hanging  {service.key:12} open for all after {told['open_s']:5.2f} s, then p99 "
              f"{told['open_p99_ms']:7.2f} ms, whole again after {told['whole_again_s']:5.2f} s", file=sys.stderr,
              flush=True)


def main():
    parser = argparse.ArgumentParser()
    for name, kind in [("rounds", int), ("stories", int), ("seconds", int), ("connections", int), ("hotels", int),
                       ("wait", int), ("scratch", Path), ("programs", Path), ("results", Path), ("report", Path),
                       ("user", str), ("version", str), ("note", str)]:
        parser.add_argument(f"--{name}", type=kind, required=name != "user")
    options = parser.parse_args()
    world = cluster.World(options.scratch, options.programs, pwd.getpwnam(options.user) if options.user else None)
    options.results.parent.mkdir(parents=True, exist_ok=True)
    options.results.unlink(missing_ok=True)

    stand = backend.Backend(world)
    try:
        stand.start(options.hotels)
        comparison = Comparison(world, stand, options)
        comparison.describe()
        comparison.rounds()
    finally:
        stand.stop()
    options.report.write_text(systems_report.markdown(options.results))


if __name__ == "__main__":
    os.umask(0o077)
    try:
        main()
    except measure.Failed as failure:
        sys.exit(f"script/bench systems: {failure}")
