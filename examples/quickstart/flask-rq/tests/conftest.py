import os

# `import app` makes the application; no test connects.
os.environ.setdefault("REDIS_URL", "redis://localhost:1/0")
