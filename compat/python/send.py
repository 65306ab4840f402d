"""Sends: does every way of sending store the message where the answer says?"""

import base64
import random
import re
import threading

from clients import message, numbered, producer, send_bodies, stored
from harness import TARGET
from rocketmq.exceptions import RocketMQException


def auto_created_topic(case):
    """The first send to an unknown topic goes by the route of TBW102 and makes the topic with min(4, 8) queues."""
    p = producer(case)
    [first] = send_bodies(case, p, case.topic, ["first"])
    case.equal(first.offset, 0, "offset of the first message")
    send_bodies(case, p, case.topic, numbered("more", 15))
    case.equal({m.queue_id for m in stored(case, case.topic, 16)}, {0, 1, 2, 3}, "queues")


def one_by_one(case):
    p = producer(case)
    bodies = numbered("m", 40)
    answers = dict(zip(bodies, send_bodies(case, p, case.topic, bodies)))
    messages = stored(case, case.topic, 40)
    case.same_bodies([m.body for m in messages], bodies, "messages stored")
    for m in messages:
        answer = answers[m.body]
        case.check(re.fullmatch("[0-9A-F]{32}", answer.msg_id), f"message id {answer.msg_id}")
        case.equal(m.id, answer.msg_id, "message id as read")
        case.equal(m.queue_offset, answer.offset, "queue offset as read")
        case.equal(m.reconsume_times, 0, "reconsume times")
    case.equal(len({(m.queue_id, m.queue_offset) for m in messages}), 40, "different places in queues")


def asynchronous(case):
    p = producer(case)
    send_bodies(case, p, case.topic, ["first"])
    lock, results, failures = threading.Lock(), [], []

    def answered(result):
        with lock:
            results.append(result)

    bodies = numbered("m", 100)
    for body in bodies:
        p.send_async(message(case.topic, body), answered, failures.append)
    case.until(lambda: len(results) + len(failures) == 100, "all answers", lambda: f"{len(results)} and {failures}")
    case.equal(failures, [], "failures")
    case.equal({r.status for r in results}, {0}, "send status")
    case.equal(len({r.msg_id for r in results}), 100, "different message ids")
    case.same_bodies([m.body for m in stored(case, case.topic, 101)], ["first", *bodies], "messages stored")


def oneway(case):
    p = producer(case)
    send_bodies(case, p, case.topic, ["first"])
    bodies = numbered("m", 50)
    for body in bodies:
        p.send_oneway(message(case.topic, body))
    case.same_bodies([m.body for m in stored(case, case.topic, 51)], ["first", *bodies], "messages stored")


def batch(case):
    """This client sends a batch with code 10 and `batch="1"`, which RoxMQ reads as it is meant: the messages of the batch lie in one queue
    without gaps. Java reads only "true" as true, so it stores the whole batch as the body of one message; the body begins with a zero
    byte, which ends it for this client."""
    p = producer(case)
    send_bodies(case, p, case.topic, ["first"])
    result = p.send_batch([message(case.topic, f"m{i}", tag=f"tag{i}") for i in range(6)])
    case.equal(result.status, 0, "send status")
    send_bodies(case, p, case.topic, ["after"])
    if TARGET == "java":
        case.same_bodies([m.body for m in stored(case, case.topic, 3)], ["", "first", "after"], "messages stored")
        return
    messages = [m for m in stored(case, case.topic, 8) if m.body not in ("first", "after")]
    messages.sort(key=lambda m: m.queue_offset)
    case.same_order([m.body for m in messages], [f"m{i}" for i in range(6)], "the batch in the order of its offsets")
    case.same_order([m.tags for m in messages], [f"tag{i}" for i in range(6)], "tags of the batch")
    case.equal(len({m.queue_id for m in messages}), 1, "queues of the batch")
    case.equal(messages[5].queue_offset - messages[0].queue_offset, 5, "span of the batch")
    case.equal(messages[0].queue_offset, result.offset, "first offset, as answered")


def selected_queue(case):
    p = producer(case)
    send_bodies(case, p, case.topic, ["first"])
    answers = {}
    for i in range(40):
        result = p.send_orderly(message(case.topic, f"{i % 4}/{i}"), i)
        case.equal(result.status, 0, "send status")
        answers[f"{i % 4}/{i}"] = result.offset
    for m in stored(case, case.topic, 41):
        if m.body != "first":
            case.equal(m.queue_id, int(m.body.split("/")[0]), f"queue of {m.body}")
            case.equal(m.queue_offset, answers[m.body], f"offset of {m.body}")


def selected_queue_oneway(case):
    p = producer(case)
    send_bodies(case, p, case.topic, ["first"])
    for i in range(40):
        p.send_oneway_orderly(message(case.topic, f"{i % 4}/{i}"), i)
    for m in stored(case, case.topic, 41):
        if m.body != "first":
            case.equal(m.queue_id, int(m.body.split("/")[0]), f"queue of {m.body}")


def refused(case):
    """What a broker must refuse is refused with an error, and the connection serves the next send."""
    p = producer(case, max_message_size=16 * 1024 * 1024)
    send_bodies(case, p, case.topic, ["first"])
    try:
        p.send_sync(message(case.topic, noise(8 * 1024 * 1024)))
        case.check(False, "a body beyond 4 MiB is accepted")
    except RocketMQException as refusal:
        case.check(case.topic in str(refusal) or "illegal" in str(refusal), f"refusal of a long body: {refusal}")
    send_bodies(case, p, case.topic, ["good"])
    case.same_bodies([m.body for m in stored(case, case.topic, 2)], ["first", "good"], "messages stored")


def noise(size):
    """Text of so many characters that compresses to three quarters at best (the client's bodies end at a zero byte)."""
    return base64.b64encode(random.Random(size).randbytes(size * 3 // 4)).decode()


def body_128_kib(case):
    p = producer(case, max_message_size=1024 * 1024)
    body = noise(128 * 1024)
    case.equal(len(body), 128 * 1024, "length of the body")
    send_bodies(case, p, case.topic, [f"{i}{body[1:]}" for i in range(8)])
    messages = stored(case, case.topic, 8)
    case.check({m.body for m in messages} == {f"{i}{body[1:]}" for i in range(8)}, f"bodies differ: {[len(m.body) for m in messages]}")
    case.check(all(m.store_size > 90_000 for m in messages), f"stored in {[m.store_size for m in messages]} bytes")


def body_compressed(case):
    """The client compresses bodies of 4 KiB and more and says so in the system flag; the broker keeps both."""
    p = producer(case, max_message_size=1024 * 1024)
    long = "压缩 compressed " * 8000
    send_bodies(case, p, case.topic, [long])
    [m] = stored(case, case.topic, 1)
    case.check(m.body == long, f"body of {len(m.body)} characters, sent {len(long)}")
    case.check(m.store_size < len(long) / 10, f"stored in {m.store_size} bytes, so not compressed")


def properties_chinese(case):
    p = producer(case)
    properties = {"名字": "消息队列", "mixed": "aß漢字🚀", "spaces": " a  b ", "signs": '{"a":"b=c,d;e"}'}
    p.send_sync(message(case.topic, "正文：你好，世界 🚀", tag="标签", keys="键一 键二", properties=properties))
    [m] = stored(case, case.topic, 1, properties=[*properties, "MSG_REGION", "TRACE_ON"])
    case.equal(m.body, "正文：你好，世界 🚀", "body")
    case.equal(m.tags, "标签", "tag")
    case.equal(m.keys, "键一 键二", "keys")
    case.equal(m.properties, {**properties, "MSG_REGION": "DefaultRegion", "TRACE_ON": "true"}, "properties")
