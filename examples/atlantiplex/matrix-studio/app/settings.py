"""Settings from the environment."""

import os
from dataclasses import dataclass


@dataclass(frozen=True)
class Settings:
    database_url: str

    @classmethod
    def from_env(cls, env=os.environ):
        url = env.get("DATABASE_URL")
        if not url:
            raise SystemExit("DATABASE_URL is not set, for example postgresql://user:password@localhost:5432/matrix")
        return cls(database_url=url)
