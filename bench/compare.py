"""Backs one server up and restores it with every tool, in rounds, and writes what it cost to a results file.

Started by script/bench, which see. One JSON object per line: first what machine and data it was, then one per run.
"""
import argparse
import json
import os
import pwd
import sys
import time
from functools import partial
from pathlib import Path

import cluster
import machine
import measure
import report
import tools


class Comparison:
    def __init__(self, world, options, results):
        self.world, self.options, self.results = world, options, results
        self.server = cluster.make_cluster(world, options.scale, options.noise)
        self.tools = {key: kind(world, self.server, key) for key, kind in tools.TOOLS.items()}
        self.beside = world.fresh("sockets-of-restored")

    def record(self, **fields):
        with open(self.results, "a") as out:
            out.write(json.dumps(fields) + "\n")

    def round(self, number):
        every = list(self.tools.values())
        order = every[number % len(every):] + every[:number % len(every)]  # nobody always follows the same one
        for tool in order:
            self.run("backup", tool.backups[0], number, tool.prepare, partial(self.back_up, tool))
        for tool in order:
            for row in tool.restores:
                self.run("restore", row, number, partial(self.world.fresh, "restored"),
                         partial(self.restore, tool, row))
        for tool in every:
            self.world.run("rm", "-rf", tool.directory)

    def run(self, group, row, number, prepare, work):
        prepare()
        self.world.cold()
        measure.wait_until_quiet(self.options.wait)
        cost = work(measure.Noise())
        self.record(kind="run", group=group, row=row.key, round=number, **cost)
        print(f"round {number + 1}  {group:7}  {row.key:17} {cost['wall_s']:8.2f} s  {cost['peak_mib']:6.0f} MiB"
              f"{'  disturbed' if cost['disturbed'] else ''}", file=sys.stderr, flush=True)

    def back_up(self, tool, noise):
        cost = self.world.measured(*tool.backup(), server=self.server)
        cost |= noise.stop(cost["tool_cpu_s"] + cost["server_cpu_s"])
        return cost | {"stored_mib": round(measure.stored_mib(tool.stored()), 1)}

    def restore(self, tool, row, noise):
        target = self.world.scratch / "restored"
        server = cluster.Server(self.world, target, self.beside)
        began = time.monotonic()
        cost = self.world.measured(*tool.restore(row, target))
        server.start_beside()
        try:
            server.wait_for("select count(*) from pgbench_branches", str(self.options.scale))
            cost |= {"files_s": cost["wall_s"], "wall_s": round(time.monotonic() - began, 3),
                     "server_cpu_s": round(measure.tree_cpu(server.pid()), 3)}
            cost |= noise.stop(cost["tool_cpu_s"] + cost["server_cpu_s"])
            server.wait_for("select pg_is_in_recovery()", "f")
            cost["writable_s"] = round(time.monotonic() - began, 3)
            server.wait_for("select count(*) from pgbench_accounts", str(self.options.scale * 100000))
        finally:
            server.stop("immediate")
        return cost


def too_much_memory(results):
    return [run for run in report.load(results).runs
            if run["row"].startswith("daruma") and run["peak_mib"] > report.MEMORY_MAX_MIB]


def main():
    parser = argparse.ArgumentParser()
    for name, kind in [("scale", int), ("noise", int), ("rounds", int), ("wait", int), ("scratch", Path),
                       ("programs", Path), ("results", Path), ("report", Path), ("user", str), ("version", str)]:
        parser.add_argument(f"--{name}", type=kind, required=name != "user")
    options = parser.parse_args()
    world = cluster.World(options.scratch, options.programs, pwd.getpwnam(options.user) if options.user else None)
    options.results.parent.mkdir(parents=True, exist_ok=True)
    options.results.unlink(missing_ok=True)

    comparison = Comparison(world, options, options.results)
    try:
        comparison.record(kind="setting", **machine.describe(options, comparison.server))
        for number in range(options.rounds):
            comparison.round(number)
    finally:
        comparison.server.stop()
    options.report.write_text(report.markdown(options.results))
    over = too_much_memory(options.results)
    for run in over:
        print(f"{run['row']}, round {run['round'] + 1}: {run['peak_mib']} MiB, more than {report.MEMORY_MAX_MIB}",
              file=sys.stderr)
    return 1 if over else 0


if __name__ == "__main__":
    os.umask(0o077)
    try:
        sys.exit(main())
    except measure.Failed as failure:
        sys.exit(f"script/bench: {failure}")
