"""What a business message can do beyond arriving: come again, and wait."""

import re

from clients import message, primed, producer, push
from harness import brief


def fails(m):
    """`fails 2 ...` fails twice."""
    times = re.match(r"fails (\d+)", m.body.decode())
    return bool(times) and m.reconsume_times < int(times[1])


def attempts(inbox):
    return [f"{m.body}/{m.reconsume_times}" for m in inbox.all()]


def retry(case):
    """What fails comes again after 10 s, the first step of the ladder, as the same message."""
    p = producer(case)
    prime = primed(case, p)
    inbox = push(case, case.topic, properties=["colour", "RETRY_TOPIC"], is_later=fails)
    # What the client takes together it gives back together, so nothing else is around in the queue.
    inbox.until_bodies(prime, "what came before")
    p.send_orderly(message(case.topic, "fails 1 time", tag="tag", keys="key", properties={"colour": "红"}), 0)
    p.send_orderly(message(case.topic, "good"), 1)
    case.until(lambda: len(inbox.all()) >= len(prime) + 3, "all attempts", lambda: brief(attempts(inbox)))
    case.same_bodies(attempts(inbox), [f"{body}/0" for body in prime] + ["fails 1 time/0", "fails 1 time/1", "good/0"], "attempts")
    [again] = [m for m in inbox.all() if m.reconsume_times == 1]
    case.equal(again.properties, {"colour": "红", "RETRY_TOPIC": case.topic}, "properties of the second attempt")
    case.equal((again.tags, again.keys), ("tag", "key"), "tag and key of the second attempt")
    case.check(again.store_timestamp - again.born_timestamp >= 10_000, f"the second attempt: {again}")


def delay_levels(case):
    """Never early, and in the order of their due times."""
    p = producer(case)
    prime = primed(case, p)
    inbox = push(case, case.topic)
    inbox.until_bodies(prime, "what came before")
    delays = {"level 0": 0, "level 1": 1_000, "level 2": 5_000}
    for level in (2, 1, 0):
        m = message(case.topic, f"level {level}")
        m.set_delay_time_level(level)
        p.send_sync(m)
    inbox.until_bodies([*prime, *delays], "delayed messages")
    case.same_order([body for body in inbox.bodies() if body in delays], list(delays), "order of arrival")
    for m in inbox.all():
        waited = m.store_timestamp - m.born_timestamp
        case.check(waited >= delays.get(m.body, 0), f"{m.body} came after {waited} ms")
