"""OpenStack TaskFlow doing what the bench beside it does, on the same Redis and the same MariaDB.

    taskflow_peer.py --redis PORT --mysql URL WHAT N

Prints one JSON object: {"n": N, "seconds": float, "statements": int, "commits": int, "milliseconds": [float, …]};
`statements` and `commits` are what the database server counted meanwhile, `milliseconds` only where each of N is timed.
"""

import argparse
import contextlib
import json
import threading
import time

import pymysql
from sqlalchemy.engine import make_url

from taskflow import engines, task
from taskflow.conductors import backends as conductors
from taskflow.jobs import backends as boards
from taskflow.patterns import linear_flow, unordered_flow
from taskflow.persistence import backends, models
from oslo_utils import uuidutils

STARTED = []


class Nothing(task.Task):
    """A task that does nothing, and notes when it was started."""

    def execute(self):
        STARTED.append(time.monotonic())


def chain(n):
    return linear_flow.Flow("chain").add(*[Nothing(f"t{i}") for i in range(n)])


def independent(n):
    return unordered_flow.Flow("independent").add(*[Nothing(f"t{i}") for i in range(n)])


class Servers:
    def __init__(self, redis, mysql):
        self.redis, self.mysql = redis, mysql
        self.backend = backends.fetch({"connection": mysql})
        with contextlib.closing(self.backend.get_connection()) as connection:
            connection.upgrade()

    def counters(self):
        url = make_url(self.mysql)
        link = pymysql.connect(host=url.host, port=url.port, user=url.username, password=url.password)
        with contextlib.closing(link), link.cursor() as cursor:
            cursor.execute("SHOW GLOBAL STATUS WHERE variable_name IN ('Questions', 'Com_commit')")
            found = dict(cursor.fetchall())
        return int(found["Questions"]), int(found["Com_commit"])

    @contextlib.contextmanager
    def board(self, namespace=None):
        namespace = namespace or uuidutils.generate_uuid()
        conf = {"board": "redis", "host": "127.0.0.1", "port": self.redis, "namespace": namespace}
        board = boards.fetch("board", conf, persistence=self.backend)
        board.connect()
        with contextlib.closing(board):
            yield board

    def post(self, board, flow, *arguments):
        """A job as a conductor expects it: a logbook with a flow detail that names the factory."""
        book = models.LogBook("book")
        detail = models.FlowDetail("flow", uuidutils.generate_uuid())
        book.add(detail)
        with contextlib.closing(self.backend.get_connection()) as connection:
            connection.save_logbook(book)
        engines.save_factory_details(detail, flow, list(arguments), {}, backend=self.backend)
        board.post("job", book=book, details={"flow_uuid": detail.uuid, "store": {}})

    def conductor(self, board, name="peer"):
        return conductors.fetch("blocking", name, board, persistence=self.backend, engine="serial")


@contextlib.contextmanager
def working(conductor):
    """The conductor, at work in a thread."""
    thread = threading.Thread(target=conductor.run, daemon=True)
    thread.start()
    try:
        yield
    finally:
        conductor.stop()
        thread.join(5)


def run(servers, flow, **options):
    engine = engines.load(flow, backend=servers.backend, **options)
    started = time.monotonic()
    engine.run()
    return time.monotonic() - started, []


def run_chain(servers, n):
    """A durable chain of `n` tasks."""
    return run(servers, chain(n), engine="serial")


def run_independent(servers, n):
    """`n` tasks that depend on nothing, eight at a time."""
    return run(servers, independent(n), engine="parallel", executor="threaded", max_workers=8)


def run_jobs(servers, n):
    """`n` jobs of three tasks each, posted and then consumed by one conductor."""
    with servers.board() as board:
        started = time.monotonic()
        for _ in range(n):
            servers.post(board, chain, 3)
        with working(servers.conductor(board)):
            while board.job_count:
                time.sleep(0.005)
        return time.monotonic() - started, []


@contextlib.contextmanager
def boards_of_two(servers):
    """The board of a conductor, and that of whoever posts, in one namespace."""
    with servers.board() as board, servers.board() as other:
        other._namespace = board._namespace
        for name in ("trash_key", "sequence_key", "listings_key"):
            other.__dict__.pop(name, None)
        yield board, other


def run_served(servers, n):
    """`n` jobs of three tasks each, posted while a conductor is at work."""
    with boards_of_two(servers) as (board, other):
        started = time.monotonic()
        with working(servers.conductor(board)):
            for _ in range(n):
                servers.post(other, chain, 3)
            while other.job_count or board.job_count:
                time.sleep(0.005)
        return time.monotonic() - started, []


def run_first(servers, n):
    """From posting a job to the start of its task, on a board on which a conductor waits; `n` times."""
    took = []
    with boards_of_two(servers) as (board, other):
        started = time.monotonic()
        with working(servers.conductor(board)):
            for _ in range(n):
                time.sleep(0.4)
                STARTED.clear()
                posted = time.monotonic()
                servers.post(other, chain, 1)
                while not STARTED:
                    time.sleep(0.0005)
                took.append((STARTED[0] - posted) * 1000)
        return time.monotonic() - started, took


WHAT = {"chain": run_chain, "independent": run_independent, "jobs": run_jobs, "served": run_served, "first": run_first}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--redis", type=int, required=True, help="the port of Redis on 127.0.0.1")
    parser.add_argument("--mysql", required=True, help="mysql+pymysql://user:password@127.0.0.1:port/database")
    parser.add_argument("what", choices=WHAT)
    parser.add_argument("n", type=int)
    given = parser.parse_args()
    servers = Servers(given.redis, given.mysql)
    before = servers.counters()
    seconds, milliseconds = WHAT[given.what](servers, given.n)
    statements, commits = (after - b for after, b in zip(servers.counters(), before))
    print(json.dumps({
        "n": given.n, "seconds": seconds, "statements": statements, "commits": commits, "milliseconds": milliseconds,
    }))


if __name__ == "__main__":
    main()
