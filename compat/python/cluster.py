"""Two NameServers and two brokers: do producers and push consumers go on when one of each is lost, and take it back when it returns?"""

from collections import Counter

from clients import ends, numbered, producer, push, send_bodies
from harness import brief

STAYS, GOES = "broker-a", "broker-b"


def servers_lost(case):
    """One producer and one consumer live through all of it."""
    p = producer(case)
    # The route of TBW102 names both brokers, so sends in a row make the topic on both. A new group starts at the end of an empty queue, so
    # every queue gets a message before there is a consumer.
    before = send_many(case, p, "before")
    until_ends(case, lambda seen: len(seen) == 8 and all(seen.values()), "a message in each of eight queues")
    inbox = push(case, case.topic)
    until_among(case, inbox, before, "messages with all servers")

    case.control("kill-nameserver", "nameserver-1")
    until_among(case, inbox, send_many(case, p, "one-nameserver"), "messages with one NameServer")

    case.control("kill-broker", GOES)
    until_among(case, inbox, send_many(case, p, "one-broker"), "messages with one broker")

    case.control("start-broker", GOES)
    case.control("start-nameserver", "nameserver-1")
    after = send_until_both_grow(case, p, "after")
    until_among(case, inbox, after, "messages with all servers again")


def send_many(case, p, prefix):
    """The client itself turns to another broker, so not one send may fail."""
    bodies = numbered(prefix, 40)
    send_bodies(case, p, case.topic, bodies)
    return bodies


def send_until_both_grow(case, p, prefix):
    """Sends, without one failure, until each broker got a message, and gives the bodies."""
    bodies = []
    until_ends(case, lambda seen: len(seen) == 8 and all(seen.values()), "both brokers in the route")
    began = by_broker(case)

    def grown():
        bodies.append(f"{prefix}-{len(bodies):04}")
        send_bodies(case, p, case.topic, bodies[-1:])
        now = by_broker(case)
        return all(now[broker] > began[broker] for broker in (STAYS, GOES))

    case.until(grown, "a message at each broker", lambda: f"{by_broker(case)} after {began}")
    return bodies


def by_broker(case):
    """How many messages each broker has."""
    counts = Counter()
    for (broker, _), count in ends(case.topic).items():
        counts[broker] += count
    return counts


def until_ends(case, hold, what):
    case.until(lambda: hold(ends(case.topic)), what, lambda: ends(case.topic))


def until_among(case, inbox, expected, what):
    """Waits until the bodies are there; a broker that is killed forgets offsets, so some may be there twice."""
    missing = lambda: sorted(set(expected) - set(inbox.bodies()))
    case.until(lambda: not missing(), what, lambda: f"missing {brief(missing())}")
