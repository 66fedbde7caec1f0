"""The fixtures give real, separate servers' rooms."""

import asyncpg
from aiokafka.admin import AIOKafkaAdminClient
from pymongo import MongoClient

from tests.servers.addresses import Servers
from tests.servers.kafka import Topics


async def test_topics_have_the_partitions_of_the_real_ones(servers: Servers, topics: Topics):
    admin = AIOKafkaAdminClient(bootstrap_servers=servers.kafka)
    await admin.start()
    try:
        described = await admin.describe_topics([topics.commands, topics.event_dead_letters])
    finally:
        await admin.close()
    assert {one["topic"]: len(one["partitions"]) for one in described} == {
        topics.commands: 12,
        topics.event_dead_letters: 1,
    }


def test_mongo_is_a_replica_set_that_takes_transactions(mongo_database: str):
    with (
        MongoClient(mongo_database) as client,
        client.start_session() as session,
        session.start_transaction(),
    ):
        database = client.get_default_database()
        database.things.insert_one({"_id": 1}, session=session)
        assert database.things.count_documents({}, session=session) == 1


async def test_postgres_takes_statements(servers: Servers):
    connection = await asyncpg.connect(servers.postgres)
    try:
        assert await connection.fetchval("SELECT 1") == 1
    finally:
        await connection.close()


async def tables(url: str) -> set[str]:
    connection = await asyncpg.connect(url)
    try:
        rows = await connection.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    finally:
        await connection.close()
    return {row["tablename"] for row in rows}


async def test_each_database_is_migrated_and_ones_own(servers: Servers, postgres_database: str):
    assert "alembic_version" in await tables(postgres_database)
    connection = await asyncpg.connect(postgres_database)
    await connection.execute("CREATE TABLE only_here ()")
    await connection.close()
    assert "only_here" not in await tables(servers.postgres)
