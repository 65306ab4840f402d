"""How does a case get clients and messages?"""

import ctypes
import functools
import itertools
import json
import os
import socket
import struct
import threading
from dataclasses import dataclass

from harness import RUN, brief
from rocketmq.client import Message, Producer, PullConsumer, PushConsumer, RecvMessage
from rocketmq.ffi import MessageModel, _CConsumeStatus, _CMessageQueue, dll

NAMESRV_ADDR = os.environ["NAMESRV_ADDR"]
instances = itertools.count(1)


@dataclass(frozen=True)
class Received:
    """A message as its consumer saw it: the client's own object ends with the listener's call."""

    body: str
    id: str
    queue_id: int
    queue_offset: int
    tags: str
    keys: str
    properties: dict
    store_size: int
    reconsume_times: int
    born_timestamp: int
    store_timestamp: int


def received(message, properties=()):
    def text(value):
        return None if value is None else value.decode()

    return Received(
        body=text(message.body), id=message.id, queue_id=message.queue_id, queue_offset=message.queue_offset,
        tags=text(message.tags), keys=text(message.keys), store_size=message.store_size, reconsume_times=message.reconsume_times,
        born_timestamp=message.born_timestamp, store_timestamp=message.store_timestamp,
        properties={name: text(message.get_property(name)) for name in properties},
    )


def message(topic, body, tag=None, keys=None, properties=None):
    m = Message(topic)
    m.set_body(body)
    if tag:
        m.set_tags(tag)
    if keys:
        m.set_keys(keys)
    for name, value in (properties or {}).items():
        m.set_property(name, value)
    return m


def producer(case, suffix="p", **settings):
    p = Producer(f"{case.group}-{suffix}", **settings)
    p.set_namesrv_addr(NAMESRV_ADDR)
    # Every client has an instance name, so a client id and connections, of its own.
    dll.SetProducerInstanceName.argtypes = [ctypes.c_void_p, ctypes.c_char_p]
    dll.SetProducerInstanceName(p._handle, f"{RUN}-{os.getpid()}-{next(instances)}".encode())
    p.start()
    case.endings.append(p.shutdown)
    return p


def send_bodies(case, p, topic, bodies):
    results = []
    for body in bodies:
        result = p.send_sync(message(topic, body))
        case.equal(result.status, 0, "send status")
        results.append(result)
    return results


def numbered(prefix, count):
    return [f"{prefix}-{i:04}" for i in range(count)]


class Inbox:
    """What a push consumer was given, in the order it was given."""

    def __init__(self, case, consumer, properties):
        self.case, self.consumer, self.properties = case, consumer, properties
        self.lock, self.messages, self.open = threading.Lock(), [], True

    def put(self, m):
        seen = received(m, self.properties)
        with self.lock:
            self.messages.append(seen)

    def answering(self, is_later):
        """A listener for the library: takes the message, and answers whether it is to come again."""

        def listen(_, handle):
            m = RecvMessage(handle)
            self.put(m)
            return (_CConsumeStatus.RECONSUME_LATER if is_later(m) else _CConsumeStatus.CONSUME_SUCCESS).value

        return listen

    def all(self):
        with self.lock:
            return list(self.messages)

    def bodies(self):
        return [m.body for m in self.all()]

    def until_bodies(self, expected, what):
        self.case.until(lambda: len(self.all()) >= len(expected), what, lambda: brief(self.bodies()))
        self.case.same_bodies(self.bodies(), expected, what)

    def close(self):
        if self.open:
            self.consumer.shutdown()
        self.open = False


def push(case, topic, expression="*", group=None, model=MessageModel.CLUSTERING, orderly=False, threads=None, properties=(), is_later=None):
    """A push consumer of the case's group that puts all it is given into an inbox, and is to get again later what `is_later` says."""
    c = PushConsumer(group or case.group, orderly=orderly, message_model=model)
    c.set_namesrv_addr(NAMESRV_ADDR)
    c.set_instance_name(f"{RUN}-{os.getpid()}-{next(instances)}")
    if threads:
        c.set_thread_count(threads)
    inbox = Inbox(case, c, properties)
    c.subscribe(topic, inbox.put, expression)
    if is_later:
        # The package itself takes a listener that raises for one that succeeds.
        c._register_callback(inbox.answering(is_later))
    c.start()
    case.endings.append(inbox.close)
    return inbox


@functools.cache
def pull_consumer():
    """The one pull consumer of the process. The package gives pull consumers no instance names, so all of them would share one
    client underneath, and the shutdown of any would end the pulls of the others."""
    c = PullConsumer(f"compat-python-{RUN}-reader-{os.getpid()}")
    c.set_namesrv_addr(NAMESRV_ADDR)
    c.start()
    return c


def pull_offsets(topic):
    """The next offset of each queue of the topic that was pulled, by the keys of the package's table."""
    return {key: offset for key, offset in PullConsumer.offset_table.items() if f"'{topic}'" in key or key.startswith(f"{topic}@")}


def stored(case, topic, count, properties=()):
    """Waits until the topic shows so many messages and gives them, pulled from the start of every queue."""
    for key in pull_offsets(topic):
        del PullConsumer.offset_table[key]
    reader, found = pull_consumer(), []

    def enough():
        found.extend(received(m, properties) for m in reader.pull(topic))
        return len(found) >= count

    case.until(enough, f"{count} messages in {topic}", lambda: brief([m.body for m in found]))
    return found


def ends(topic):
    """The number of messages in each queue of the topic's route, by broker and queue: what pulls of the package do not tell apart."""
    reader, queues, count = pull_consumer(), ctypes.POINTER(_CMessageQueue)(), ctypes.c_int()
    dll.FetchSubscriptionMessageQueues(reader._handle, topic.encode(), ctypes.pointer(queues), ctypes.pointer(count))
    found = {}
    for queue in queues[: count.value]:
        pulled = dll.Pull(reader._handle, ctypes.pointer(queue), b"*", 0, 1)
        found[queue.brokerName.decode(), queue.queueId] = pulled.maxOffset
        dll.ReleasePullResult(pulled)
    if count.value:
        dll.ReleaseSubscriptionMessageQueue(queues)
    return found


def primed(case, p):
    """Puts a message into each of the four queues and waits until they show: the client cannot choose where a new group starts, and starts
    it at the end of a queue that it finds empty, past whatever comes in meanwhile."""
    bodies = numbered("prime", 4)
    for i, body in enumerate(bodies):
        p.send_orderly(message(case.topic, body), i)
    stored(case, case.topic, 4)
    return bodies


def send_by_ipv6(case, topic, body):
    """One message to queue 0 from ::1, by hand: this client does not speak IPv6."""
    port = int(os.environ["COMPAT_BROKER_ADDR"].rpartition(":")[2])
    fields = {"a": case.group, "b": topic, "c": "TBW102", "d": "4", "e": "0", "f": "0", "g": "0", "h": "0", "i": "", "j": "0", "k": "false", "m": "false"}
    header = json.dumps({"code": 310, "flag": 0, "language": "OTHER", "opaque": 1, "version": 401, "extFields": fields}).encode()
    rest = struct.pack(">i", len(header)) + header + body.encode()
    with socket.create_connection(("::1", port), timeout=10) as connection:
        connection.sendall(struct.pack(">i", len(rest)) + rest)
        answer = connection.makefile("rb")
        answer = answer.read(*struct.unpack(">i", answer.read(4)))
    (header_bytes,) = struct.unpack(">i", answer[:4])
    case.equal(json.loads(answer[4 : 4 + header_bytes])["code"], 0, "answer to a send by IPv6")
