"""OpenStack TaskFlow with claims that expire: what the conductors do of which one is frozen past its claim.

    taskflow_frozen.py --redis PORT --mysql URL post TASKS LEDGER
    taskflow_frozen.py --redis PORT --mysql URL conduct NUMBER EXPIRY
    taskflow_frozen.py --redis PORT --mysql URL report

`post` posts a chain of TASKS tasks. `conduct` works on one job and ends; its claim expires after EXPIRY seconds unless it
is renewed, as it is every third of that. Each task appends its name and the NUMBER of its conductor to LEDGER, synced.
`report` prints {"state": the flow's, "succeeded": how many of its tasks did}.
"""

import argparse
import contextlib
import json
import os
import threading
import time

from taskflow import states, task
from taskflow.patterns import linear_flow

from taskflow_peer import Servers

NAMESPACE = "frozen"
CONDUCTOR = None


class Marks(task.Task):
    """A task that notes who began it, and takes a moment."""

    def __init__(self, name, ledger):
        super().__init__(name)
        self.ledger = ledger

    def execute(self):
        with open(self.ledger, "a") as ledger:
            ledger.write(f"{self.name} {CONDUCTOR}\n")
            ledger.flush()
            os.fsync(ledger.fileno())
        time.sleep(0.1)


def chain(tasks, ledger):
    return linear_flow.Flow("chain").add(*[Marks(f"t{i}", ledger) for i in range(tasks)])


def expiring(board, expiry):
    """Has the board claim for `expiry` seconds, and renew what it claimed every third of that."""
    claim = board.claim

    def claim_and_renew(job, who):
        claim(job, who, expiry=expiry)

        def renew():
            while job.state == states.CLAIMED:
                time.sleep(expiry / 3)
                job.extend_expiry(expiry)

        threading.Thread(target=renew, daemon=True).start()

    board.claim = claim_and_renew


def ending(board, conductor):
    """Has the conductor stop when it has given up a job in whatever way, also if the board refuses that."""

    def stopping(give_up):
        def give_up_and_stop(*arguments):
            try:
                give_up(*arguments)
            finally:
                conductor.stop()

        return give_up_and_stop

    for name in ("consume", "abandon", "trash"):
        setattr(board, name, stopping(getattr(board, name)))


def post(servers, given):
    with servers.board(NAMESPACE) as board:
        servers.post(board, chain, given.tasks, given.ledger)


def conduct(servers, given):
    global CONDUCTOR
    CONDUCTOR = given.number
    with servers.board(NAMESPACE) as board:
        expiring(board, given.expiry)
        conductor = servers.conductor(board, f"conductor-{given.number}")
        ending(board, conductor)
        conductor.run()


def report(servers, _):
    with contextlib.closing(servers.backend.get_connection()) as connection:
        [book] = connection.get_logbooks()
        [flow] = book
        succeeded = sum(1 for atom in flow if atom.state == states.SUCCESS)
        print(json.dumps({"state": flow.state, "succeeded": succeeded}))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--redis", type=int, required=True, help="the port of Redis on 127.0.0.1")
    parser.add_argument("--mysql", required=True, help="mysql+pymysql://user:password@127.0.0.1:port/database")
    commands = parser.add_subparsers(required=True)
    command = commands.add_parser("post")
    command.add_argument("tasks", type=int)
    command.add_argument("ledger")
    command.set_defaults(run=post)
    command = commands.add_parser("conduct")
    command.add_argument("number", type=int)
    command.add_argument("expiry", type=float)
    command.set_defaults(run=conduct)
    commands.add_parser("report").set_defaults(run=report)
    given = parser.parse_args()
    given.run(Servers(given.redis, given.mysql), given)


if __name__ == "__main__":
    main()
