"""Gives the program its secrets as variables: each NAME_FILE that names a file under /run/secrets becomes NAME.

Python imports this before the program (PYTHONPATH). The values stand neither in the image nor in what `docker inspect`
shows, and not in the environment of a process: programs that this one starts read their files themselves.
"""

import os


def _secrets():
    for name, path in list(os.environ.items()):
        if not (name.endswith("_FILE") and path.startswith("/run/secrets/")):
            continue
        name = name[: -len("_FILE")]
        if name in os.environ:
            continue
        with open(path, encoding="utf-8") as file:
            value = file.read().removesuffix("\n")
        if name.startswith(("PG", "MYSQL")):
            # The stores' own libraries look into the environment themselves.
            os.environ[name] = value
        else:
            # For Python alone: `os.environ[name] = value` would hand it to every child process.
            os.environ._data[os.environ.encodekey(name)] = os.environ.encodevalue(value)


def _heartbeat(path):
    """A process that answers nobody says so that it runs."""
    import threading
    import time

    def beat():
        # A program that fails while it is loaded has said nothing.
        time.sleep(3)
        while True:
            try:
                with open(path, "w", encoding="ascii"):
                    pass
            except OSError:
                pass
            time.sleep(10)

    threading.Thread(target=beat, name="heartbeat", daemon=True).start()


_secrets()
# In the process that the container is for, with or without an init before it, and not in its health check.
if os.environ.get("HEARTBEAT") and 1 in (os.getpid(), os.getppid()):
    _heartbeat(os.environ["HEARTBEAT"])
