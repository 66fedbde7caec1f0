"""What a broker does about a killed member when its session ends, at once: no test need wait for that clock.

That the broker itself misses such a member is Kafka's promise; command-service's `test_watchdog` waits for it.
"""

from typing import Any

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import for_code
from aiokafka.protocol.group import LeaveGroupRequest

UNKNOWN_MEMBER = 25  # its session ended before we asked


async def remove_members(address: str, prefix: str) -> int:
    """Remove every member from the consumer groups whose names begin so; return how many there were."""
    admin = AIOKafkaAdminClient(bootstrap_servers=address)
    await admin.start()
    removed = 0
    try:
        names = [name for name, *_ in await admin.list_consumer_groups() if name.startswith(prefix)]
        for name in names:
            coordinator = await admin.find_coordinator(name)
            for member in await members_of(admin, name):
                answer: Any = await admin._send_request(LeaveGroupRequest(name, member), coordinator)
                if answer.error_code not in (0, UNKNOWN_MEMBER):
                    raise for_code(answer.error_code)(f"{member} of {name}")
                removed += 1
    finally:
        await admin.close()
    return removed


async def members_of(admin: AIOKafkaAdminClient, group: str) -> list[str]:
    found: list[str] = []
    for answer in await admin.describe_consumer_groups([group]):
        described: Any = answer
        for one in described.to_object()["groups"]:
            found += [member["member_id"] for member in one["members"]]
    return found
