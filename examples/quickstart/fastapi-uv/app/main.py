from contextlib import asynccontextmanager
from typing import Annotated

from fastapi import Depends, FastAPI, HTTPException, Response
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import select, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from . import database
from .models import Item


@asynccontextmanager
async def lifespan(app):
    database.engine()  # refuses to start without DATABASE_URL
    yield
    database.engine().dispose()


app = FastAPI(title="items", lifespan=lifespan)
Db = Annotated[Session, Depends(database.session)]


class ItemIn(BaseModel):
    name: str = Field(min_length=1, max_length=100)
    quantity: int = Field(default=0, ge=0)


class ItemOut(ItemIn):
    model_config = ConfigDict(from_attributes=True)
    id: int


@app.get("/health")
def health():
    return {"status": "ok"}


@app.get("/ready")
def ready(db: Db, response: Response):
    try:
        db.execute(text("SELECT 1"))
    except SQLAlchemyError:
        response.status_code = 503
        return {"database": False}
    return {"database": True}


@app.get("/items", response_model=list[ItemOut])
def list_items(db: Db):
    return db.scalars(select(Item).order_by(Item.id).limit(200)).all()


@app.post("/items", response_model=ItemOut, status_code=201)
def create_item(body: ItemIn, db: Db):
    item = Item(**body.model_dump())
    db.add(item)
    db.commit()
    return item


@app.get("/items/{item_id}", response_model=ItemOut)
def get_item(item_id: int, db: Db):
    return find(db, item_id)


@app.put("/items/{item_id}", response_model=ItemOut)
def replace_item(item_id: int, body: ItemIn, db: Db):
    item = find(db, item_id)
    item.name, item.quantity = body.name, body.quantity
    db.commit()
    return item


@app.delete("/items/{item_id}", status_code=204)
def delete_item(item_id: int, db: Db):
    db.delete(find(db, item_id))
    db.commit()


def find(db, item_id):
    item = db.get(Item, item_id)
    if item is None:
        raise HTTPException(404, "no such item")
    return item
