from logging.config import fileConfig

from alembic import context
from sqlalchemy import create_engine

from app.models import Base
from app.settings import database_url

fileConfig(context.config.config_file_name)

with create_engine(database_url()).connect() as connection:
    context.configure(connection=connection, target_metadata=Base.metadata)
    with context.begin_transaction():
        context.run_migrations()
