"""Follows one chat and sends each line of standard input, with nothing but the package `websockets` (10 or later).

    python3 chat.py http://localhost:8080/graphql TOKEN CHAT_ID

Every message is printed once, as `name: text`, also after a lost connection or a restarted gateway.
"""

import asyncio
import json
import random
import sys
import uuid

import websockets

MESSAGES = """subscription ($chatId: ID, $after: String) {
  messageAdded(chatId: $chatId, after: $after) { id cursor content sender { name } }
}"""
NEWEST = """query ($chatId: ID!) {
  chat(id: $chatId) { messages(last: 50) { nodes { content sender { name } } pageInfo { endCursor } } }
}"""
SEND = """mutation ($chatId: ID!, $content: String!, $clientMessageId: ID) {
  sendMessage(chatId: $chatId, content: $content, clientMessageId: $clientMessageId) { id }
}"""

LONGEST_WAIT_S = 30

# What passes by itself.
TRANSIENT = ("RATE_LIMITED", "UPSTREAM_UNAVAILABLE", "UPSTREAM_TIMEOUT")


class Refused(Exception):
    """The gateway will not answer otherwise, however often it is asked."""


class Chat:
    def __init__(self, url, token, chat_id):
        self.url = url.replace("http", "ws", 1)
        self.token = token
        self.chat_id = chat_id
        self.id = str(uuid.uuid4())  # of the subscription; where it is unique, the gateway remembers its position
        self.has_begun = False
        self.cursor = None  # of the newest message
        self.unsent = {}  # text by clientMessageId: sent again after a reconnect, which is safe
        self.socket = None
        self.running = set()  # ids of operations of this connection: an id that is running cannot be used again
        self.attempts = 0

    async def run(self):
        while True:
            try:
                async with websockets.connect(self.url, subprotocols=["graphql-transport-ws"]) as socket:
                    await self.follow(socket)
            except websockets.ConnectionClosed as closed:
                # 4403: the token is refused. 4408: it took too long. The others: a defect of this program.
                code = closed.rcvd.code if closed.rcvd else 1006
                if code == 1009 or (4400 <= code < 4500 and code != 4408):
                    raise Refused(f"{closed.rcvd.code} {closed.rcvd.reason}") from closed
            except (OSError, asyncio.TimeoutError, websockets.InvalidHandshake):
                pass
            finally:
                self.socket = None
                self.running.clear()
            longest = min(LONGEST_WAIT_S, 0.5 * 2**self.attempts)
            self.attempts += 1
            await asyncio.sleep(longest * random.uniform(0.5, 1))

    async def follow(self, socket):
        await socket.send(json.dumps({"type": "connection_init", "payload": {"token": self.token}}))
        async for text in socket:
            message = json.loads(text)
            kind, payload = message["type"], message.get("payload")
            if kind == "connection_ack":
                self.attempts = 0
                self.socket = socket
                await (self.subscribe() if self.cursor else self.ask("newest", NEWEST, chatId=self.chat_id))
            elif kind == "ping":
                await socket.send(json.dumps({"type": "pong"}))
            elif kind == "complete":
                self.running.discard(message["id"])
            elif kind == "error":
                self.running.discard(message["id"])
                await self.refused(message["id"], payload)
            elif kind == "next":
                await self.answered(message["id"], payload)

    async def subscribe(self):
        """From the cursor on. What is not sent yet follows."""
        self.has_begun = True
        await self.ask(self.id, MESSAGES, chatId=self.chat_id, after=self.cursor)
        for id in list(self.unsent):
            await self.send_again(id)

    async def answered(self, id, result):
        if result.get("errors"):
            await self.refused(id, result["errors"])
        elif id == "newest":
            messages = result["data"]["chat"]["messages"]
            if self.has_begun and not self.cursor:  # the chat was empty: all of it is new
                for message in messages["nodes"]:
                    show(message)
            self.cursor = messages["pageInfo"]["endCursor"]
            await self.subscribe()
        elif id == self.id:
            message = result["data"]["messageAdded"]
            self.cursor = message["cursor"]
            show(message)
        else:
            self.unsent.pop(id, None)

    async def refused(self, id, errors):
        code = errors[0].get("extensions", {}).get("code")
        if code == "CURSOR_EXPIRED":
            print("(more was missed than can be delivered)", flush=True)
            await self.ask("newest", NEWEST, chatId=self.chat_id)
        elif code in TRANSIENT:
            asyncio.get_running_loop().call_later(1, lambda: asyncio.ensure_future(self.again(id)))
        elif id in self.unsent:
            print(f"(not sent: {errors[0]['message']})", flush=True)
            del self.unsent[id]
        else:
            raise Refused(errors[0]["message"])

    async def again(self, id):
        if id in self.unsent:
            await self.send_again(id)
        elif id == self.id:
            await self.subscribe()
        elif self.id not in self.running:
            await self.ask("newest", NEWEST, chatId=self.chat_id)

    async def send(self, content):
        id = str(uuid.uuid4())
        self.unsent[id] = content
        await self.send_again(id)

    async def send_again(self, id):
        if self.has_begun and id in self.unsent:
            await self.ask(id, SEND, chatId=self.chat_id, content=self.unsent[id], clientMessageId=id)

    async def ask(self, id, query, **variables):
        if not self.socket or id in self.running:
            return
        self.running.add(id)
        payload = {"query": query, "variables": variables}
        try:
            await self.socket.send(json.dumps({"id": id, "type": "subscribe", "payload": payload}))
        except websockets.ConnectionClosed:
            pass  # Asked again once it is back.


def show(message):
    print(f"{message['sender']['name']}: {message['content']}", flush=True)


async def main(url, token, chat_id):
    chat = Chat(url, token, chat_id)
    running = asyncio.ensure_future(chat.run())
    lines = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)

    async def read():
        while line := await lines.readline():
            if text := line.decode().strip():
                await chat.send(text)

    reading = asyncio.ensure_future(read())
    try:
        await running
    finally:
        reading.cancel()


if __name__ == "__main__":
    try:
        asyncio.run(main(*sys.argv[1:]))
    except Refused as refusal:
        sys.exit(f"refused: {refusal}")
