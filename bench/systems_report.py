"""Makes docs/benchmarks-systems.md of a results file. It leaves nothing out: medians are over every run there is.

    python3 bench/systems_report.py RESULTS     prints the page
"""
import sys
from statistics import median

import hanging
import services
from report import load, middle, number, spread, table

FASTIFY = "fastify"

# Beside fastify: what is compared, and the ratio that was asked for.
WANTED = {
    "search": [("requests a second", lambda run: run["rate"], ">=", 2.0),
               ("CPU of the service per request", lambda run: run["cpu_s_per_1000"], "<=", 0.25),
               ("p99", lambda run: run["p99_ms"], "<=", 1.0),
               ("memory", lambda run: run["pss_mib"], "<=", 0.2)],
    "booking": [("requests a second", lambda run: run["rate"], ">=", 1.2),
                ("CPU of the service per request", lambda run: run["cpu_s_per_1000"], "<=", 1 / 3),
                ("p99", lambda run: run["p99_ms"], "<=", 1.0),
                ("memory", lambda run: run["pss_mib"], "<=", 0.2)],
}


def rows_of(results, group):
    return [service for service in services.SERVICES if results.of(group, service)]


def costs(results, group):
    head = ["", "requests/s", "min–max", "p50 ms", "p99 ms", "CPU s per 1,000", "MiB", "RSS MiB", "disturbed"]
    lines = []
    for service in rows_of(results, group):
        runs = results.of(group, service)
        rates = [run["rate"] for run in runs.values()]
        line = [service.title, f"{median(rates):,.0f}", f"{min(rates):,.0f}–{max(rates):,.0f}"]
        line += [middle(runs, lambda run, key=key: run[key]) for key in ("p50_ms", "p99_ms")]
        line.append(f"{median(run['cpu_s_per_1000'] for run in runs.values()):.4f}")
        line += [middle(runs, lambda run, key=key: run[key]) for key in ("pss_mib", "rss_mib")]
        lines.append([*line, f"{sum(run['disturbed'] for run in runs.values())} of {len(runs)}"])
    return table(head, lines)


def shares(results, group):
    """Where the CPU went, of all that was used."""
    parts = [("service", "service_cpu_s"), ("PostgreSQL", "postgres_cpu_s"), ("Redis", "redis_cpu_s"),
             ("HotelDataAPI", "provider_cpu_s"), ("wrk", "load_cpu_s")]
    lines = []
    for service in rows_of(results, group):
        runs = results.of(group, service).values()
        lines.append([service.title] + [
            f"{median(run[key] / run['requests'] * 1e6 for run in runs):.1f}" for _, key in parts])
    return table(["CPU µs per request", *(title for title, _ in parts)], lines)


def ratios(ours, theirs, of):
    return [of(ours[round_]) / of(theirs[round_]) for round_ in ours if round_ in theirs and of(theirs[round_])]


def beside(results, group, peer):
    ours, theirs = results.of(group, services.SERVICES[0]), results.of(group, peer)
    lines = []
    for title, of, kind, limit in WANTED[group]:
        values = ratios(ours, theirs, of)
        line = [title, f"{median(values):.3f}", spread_of(values)]
        if peer.key == FASTIFY:
            held = median(values) >= limit if kind == ">=" else median(values) <= limit
            line += [f"{'≥' if kind == '>=' else '≤'} {number(limit)}", "yes" if held else "**no**"]
        lines.append(line)
    head = ["ratio per round, median", "", "min–max"] + (["asked for", "held"] if peer.key == FASTIFY else [])
    return f"Beside {peer.title}:\n\n{table(head, lines)}"


def spread_of(values):
    return f"{min(values):.3f}–{max(values):.3f}"


def section(results, group, title, text):
    peers = [service for service in rows_of(results, group) if service.peer]
    parts = [f"## {title}\n\n{text}", costs(results, group), *(beside(results, group, peer) for peer in peers),
             shares(results, group)]
    return "\n\n".join(parts)


def story(results):
    head = ["", "open for all after", "waited until then", "then p50 ms", "p99 ms", "longest ms", "waited later",
            "say so", "whole again after", "failed"]
    lines = []
    for service in rows_of(results, "hanging"):
        runs = results.of("hanging", service)
        later = [f"{run['waited_later']} of {run['calls_later']}" for run in runs.values()]
        lines.append([
            service.title, middle(runs, lambda run: run["open_s"]) + " s",
            middle(runs, lambda run: run["waited_until_open"]),
            *(middle(runs, lambda run, key=key: run[key]) for key in ("open_p50_ms", "open_p99_ms", "open_max_ms")),
            "; ".join(later), "; ".join(f"{run['says_open']} of 20" for run in runs.values()),
            middle(runs, lambda run: run["whole_again_s"]) + " s",
            "; ".join(f"{run['failed']} of {run['calls']}" for run in runs.values())])
    return table(head, lines)


def story_section(results):
    if not rows_of(results, "hanging"):
        return ""
    breaker = services.BREAKER
    return f"""## A provider that hangs

{hanging.RATE} searches a second, each for another stay and on a connection of its own, so that no cache helps. After
{hanging.BEFORE} s HotelDataAPI falls silent: it takes connections and says nothing, for {hanging.SILENCE} s. A call to it is given
up after {breaker['timeout_ms']} ms. All breakers open at {breaker['failure_percent']} % failures of at least {breaker['minimum_calls']} calls and try again after
{breaker['open_ms'] / 1000:.0f} s; opossum's window is a time (10 s unless the row says otherwise), ours the last 50 calls.

*Open for all after*: the last wait for the provider ({hanging.SLOW_S * 1000:.0f} ms or more) before the first {hanging.QUIET_S} s without one. The
columns after it are of the time from then until the provider is back. *Say so*: of 20 answers about the breaker during the silence,
each on a new connection, those that say it is not closed. *Whole again*: the last degraded answer after the provider is back.

{story(results)}
"""


def markdown(file):
    results = load(file)
    s = results.setting
    disturbed = sum(run.get("disturbed", False) for run in results.runs)
    counted = sum("disturbed" in run for run in results.runs)
    note = "" if disturbed == 0 else (
        f"\n**{disturbed} of {counted} runs were disturbed**: others used more than a tenth of the cores' time meanwhile. "
        "They count like the rest; trust the ratios less than their digits.\n")
    if s["note"]:
        note += f"\n{s['note']}\n"
    return f"""# Benchmarks of the systems

Made by `script/bench systems` on {s['date']}, whatever it says; run it again instead of editing this page.
{note}
| | |
| --- | --- |
| machine | {s['machine']} |
| disk | {s['disk']} |
| programs | {s['versions']} |
| data | {s['hotels']:,} hotels, {s['rooms']:,} rooms, {s['bookings']:,} bookings; each run begins with a fresh copy |
| load | `wrk`, 2 threads, {s['connections']} connections, {s['seconds']} s a run; on the same machine, as are PostgreSQL, Redis and the provider |
| rounds | {s['rounds']}; all systems in each, another one first every time |

The peers are in [bench/peers/node](../bench/peers/node/README.md). All use the same schema, statements, cache times and provider, have two
workers, and write access and error logs. CPU is that of the service alone: all its processes, pm2 included. *MiB* is its memory with
shared pages counted once (PSS), at the largest under load.

{section(results, "search", "Cached searches",
         f"`GET /api/hotels/search` for {s['stays']} different stays in turn, all of them in the cache (fresh for 30 s). The peers ask"
         " Redis for each. Ours believes its own memory for 1 s before it asks Redis; the second row is without that, and one peer"
         " has the same.")}

{section(results, "booking", "Bookings",
         "`POST /api/bookings` with a token, each for another room or night, so that all are made: one durable transaction each."
         " After every run the bookings in the database are counted: those acknowledged are there.")}

{story_section(results)}"""


if __name__ == "__main__":
    print(markdown(sys.argv[1]))
