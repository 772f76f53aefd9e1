"""The story of a chat: five devices of three people, a stranger, a thousand, and what breaks meanwhile."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import UTC, datetime
from functools import partial
from typing import Any, TypeVar

from stacks.messaging_platform.clients.device import Device, Person
from stacks.messaging_platform.clients.observer import Chat
from stacks.messaging_platform.clients.pushes import Pushes
from stacks.messaging_platform.clients.storm import Storm
from stacks.messaging_platform.clients.uploads import Uploader, infected, photograph
from workbench.dryrun.world import World

T = TypeVar("T")

MANY = 1_000  # members of the largest group
WHILE_AWAY = 45  # more than two pages
TOO_MANY = 130  # a minute
DAY = 24 * 60  # minutes


def play(world: World) -> None:
    """The whole story; what it made beside the stack is taken away at its end."""
    with ExitStack() as ended:
        tell(world, ended)


def tell(world: World, ended: ExitStack) -> None:
    """Delivery to every device, in order and once for its reader; media, presence, privacy; then the faults."""
    chat = Chat(world)
    ada, bob, cleo = (Person(world, name) for name in ("ada", "bob", "cleo"))
    phone, laptop = Device(world, ada, "ada-phone"), Device(world, ada, "ada-laptop")
    bobs, tablet = Device(world, bob, "bob-phone"), Device(world, bob, "bob-tablet")
    cleos = Device(world, cleo, "cleo-phone")
    devices = (phone, laptop, bobs, tablet, cleos)
    direct = group = ""

    with world.step("five devices of three people connect, each by a ticket that is good once"):
        for device in devices:
            device.register()
        chat.until(partial(chat.lets_in, phone), "a socket opens", within=300)
        ticket = phone.ticket()
        world.socket(ticket).close()
        for refused in (ticket, ticket.partition("?")[0], ticket[:-4] + "AAAA"):
            chat.must_refuse(refused)
        for device in devices:
            device.connect()

    with world.step("what one says to the other is on every device of both, and nowhere else"):
        direct = ada.chat_with(bob)
        assert direct == bob.chat_with(ada)
        seq = phone.send(direct, "hello")
        chat.all_show(direct, ["hello"], phone, laptop, bobs, tablet)
        assert cleos.log(direct) == []

    with world.step("the sender sees that it was delivered, and then that it was read"):
        chat.until(
            lambda: phone.receipts.get((direct, bob.id), {}).get("delivered", 0) >= seq, "it was delivered"
        )
        bobs.read(direct)
        chat.until(lambda: phone.receipts[direct, bob.id].get("read", 0) >= seq, "it was read")
        told = ada.get(f"/chats/{direct}/receipts").json()
        assert told[bob.id] == {"delivered": seq, "read": seq}

    with world.step(
        "the same message again, with its id, is the same message; another one with that id is refused"
    ):
        sent = {"action": "send", "chat": direct, "id": uuid.uuid4().hex, "body": {"text": "once"}}
        first, again = phone.ask(sent), laptop.ask(sent)
        assert (again["seq"], again["repeated"]) == (first["seq"], True)
        assert phone.ask({**sent, "body": {"text": "twice"}})["reason"] == "refused"
        chat.all_show(direct, ["hello", "once"], phone, laptop, bobs, tablet)

    with world.step("in a group everybody sees one order, whoever writes at the same time"):
        group = ada.group("three", bob, cleo)
        at_once([partial(device.send, group, f"{device.id} {n}") for n in range(4) for device in devices])
        chat.until(
            lambda: all(len(device.texts(group)) == 20 for device in devices),
            "twenty messages on each device",
        )
        assert len({tuple(device.texts(group)) for device in devices}) == 1
        for device in devices:
            mine = [text for text in cleos.texts(group) if text.startswith(f"{device.id} ")]
            assert sorted(mine) == sorted(f"{device.id} {n}" for n in range(4))

    with world.step("who types is told, to those who are there"):

        def heard() -> bool:
            bobs.type(group)  # an app says it again while somebody goes on
            return cleos.typing.get((group, bob.id)) is True

        chat.until(heard, "that bob types")
        phone.type(direct)
        assert (direct, bob.id) not in cleos.typing

    with world.step("who comes and goes is told to those who watch, as far as they are let"):
        assert ada.put(f"/contacts/{bob.id}").status in (200, 201, 204)  # her contacts alone may see her
        assert bob.put("/me", {"name": "bob", "last_seen": "everyone"}).status == 200
        bobs.watch(ada)
        cleos.watch(ada, bob)
        chat.until(lambda: bobs.presence.get(ada.id, {}).get("online") is True, "that ada is online")
        chat.until(lambda: cleos.presence.get(bob.id, {}).get("online") is True, "that bob is online")
        for device in (phone, laptop):
            device.close()
        chat.until(lambda: bobs.presence[ada.id]["online"] is False, "that ada is gone")
        assert bobs.presence[ada.id]["last_seen"]
        phone.connect()
        laptop.connect()
        chat.until(lambda: bobs.presence[ada.id]["online"] is True, "that ada is back")
        assert not cleos.presence.get(ada.id, {}).get("online")

    with world.step("an edit shows everywhere, and so does a deletion; nobody else's message can be touched"):
        wrong = phone.send(group, "wrnog")
        gone = phone.send(group, "never mind")
        phone.edit(group, wrong, "wrong")
        laptop.delete(group, gone)
        chat.until(
            lambda: all(device.texts(group)[-1] == "wrong" for device in devices),
            "the edit, and the deletion",
        )
        for action in ("edit", "delete"):
            frame = {
                "action": action,
                "chat": group,
                "id": uuid.uuid4().hex,
                "target": wrong,
                "body": {"text": "!"},
            }
            assert cleos.ask(frame)["type"] == "refused"

    with world.step(
        "a photograph is uploaded in parts, cut off and resumed; the members of the chat can fetch it"
    ):
        uploader = Uploader(world, ada, group)
        picture = uploader.upload(photograph(), "image/png", cut_off_after=1)
        uploader.wait_until(picture, "ready")
        phone.send_media(group, picture)
        chat.until(lambda: cleos.texts(group)[-1] == picture, "the photograph's message")
        for person in (bob, cleo):
            assert Uploader(world, person, group).fetch(picture) == photograph()
            assert Uploader(world, person, group).fetch(picture, "thumbnail_url").startswith(b"\xff\xd8")

    with world.step("what a deleted message carried is fetched by nobody any more"):
        carried = uploader.upload(photograph(), "image/png")
        uploader.wait_until(carried, "ready")
        seq = phone.send_media(group, carried)
        assert bob.get(f"/media/{carried}").status == 200
        phone.delete(group, seq)
        for person in (ada, bob, cleo):
            assert person.get(f"/media/{carried}").status == 404

    with world.step("an upload that was given up is gone"):
        media = uploader.give_up(photograph(), "image/png")
        assert ada.get(f"/media/{media}/parts").status in (404, 409, 410)

    with world.step("an upload that S3 no longer has is rejected, and said to have expired"):
        world.only_offline("S3 expires an upload after days")
        chat.forget_an_upload(uploader)

    with world.step("what is not what it says, or is infected, is fetched by nobody, and cannot be sent"):
        for data, type_ in (
            (b"MZ this is no picture", "image/png"),
            (infected(), "application/octet-stream"),
        ):
            media = uploader.upload(data, type_)
            uploader.wait_until(media, "rejected")
            assert "url" not in ada.get(f"/media/{media}").json()
            frame = {"action": "send", "chat": group, "id": uuid.uuid4().hex, "body": {"media": media}}
            assert phone.ask(frame)["type"] == "refused"

    with world.step("a device that was away catches up by pages; the other one had everything at once"):
        bobs.close()
        before = len(tablet.texts(direct))
        at_once([partial(phone.send, direct, f"while away {n}") for n in range(WHILE_AWAY)], threads=4)
        chat.until(lambda: len(tablet.texts(direct)) == before + WHILE_AWAY, "all of it on the tablet")
        chat.until(lambda: chat.inbox(bobs) >= WHILE_AWAY, "all of it in the inbox")
        bobs.connect()
        chat.until(lambda: bobs.texts(direct) == tablet.texts(direct), "all of it on the phone")
        chat.until(lambda: chat.inbox(bobs) == 0, "an empty inbox")

    with world.step(
        "a device that is away is pushed to once for a chat, after a grace time, and not for what is read"
    ):
        pushes = Pushes(world, ended)
        cleos.close()
        chat.until(partial(chat.is_away, cleos), "that cleo is away")
        with world.faults.paused(world.outputs["PushFunctionArn"]):  # what waits for it is no failure
            for n in range(3):
                phone.send(group, f"are you there {n}")
            chat.until(pushes.are_waiting, "pushes wait")
        first_push = pushes.next_for(cleos)
        assert not pushes.is_parked()
        assert first_push["chat"] == group
        assert "text" not in json.dumps(first_push)
        cleos.connect()
        chat.until(lambda: cleos.texts(group) == phone.texts(group), "what was missed")
        cleos.read(group)
        pushes.none_more_for(cleos)

    with world.step("a device without a socket sends and receives over HTTP"):
        tablet.close()
        frame = {"action": "send", "chat": direct, "id": uuid.uuid4().hex, "body": {"text": "by HTTP"}}
        answer = bob.post(f"/actions/{tablet.id}", frame)
        assert (answer.status, answer.json()["type"]) == (200, "sent"), answer.text
        chat.until(lambda: phone.texts(direct)[-1] == "by HTTP", "what was sent by HTTP")
        seq = phone.send(direct, "and back")

        def came() -> bool:
            tablet.catch_up()
            return tablet.shown(direct) >= seq

        chat.until(came, "what was sent to it")
        tablet.connect()

    with world.step("whatever a socket does goes by HTTP, too: edit, delete, receipts, history, media"):
        chat.everything_by_http(ada, phone, direct, picture_of=(group, picture))
        chat.until(lambda: bobs.texts(direct) == phone.texts(direct), "the same on both sides")

    with world.step(
        "where one has blocked the other neither reaches the other, and neither is told who did it"
    ):
        other = cleo.chat_with(bob)
        assert bob.put(f"/blocks/{cleo.id}").status in (200, 204)
        chat.until(lambda: cleos.ask(_text(other))["type"] == "refused", "a refusal")
        told = {
            (answer["reason"], answer["detail"])
            for answer in (cleos.ask(_text(other)), bobs.ask(_text(other)))
        }
        assert len(told) == 1
        assert {reason for reason, _ in told} == {"refused"}
        assert bob.delete(f"/blocks/{cleo.id}").status in (200, 204)

    with world.step("the tables fail the directory: who asks is told to come again"):
        chat.leave_changes_undone(ada, bob, cleo)

    with world.step("whoever sends too much is told to wait, and holds up nobody else"):
        dora = Person(world, "dora")
        doras = Device(world, dora, "dora-phone")
        doras.register()
        doras.connect()
        alone = dora.group("alone")
        reasons: set[str] = set()
        for _ in range(2):  # the first time may be half in one minute, and half in the next
            answers = at_once([partial(doras.ask, _text(alone)) for _ in range(TOO_MANY)])
            reasons |= {each["reason"] for each in answers if each["type"] == "refused"}
            if reasons:
                break
        assert reasons == {"too_many"}
        seq = phone.send(direct, "meanwhile")
        chat.until(lambda: bobs.shown(direct) >= seq, "what somebody else sends")
        doras.close()

    with world.step("who is added to a group sees what comes from then on, and nothing more once they leave"):
        chat.change_a_group(ada, group, dora, phone)

    with world.step("a stranger reads nothing and writes nothing, on any route, with any address"):
        chat.nothing_for_a_stranger(ada, phone, direct, group, picture)

    with world.step("a device that connects again is there once: its first socket is closed"):
        cleos.comes_back = False
        second = world.socket(cleos.ticket())
        chat.until(lambda: not cleos.connected, "the end of the first")
        second.close()
        cleos.connect()

    with world.step("a device that falls silent is gone, though nobody said so and nobody wrote to it"):
        assert cleo.put(f"/contacts/{bob.id}").status in (200, 201, 204)
        bobs.watch(cleo)
        chat.until(lambda: bobs.presence.get(cleo.id, {}).get("online") is True, "that cleo is online", 60)
        with chat.nobody_says_so():
            cleos.drop()
        chat.until(lambda: bobs.presence[cleo.id]["online"] is False, "that cleo is gone", 60)
        chat.until(lambda: not chat.connection_of(cleos), "its connection is forgotten")
        cleos.connect()

    with (
        world.step("without the cache sockets open, messages arrive, and who is there is still told"),
        world.faults.stopped("redis", world.outputs["CacheId"]),
    ):
        laptop.close()
        laptop.connect()
        seq = laptop.send(direct, "without a cache")
        chat.until(lambda: bobs.shown(direct) >= seq, "the message")
        bobs.presence.clear()
        bobs.watch(ada)
        chat.until(lambda: bobs.presence.get(ada.id, {}).get("online") is True, "that ada is online", 60)

    with world.step("in quiet hours a push waits, and comes at their end"):
        world.only_offline("nobody waits there for the morning")
        cleos.close()
        chat.until(partial(chat.is_away, cleos), "that cleo is away")
        now = datetime.now(UTC)
        minute = now.hour * 60 + now.minute
        hours = {"quiet_from": (minute - 60) % DAY, "quiet_to": (minute + 60) % DAY}
        assert cleo.put("/me", {"name": "cleo", **hours}).status == 200
        phone.send(group, "good night")
        waiting = chat.until_one_waits()
        cleos.catch_up()  # by HTTP: she has looked, and puts it away again
        phone.send(group, "are you asleep")
        pushes.none_more_for(cleos)
        assert cleo.put("/me", {"name": "cleo"}).status == 200
        chat.it_is_morning(waiting)
        assert pushes.next_for(cleos)["chat"] == group
        cleos.connect()
        chat.until(lambda: cleos.texts(group) == phone.texts(group), "what was said at night")
        cleos.read(group)  # or nothing more of this chat would be pushed

    with world.step("a socket that is gone without a word is found, and holds up nobody"):
        with chat.nobody_says_so():
            cleos.drop()
        phone.send(group, "is everybody here")
        chat.until(lambda: bobs.texts(group)[-1] == "is everybody here", "it is on the others' devices")
        chat.until(lambda: not chat.connection_of(cleos), "its connection is forgotten")
        assert pushes.next_for(cleos)["chat"] == group
        cleos.connect()
        chat.until(lambda: cleos.texts(group) == phone.texts(group), "what it missed")
        cleos.read(group)

    with world.step("what was left between the directory and the chats is completed by the sweep"):
        world.only_offline("nothing was left undone there")
        chat.sweep_what_is_left(ada, bob, cleo)

    with world.step("the push channel fails: the push is tried again, parked, and sent after the repair"):
        with world.faults.failing(world.outputs["PushFunctionArn"], "sns", action="Publish"):
            cleos.close()  # inside: where this fault cannot be made, she stays for what comes after it
            chat.until(partial(chat.is_away, cleos), "that cleo is away")
            phone.send(group, "nobody is told of this yet")
            pushes.wait_until_parked()
        assert world.faults.redriven(world.outputs["ParkedPushesUrl"]) >= 1
        assert pushes.next_for(cleos)["chat"] == group
        cleos.connect()

    with world.step("what is no record is parked, and what comes after it is delivered"):
        chat.put_what_is_no_event(group)
        phone.send(group, "after it")
        chat.until(lambda: cleos.texts(group)[-1] == "after it", "what came after it")
        chat.until(lambda: "is no event" in chat.parked(), "it is parked")

    with world.step("a message to a thousand members reaches each of their devices once"):
        crowd = chat.crowd_of(MANY, ada, phone)
        seq = phone.send(crowd, "everybody")
        chat.until(
            lambda: chat.reached(crowd, seq, MANY - 1) == MANY - 1, f"it is in {MANY - 1} inboxes", within=60
        )
        chat.until(lambda: phone.texts(crowd) == ["everybody"], "it is on the sender's own device")

    with world.step(
        "a consumer dies between the inbox and the sockets, and a broker is away: nothing is lost"
    ):
        program = world.outputs["FanOutDeployment"]
        with world.faults.worker_killed(program, service="dynamodb", action="BatchWriteItem"):
            phone.send(direct, "one of the two is dead")
            chat.until(
                lambda: bobs.texts(direct)[-1] == "one of the two is dead",
                "the other one delivers",
                within=60,
            )
        with world.faults.broker_down(world.outputs["KafkaName"], 1):
            phone.send(direct, "two brokers of three")
            chat.until(lambda: bobs.texts(direct)[-1] == "two brokers of three", "it is delivered", within=60)

    everybody = {direct: (phone, laptop, bobs, tablet), group: devices}
    with world.step("after a storm of sends, losses and repetitions every view is whole, and the same"):
        chat.until(partial(Storm, everybody), "all devices show the same")
        storm = Storm(everybody)
        storm.rage()
        storm.calm_down()
        chat.until(storm.is_over, "every view equals what was acknowledged", within=60)

    with world.step(
        "the promise: so it is while a consumer dies, another stands still, and all is told again"
    ):
        storm, program = Storm(everybody, seed=24), world.outputs["FanOutDeployment"]
        with world.faults.worker_killed(program, service="dynamodb", action="BatchWriteItem"):
            storm.rage(steps=30)
        with world.faults.pod_frozen(program):
            storm.rage(steps=30)
        with world.faults.delivered_again(world.outputs["MessagesStreamArn"]):  # what the storm had delivered
            storm.rage(steps=10)
        storm.calm_down()
        chat.until(storm.is_over, "every view equals what was acknowledged", within=60)


def _text(chat: str) -> dict[str, Any]:
    """A message of its own."""
    return {"action": "send", "chat": chat, "id": uuid.uuid4().hex, "body": {"text": "hey"}}


def at_once(calls: Sequence[Callable[[], T]], threads: int = 5) -> list[T]:
    """All of `calls`, from a few threads."""
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(lambda call: call(), calls))
