"""Consumers: is every message given once, to whom it belongs, in order, from the right place on?"""

from clients import message, numbered, primed, producer, pull_consumer, pull_offsets, push, received, send_bodies, send_by_ipv6, stored
from harness import TARGET, brief
from rocketmq.client import PullConsumer
from rocketmq.exceptions import RocketMQException
from rocketmq.ffi import MessageModel


def clustering(case):
    p = producer(case)
    before = numbered("before", 100)
    send_bodies(case, p, case.topic, before)
    stored(case, case.topic, 100)
    inbox = push(case, case.topic)
    inbox.until_bodies(before, "messages sent before the consumer")
    after = numbered("after", 100)
    send_bodies(case, p, case.topic, after)
    inbox.until_bodies(before + after, "messages sent before and after the consumer")


def by_ipv6(case):
    """A producer with an IPv6 address takes nothing from readers that know nothing of IPv6."""
    if TARGET == "java":
        return  # its broker stores the address in 16 bytes, which ends the process of this client
    p = producer(case)
    before = primed(case, p)
    inbox = push(case, case.topic)
    inbox.until_bodies(before, "what came before")
    send_by_ipv6(case, case.topic, "by IPv6")
    send_bodies(case, p, case.topic, ["behind it"])
    inbox.until_bodies([*before, "by IPv6", "behind it"], "messages of both producers")


def broadcasting(case):
    p = producer(case)
    primed(case, p)
    one = push(case, case.topic, model=MessageModel.BROADCASTING)
    two = push(case, case.topic, model=MessageModel.BROADCASTING)
    # A broadcast group starts at the end of each queue, so messages count from when both have seen something of every queue.
    every_queue = lambda inbox: {m.queue_id for m in inbox.all()} == {0, 1, 2, 3}

    def reached():
        send_bodies(case, p, case.topic, numbered("warm", 4))
        return every_queue(one) and every_queue(two)

    case.until(reached, "all queues at both members", lambda: f"{brief(one.bodies())} and {brief(two.bodies())}")
    bodies = numbered("all", 60)
    send_bodies(case, p, case.topic, bodies)
    for inbox in (one, two):
        mine = lambda: [body for body in inbox.bodies() if body.startswith("all")]
        case.until(lambda: len(mine()) >= 60, "messages for all", lambda: brief(mine()))
        case.same_bodies(mine(), bodies, "messages of one member")


def tags(case):
    p = producer(case)
    untagged = primed(case, p)
    some = push(case, case.topic, "red || blue", group=f"{case.group}-some")
    every = push(case, case.topic, group=f"{case.group}-every")
    bodies = []
    for i in range(60):
        tag = ["red", "green", "blue"][i % 3]
        bodies.append(f"{tag}-{i}")
        p.send_sync(message(case.topic, bodies[-1], tag=tag))
    every.until_bodies(untagged + bodies, "subscription to *")
    some.until_bodies([body for body in bodies if not body.startswith("green")], "subscription to red || blue")


def order_of_one_queue(case):
    p = producer(case)
    steps = numbered("step", 300)
    for step in steps:
        p.send_orderly(message(case.topic, step), 1)
    stored(case, case.topic, 300)
    # One thread consumes, so the order given is the order stored.
    inbox = push(case, case.topic, threads=1)
    inbox.until_bodies(steps, "all steps")
    case.same_order(inbox.bodies(), steps, "order of one queue")


def orderly_listener(case):
    """An orderly listener holds the lock of each queue at the broker and sees it in order."""
    p = producer(case)
    for i in range(200):
        p.send_orderly(message(case.topic, f"{i % 4}/{i:04}"), i)
    stored(case, case.topic, 200)
    inbox = push(case, case.topic, orderly=True)
    case.until(lambda: len(inbox.all()) >= 200, "200 messages in order", lambda: brief(inbox.bodies()))
    for queue in range(4):
        got = [body for body in inbox.bodies() if body.startswith(f"{queue}/")]
        case.same_order(got, [f"{queue}/{i:04}" for i in range(queue, 200, 4)], f"order of queue {queue}")


def pull(case):
    p = producer(case)
    bodies = numbered("m", 100)
    send_bodies(case, p, case.topic, bodies)
    pull_all(case, bodies)
    send_bodies(case, p, case.topic, ["late"])
    pull_all(case, ["late"])


def pull_tags(case):
    p = producer(case)
    for i in range(60):
        p.send_sync(message(case.topic, f"m{i}", tag=["a", "蓝", "c"][i % 3]))
    pull_all(case, [f"m{i}" for i in range(1, 60, 3)], "蓝")


def pull_from_offset(case):
    """The package keeps pull offsets in a table that the application may set."""
    p = producer(case)
    bodies = [f"m{i}" for i in range(20)]
    for body in bodies:
        p.send_orderly(message(case.topic, body), 2)
    case.same_order(pull_all(case, bodies), bodies, "from the start")
    [of_queue_2] = [key for key in pull_offsets(case.topic) if key.endswith("@2")]
    PullConsumer.offset_table[of_queue_2] = 15
    case.same_order(pull_all(case, bodies[15:]), bodies[15:], "from offset 15")


def pull_all(case, expected, expression="*"):
    """Pulls until the expected bodies are there: a message may show a moment after its send was answered."""
    found = []

    def enough():
        found.extend(received(m).body for m in pull_consumer().pull(case.topic, expression))
        return len(found) >= len(expected)

    case.until(enough, f"{len(expected)} messages pulled", lambda: brief(found))
    case.same_bodies(found, expected, "messages pulled")
    return found


def offsets_over_client_restart(case):
    """What was consumed before a shutdown is not given again."""
    p = producer(case)
    first = numbered("first", 50)
    send_bodies(case, p, case.topic, first)
    stored(case, case.topic, 50)
    one = push(case, case.topic)
    one.until_bodies(first, "first messages")
    one.close()
    second = numbered("second", 50)
    send_bodies(case, p, case.topic, second)
    push(case, case.topic).until_bodies(second, "messages since the shutdown")


def share_and_take_over(case):
    p = producer(case)
    primed(case, p)
    one, two = push(case, case.topic), push(case, case.topic)
    rounds = 0

    def share():
        """One message per queue. While queues change hands a message may be given twice, so a round is over when all of it was seen."""
        nonlocal rounds
        rounds += 1
        prefix = f"round{rounds}-"
        for i in range(4):
            p.send_orderly(message(case.topic, f"{prefix}{i}"), i)
        of = lambda inbox: [body for body in inbox.bodies() if body.startswith(prefix)]
        case.until(lambda: len({*of(one), *of(two)}) == 4, "a whole round", lambda: brief(of(one) + of(two)))
        return len(of(one)), len(of(two))

    def until_shared(wanted):
        last = []

        def shared():
            last[:] = share()
            return tuple(last) == wanted

        case.until(shared, f"shared {wanted}", lambda: last)

    until_shared((2, 2))
    settled_one, settled_two = len(one.all()), len(two.all())
    for _ in range(5):
        case.equal(share(), (2, 2), "share of a round")
    both = {m.queue_id for m in one.all()[settled_one:]} & {m.queue_id for m in two.all()[settled_two:]}
    case.equal(both, set(), "queues read by both")

    one.close()
    until_shared((0, 4))
    case.equal(len({*one.bodies(), *two.bodies()}), 4 * rounds + 4, "different messages given")


def offsets_over_broker_restart(case):
    """Offsets, messages and the topic outlive the broker's process."""
    first = numbered("first", 50)
    send_bodies(case, producer(case), case.topic, first)
    stored(case, case.topic, 50)
    one = push(case, case.topic)
    one.until_bodies(first, "first messages")
    one.close()
    # The last offsets go to the broker without an answer, and Java takes them up in another thread than the requests after them. A stop
    # at once may overtake them; these round trips give them their turn.
    stored(case, case.topic, 50)

    case.restart_broker()

    p = producer(case, "after")
    second = numbered("second", 50)
    send_until_taken(case, p, second)
    push(case, case.topic).until_bodies(second, "messages since the restart")
    case.same_bodies([m.body for m in stored(case, case.topic, 100)], first + second, "all messages")


def live_through_broker_restart(case):
    """A producer and a consumer that know nothing of the restart go on with it."""
    p = producer(case)
    before = numbered("before", 20)
    send_bodies(case, p, case.topic, before)
    stored(case, case.topic, 20)
    inbox = push(case, case.topic)
    inbox.until_bodies(before, "messages before the restart")

    case.restart_broker()

    after = numbered("after", 20)
    send_until_taken(case, p, after)
    case.until(lambda: set(after) <= set(inbox.bodies()), "messages after the restart", lambda: brief(inbox.bodies()))


def send_until_taken(case, p, bodies):
    """A connection is found broken by the first send on it, which the application then repeats."""
    for body in bodies:
        failure = None

        def taken():
            nonlocal failure
            try:
                return p.send_sync(message(case.topic, body)).status == 0
            except RocketMQException as error:
                failure = error
                return False

        case.until(taken, f"a send of {body}", lambda: failure)
