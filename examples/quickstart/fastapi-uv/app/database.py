from functools import cache

from sqlalchemy import create_engine
from sqlalchemy.orm import Session

from .settings import database_url


@cache
def engine():
    return create_engine(database_url(), pool_pre_ping=True, pool_timeout=2, connect_args={"connect_timeout": 2})


def session():
    with Session(engine()) as opened:
        yield opened
