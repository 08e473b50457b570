"""A mail server of the tests: aiosmtpd, which does to a recipient what the first part of its address says. What it took is a
line of JSON in a file each; what it was asked beside that, a line of another. It ends when its standard input does."""

import argparse
import asyncio
import json
import ssl
import sys

from aiosmtpd.smtp import SMTP, AuthResult

parser = argparse.ArgumentParser()
parser.add_argument("--tls", choices=["none", "required", "implicit"], default="none")
parser.add_argument("--certificate")
parser.add_argument("--key")
parser.add_argument("--user")
parser.add_argument("--password")
parser.add_argument("--taken", required=True)
given = parser.parse_args()


def note(line):
    with open(given.taken, "a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")


class Handler:
    """Each recipient's own fate. What begins with `once-` befalls them the first time only."""

    def __init__(self):
        self.seen = set()

    def fate(self, address):
        fate = address.split("@")[0]
        if fate.startswith("once-"):
            if fate in self.seen:
                return ""
            self.seen.add(fate)
            return fate.removeprefix("once-")
        return fate

    async def handle_RCPT(self, server, session, envelope, address, options):
        fate = self.fate(address)
        session.fate = fate
        if fate.startswith("gone"):
            return "550 5.1.1 there is nobody of this name"
        if fate.startswith("bare"):
            return "550 no such mailbox"
        if fate.startswith("relay"):
            return "554 5.7.1 you may not send there"
        if fate.startswith("later"):
            return "451 4.7.1 come back later"
        if fate.startswith("dies-before"):
            server.transport.abort()
        if fate.startswith("silent"):
            await asyncio.sleep(3600)
        if fate.startswith("flood"):
            while True:
                server._writer.write(b"250-and more of it\r\n" * 1000)
                await server._writer.drain()
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 fine"

    async def handle_DATA(self, server, session, envelope):
        fate = session.fate
        if fate.startswith("spam"):
            return "554 5.7.1 this is spam"
        if fate.startswith("full"):
            return "452 4.3.1 no room now"
        if fate.startswith("lost"):
            server.transport.abort()
            return "250 nobody hears this"
        note({
            "to": envelope.rcpt_tos,
            "from": envelope.mail_from,
            "tls": session.ssl is not None,
            "port": session.peer[1],
            "bytes": envelope.original_content.hex(),
        })
        if fate.startswith("mute"):
            await asyncio.sleep(3600)
        if fate.startswith("dies-after"):
            server.transport.abort()
        return "250 2.0.0 taken as 7F3A"


def authenticate(server, session, envelope, mechanism, data):
    user, password = data.login.decode(), data.password.decode()
    right = user == given.user and password == given.password
    # Some servers quote what they were told.
    says = None if right else f"535 5.7.8 {user} {password} is not right"
    return AuthResult(success=right, handled=False, message=says)


async def serve():
    context = None
    if given.tls != "none":
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(given.certificate, given.key)
    handler = Handler()

    def connection():
        auth = {}
        if given.user:
            auth = {"authenticator": authenticate, "auth_required": True, "auth_require_tls": given.tls == "required"}
        starts = {"tls_context": context, "require_starttls": True} if given.tls == "required" else {}
        return SMTP(handler, hostname="mail.test", timeout=3600, **auth, **starts)

    server = await asyncio.get_running_loop().create_server(
        connection, "127.0.0.1", 0, ssl=context if given.tls == "implicit" else None
    )
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


asyncio.run(serve())
