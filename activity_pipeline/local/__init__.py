"""Postgres and Redis under one folder, for development, the demo and the tests.

    LocalStack (stack)       what callers hold: a lease, and the addresses of both servers
    lease                    taking a lease: join the running stack, or start it
    supervisor               the process that is parent of both servers while leases are held
    postgres, redis          how each server is found, set up, started and asked whether it is ready
    server                   a child process with a log, that dies with the supervisor
    user                     as whom Postgres runs, since it refuses to run as root
    folders                  what lies where, and who may reach it

Nothing here is meant for production: one machine, no passwords, no replicas. It does keep what
it is given: both servers write to disk as they would in production.
"""

from activity_pipeline.local.lease import Servers
from activity_pipeline.local.stack import LocalStack

__all__ = ["LocalStack", "Servers"]
