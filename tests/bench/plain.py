"""What a service for the same purpose usually looks like: FastAPI, a pydantic model, SQLAlchemy's ORM.

One transaction a request, three rows a case (case, event, outbox). The hub's intake is measured beside it; nothing is
made slow on purpose.

`python -m tests.bench.plain PORT PROCESSES`, with PLAIN_DATABASE_URL.
"""

# ruff: noqa: N815 the hotline's names

import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import uvicorn
from fastapi import FastAPI, HTTPException
from pydantic import BaseModel
from sqlalchemy import DateTime, ForeignKey, Index
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

URL = "PLAIN_DATABASE_URL"


class Base(DeclarativeBase):
    """The tables."""


class PlainCase(Base):
    """A case."""

    __tablename__ = "plain_case"
    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    external_id: Mapped[str] = mapped_column(unique=True)
    stage: Mapped[str] = mapped_column(index=True)
    received_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), index=True)
    body: Mapped[dict[str, Any]] = mapped_column(JSONB)


class PlainEvent(Base):
    """What happened to it."""

    __tablename__ = "plain_event"
    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    case_id: Mapped[UUID] = mapped_column(ForeignKey("plain_case.id"), index=True)
    at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    kind: Mapped[str]


class PlainOutbox(Base):
    """Whom to tell."""

    __tablename__ = "plain_outbox"
    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    case_id: Mapped[UUID] = mapped_column(ForeignKey("plain_case.id"), index=True)
    system: Mapped[str]
    state: Mapped[str]
    __table_args__ = (Index("plain_outbox_due", "system", postgresql_where="state = 'pending'"),)


class Limit(BaseModel):
    """A budget of time."""

    value: str
    unit: str


class Ticket(BaseModel):
    """The hotline's ticket, as far as it is used."""

    taskGuid: str
    taskType: str
    taskStatus: str
    rowGuid: str
    serialNum: str
    rqstTitle: str
    rqstContent: str
    accordType: str
    rqstAreaCode: str
    rqstAddress: str
    rqstPerson: str = ""
    linkNumber: str = ""
    rqstTime: datetime
    sendTime: datetime
    signLimit: Limit | None = None
    finishLimit: Limit | None = None
    answerDeadline: datetime | None = None
    opinion: str = ""


class Push(BaseModel):
    """A request."""

    params: Ticket
    token: str


def app() -> FastAPI:
    """The service."""
    engine = create_async_engine(os.environ[URL], pool_size=10, max_overflow=10)
    session = async_sessionmaker(engine, expire_on_commit=False)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        await engine.dispose()

    made = FastAPI(lifespan=lifespan)

    @made.post("/in/hotline_12345")
    async def take(push: Push) -> dict[str, Any]:
        if push.token != "bench":
            raise HTTPException(401)
        now = datetime.now(UTC)
        async with session() as opened, opened.begin():
            case = PlainCase(
                id=uuid4(), external_id=push.params.taskGuid, stage="reported", received_at=now,
                body=push.params.model_dump(mode="json"),
            )  # fmt: skip
            opened.add(case)
            await opened.flush()
            opened.add(PlainEvent(case_id=case.id, at=now, kind="collect"))
            opened.add(PlainOutbox(case_id=case.id, system="urban_management", state="pending"))
        return {"status": {"code": "200", "text": ""}, "custom": {"code": "1", "text": "操作成功"}}

    return made


async def create(url: str) -> None:
    """Its tables."""
    engine = create_async_engine(url)
    async with engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
    await engine.dispose()


if __name__ == "__main__":
    uvicorn.run(
        "tests.bench.plain:app", factory=True, port=int(sys.argv[1]), workers=int(sys.argv[2]), access_log=False,
        log_level="warning",
    )  # fmt: skip
