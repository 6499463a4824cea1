"""Gives the program its secrets as variables: each NAME_FILE that names a file under /run/secrets becomes NAME.

Python imports this before the program (PYTHONPATH). The values stand neither in the image nor in what `docker inspect`
shows, and not in the environment of a process: programs that this one starts read their files themselves.
"""

import os
import sys


def _folder():
    """Modules of the folder that it is started in, as `python -m` finds them: a program of a package (`alembic`) does not.

    Last, so that they hide none.
    """
    folder = os.getcwd()
    if folder not in sys.path and "" not in sys.path:
        sys.path.append(folder)


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


def _static_files(settings):
    """Puts the settings that serve static files around the ones that the site runs with."""
    around = "with_static_files"
    chosen = os.environ.get("DJANGO_SETTINGS_MODULE", settings)
    if chosen != around:
        os.environ["STATIC_FILES_OF"] = chosen
        os.environ["DJANGO_SETTINGS_MODULE"] = around


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


_folder()
_secrets()
if os.environ.get("STATIC_FILES_OF"):
    _static_files(os.environ["STATIC_FILES_OF"])
# In the process that the container is for, with or without an init before it, and not in its health check.
if os.environ.get("HEARTBEAT") and 1 in (os.getpid(), os.getppid()):
    _heartbeat(os.environ["HEARTBEAT"])
