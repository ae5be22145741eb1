"""Start a job of MXNet's dist_sync on this machine: a scheduler, servers and workers.

As MXNet's own tools/launch.py --launcher local does, whose tracker is not in the wheel: all
processes run the same command, and the variables DMLC_* say what each one is. The first
worker's output is shown. All end with the workers.
"""

import argparse
import os
import socket
import subprocess
import sys
import threading


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("-n", "--workers", type=int, default=2)
    parser.add_argument("-s", "--servers", type=int, default=1)
    parser.add_argument("--limit", type=float, default=600, help="seconds")
    parser.add_argument("command", nargs=argparse.REMAINDER)
    arguments = parser.parse_args()
    common = dict(os.environ, DMLC_PS_ROOT_URI="127.0.0.1", DMLC_PS_ROOT_PORT=str(free_port()),
                  DMLC_NUM_WORKER=str(arguments.workers), DMLC_NUM_SERVER=str(arguments.servers))

    def start(role, output):
        return subprocess.Popen(arguments.command, env=dict(common, DMLC_ROLE=role), stdin=subprocess.DEVNULL,
                                stdout=output)

    others = [start("scheduler", subprocess.DEVNULL)]
    others += [start("server", subprocess.DEVNULL) for _ in range(arguments.servers)]
    workers = [start("worker", subprocess.PIPE if index == 0 else subprocess.DEVNULL)
               for index in range(arguments.workers)]
    everyone = others + workers
    limit = threading.Timer(arguments.limit, lambda: [process.kill() for process in everyone])
    limit.start()
    try:
        output = workers[0].stdout.read().decode("utf-8", "replace")
        status = max(abs(worker.wait()) for worker in workers)
    finally:
        limit.cancel()
        for process in everyone:
            process.kill()
            process.wait()
    sys.stdout.write(output)
    sys.exit(status)


if __name__ == "__main__":
    main()
