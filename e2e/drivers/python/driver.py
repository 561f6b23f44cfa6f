"""A Matrix client made of matrix-nio, driven by JSON lines on standard input.

One line in is one command, `{"id": 1, "cmd": "join", ...}`. Lines out are its answer (`{"id": 1, "ok": ...}` or
`{"id": 1, "error": ...}`) and what the client sees: `{"event": "message", ...}` for each message of a timeline, in
the timeline's order, and `{"event": "sent", ...}` for each message that the server acknowledged.

The client behaves as an application would: it runs nio's own sync loop, lets nio retry what fails on the wire, sends
again under the same transaction id what the server failed, and pages back over a gap in a timeline.
"""

import asyncio
import json
import sys
from uuid import uuid4

from aiohttp import ClientError
from nio import (
    AsyncClient,
    AsyncClientConfig,
    ErrorResponse,
    MessageDirection,
    RoomMessageText,
    RoomMessagesResponse,
    RoomSendResponse,
    SyncResponse,
)

RETRY_SECONDS = 0.2
PAGE_EVENTS = 100
LONG_POLL_MS = 30_000


def emit(line):
    """Writes one line to the test."""
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


def checked(response):
    """The response, unless the server answered with an error."""
    if isinstance(response, ErrorResponse):
        raise RuntimeError(str(response))
    return response


class Driver:
    """One signed-in client and the timelines that it has seen."""

    def __init__(self, base_url):
        config = AsyncClientConfig(max_timeout_retry_wait_time=1, request_timeout=60)
        self.client = AsyncClient(base_url, config=config)
        self.client.add_response_callback(self.on_sync, SyncResponse)
        self.seen = {}
        self.tasks = []

    async def register(self, username, password):
        response = checked(await self.client.register(username, password))
        return {"user_id": response.user_id, "device_id": response.device_id}

    async def login(self, username, password):
        self.client.user = username
        response = checked(await self.client.login(password))
        return {"user_id": response.user_id, "device_id": response.device_id}

    async def create_room(self, invite):
        response = checked(await self.client.room_create(name="Two people", invite=invite))
        return {"room_id": response.room_id}

    async def invite(self, room_id, user_id):
        checked(await self.client.room_invite(room_id, user_id))

    async def join(self, room_id):
        checked(await self.client.join(room_id))

    async def start_sync(self):
        self.tasks.append(asyncio.create_task(self.sync_forever()))

    async def send(self, room_id, prefix, first, count):
        numbers = range(first, first + count)
        self.tasks.append(asyncio.create_task(self.send_all(room_id, prefix, numbers)))

    async def online(self):
        """The network came back. nio asks again by itself."""

    async def sync_forever(self):
        while True:
            try:
                await self.client.sync_forever(timeout=LONG_POLL_MS)
            except ClientError as error:
                # nio gives up when an answer is cut off in the middle; its `next_batch` is still the old one.
                emit({"event": "log", "text": f"sync loop restarted after {error!r}"})
                await asyncio.sleep(RETRY_SECONDS)

    async def send_all(self, room_id, prefix, numbers):
        for number in numbers:
            body = f"{prefix}{number}"
            event_id = await self.send_one(room_id, body, str(uuid4()))
            emit({"event": "sent", "body": body, "event_id": event_id})

    async def send_one(self, room_id, body, txn_id):
        content = {"msgtype": "m.text", "body": body}
        while True:
            try:
                response = await self.client.room_send(room_id, "m.room.message", content, tx_id=txn_id)
            except ClientError as error:
                response = error
            if isinstance(response, RoomSendResponse):
                return response.event_id
            emit({"event": "log", "text": f"send of {body} failed: {response!r}"})
            await asyncio.sleep(RETRY_SECONDS)

    async def on_sync(self, response):
        for room_id, room in response.rooms.join.items():
            events = room.timeline.events
            if room.timeline.limited and room.timeline.prev_batch:
                events = await self.gap(room_id, room.timeline.prev_batch) + events
            for event in events:
                self.report(room_id, event)

    async def gap(self, room_id, token):
        """The events between what was seen and a timeline that was cut short, oldest first."""
        known = self.seen.get(room_id, set())
        missing = []
        while token:
            page = await self.page(room_id, token)
            for event in page.chunk:
                if event.event_id in known:
                    return missing[::-1]
                missing.append(event)
            token = page.end if page.chunk else None
        return missing[::-1]

    async def page(self, room_id, token):
        while True:
            response = await self.client.room_messages(
                room_id, token, direction=MessageDirection.back, limit=PAGE_EVENTS
            )
            if isinstance(response, RoomMessagesResponse):
                return response
            emit({"event": "log", "text": f"page back failed: {response!r}"})
            await asyncio.sleep(RETRY_SECONDS)

    def report(self, room_id, event):
        self.seen.setdefault(room_id, set()).add(event.event_id)
        if isinstance(event, RoomMessageText):
            emit(
                {
                    "event": "message",
                    "room_id": room_id,
                    "event_id": event.event_id,
                    "sender": event.sender,
                    "body": event.body,
                }
            )


COMMANDS = {"register", "login", "create_room", "invite", "join", "start_sync", "send", "online"}


async def answer(driver, line):
    """Carries out one command and answers it."""
    command = json.loads(line)
    number, name = command.pop("id"), command.pop("cmd")
    try:
        if name not in COMMANDS:
            raise ValueError(f"no command {name}")
        emit({"id": number, "ok": await getattr(driver, name)(**command)})
    except Exception as error:  # The test decides what an error means.
        emit({"id": number, "error": repr(error)})


async def main():
    driver = Driver(sys.argv[1])
    lines = asyncio.StreamReader(limit=2**20)
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    while line := await lines.readline():
        await answer(driver, line)
        for task in driver.tasks:
            if task.done() and task.exception():
                raise task.exception()
    await driver.client.close()


asyncio.run(main())
