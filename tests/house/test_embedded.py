import asyncio

from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine


async def _answers(url: str, statement: str) -> object:
    engine = create_async_engine(url)
    try:
        async with engine.connect() as connection:
            return (await connection.execute(text(statement))).scalar_one()
    finally:
        await engine.dispose()


def test_a_test_database_has_the_newest_schema_and_no_case(database_url: str) -> None:
    assert asyncio.run(_answers(database_url, "SELECT count(*) FROM cases")) == 0
