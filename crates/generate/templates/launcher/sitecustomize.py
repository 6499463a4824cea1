"""Gives the program its secrets as variables: each NAME_FILE that names a file under /run/secrets becomes NAME.

Python imports this before the program (PYTHONPATH). The values stand neither in the image nor in what `docker inspect`
shows, and not in the environment with which the process was started.
"""

import os

for _name, _path in list(os.environ.items()):
    if _name.endswith("_FILE") and _path.startswith("/run/secrets/"):
        with open(_path, encoding="utf-8") as _file:
            os.environ.setdefault(_name[: -len("_FILE")], _file.read().removesuffix("\n"))
