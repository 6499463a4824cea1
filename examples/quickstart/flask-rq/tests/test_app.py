from redis.exceptions import ConnectionError

from app.tasks import count_words
from app.web import create_app


class DeadRedis:
    def ping(self):
        raise ConnectionError("refused")


def test_count_words():
    assert count_words("The cat, the dog; don't!") == {
        "words": 5,
        "distinct": 4,
        "most": [("the", 2), ("cat", 1), ("dog", 1)],
    }
    assert count_words("42 !")["words"] == 0


def test_live_but_not_ready():
    client = create_app(DeadRedis()).test_client()
    assert client.get("/health").status_code == 200
    assert client.get("/ready").status_code == 503


def test_refuses_what_is_no_text():
    client = create_app(DeadRedis()).test_client()
    for body in [None, [], {}, {"text": ""}, {"text": 1}]:
        assert client.post("/jobs", json=body).status_code == 400
