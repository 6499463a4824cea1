import pytest
from fastapi.testclient import TestClient

from app import database
from app.main import app
from app.models import Item
from app.settings import database_url


class FakeSession:
    def __init__(self):
        self.items = {}

    def add(self, item):
        item.id = len(self.items) + 1
        self.items[item.id] = item

    def get(self, model, item_id):
        assert model is Item
        return self.items.get(item_id)

    def commit(self):
        pass


@pytest.fixture
def client():
    session = FakeSession()
    app.dependency_overrides[database.session] = lambda: session
    yield TestClient(app)
    app.dependency_overrides.clear()


def test_health(client):
    assert client.get("/health").json() == {"status": "ok"}


def test_create_change_read(client):
    created = client.post("/items", json={"name": "bolt", "quantity": 3})
    assert (created.status_code, created.json()) == (201, {"id": 1, "name": "bolt", "quantity": 3})
    assert client.put("/items/1", json={"name": "bolt", "quantity": 2}).json()["quantity"] == 2
    assert client.get("/items/2").status_code == 404


def test_refuses(client):
    assert client.post("/items", json={"name": ""}).status_code == 422
    assert client.post("/items", json={"name": "x", "quantity": -1}).status_code == 422


def test_settings(monkeypatch):
    monkeypatch.setenv("DATABASE_URL", "postgresql://u:p@db/x")
    assert database_url() == "postgresql+psycopg://u:p@db/x"
    monkeypatch.delenv("DATABASE_URL")
    with pytest.raises(SystemExit):
        database_url()
