package org.roxmq.compat;

import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import org.apache.rocketmq.client.exception.MQBrokerException;
import org.apache.rocketmq.client.exception.MQClientException;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.client.producer.SendCallback;
import org.apache.rocketmq.client.producer.SendResult;
import org.apache.rocketmq.client.producer.SendStatus;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageClientIDSetter;
import org.apache.rocketmq.common.message.MessageDecoder;
import org.apache.rocketmq.common.message.MessageId;
import org.apache.rocketmq.common.message.MessageQueue;

/** All ways to send, and what the producer is told. */
final class SendCases {
    static final List<Case> ALL = List.of(
        Case.of("send-sync-creates-topic", SendCases::sync).binaryToo(),
        Case.of("send-async", SendCases::async).binaryToo(),
        Case.of("send-oneway", SendCases::oneway).binaryToo(),
        Case.of("send-selected-queue", SendCases::selectedQueue).binaryToo(),
        Case.of("send-through-fast-port", SendCases::fastPort),
        Case.of("send-largest-body", SendCases::largestBody),
        Case.of("send-largest-batch", SendCases::largestBatch),
        Case.of("send-empty-body", SendCases::emptyBody),
        Case.of("send-too-many-properties", SendCases::tooManyProperties),
        Case.of("send-without-creation", SendCases::withoutCreation),
        Case.of("send-queue-out-of-range", SendCases::queueOutOfRange),
        Case.of("send-many-topics", SendCases::manyTopics));

    private static void sync(Scene scene) throws Exception {
        String topic = scene.topic();
        Map<Integer, Long> nextOffsets = new HashMap<>();
        Set<String> ids = new HashSet<>();
        long lastLogOffset = -1;
        for (int number = 0; number < 12; number++) {
            Message message = Scene.message(topic, "body" + number);
            SendResult result = scene.producer().send(message);
            accepted(topic, message, result);
            MessageQueue queue = result.getMessageQueue();
            Check.within(0, 3, queue.getQueueId(), "queue of an auto-created topic");
            Check.equal(nextOffsets.getOrDefault(queue.getQueueId(), 0L), result.getQueueOffset(), "queue offset");
            nextOffsets.put(queue.getQueueId(), result.getQueueOffset() + 1);
            Check.that(ids.add(result.getMsgId()), "message id is not unique");
            long logOffset = MessageDecoder.decodeMessageId(result.getOffsetMsgId()).getOffset();
            Check.that(logOffset > lastLogOffset, "log offset does not grow");
            lastLogOffset = logOffset;
        }
        Check.equal(4, nextOffsets.size(), "queues used in turn");
        List<MessageQueue> queues = scene.producer().fetchPublishMessageQueues(topic);
        Check.equal(4, queues.size(), "queues of the created topic");
    }

    /** What every accepted message's answer says. */
    private static void accepted(String topic, Message message, SendResult result) throws Exception {
        Check.equal(SendStatus.SEND_OK, result.getSendStatus(), "status");
        Check.equal(MessageClientIDSetter.getUniqID(message), result.getMsgId(), "message id");
        Check.equal(topic, result.getMessageQueue().getTopic(), "topic");
        Check.equal(Scene.BROKER, result.getMessageQueue().getBrokerName(), "broker name");
        Check.equal("DefaultRegion", result.getRegionId(), "region");
        Check.that(result.isTraceOn(), "trace is off");
        Check.equal(32, result.getOffsetMsgId().length(), "length of the offset id");
        MessageId id = MessageDecoder.decodeMessageId(result.getOffsetMsgId());
        Check.equal("/" + Scene.BROKER_ADDRESS, id.getAddress().toString(), "address in the offset id");
    }

    private static void async(Scene scene) throws Exception {
        String topic = scene.topic();
        List<SendResult> results = Collections.synchronizedList(new ArrayList<>());
        List<Throwable> failures = Collections.synchronizedList(new ArrayList<>());
        for (int number = 0; number < 100; number++) {
            Message message = Scene.message(topic, "body" + number);
            scene.producer().send(message, new SendCallback() {
                @Override
                public void onSuccess(SendResult result) {
                    try {
                        accepted(topic, message, result);
                        results.add(result);
                    } catch (Throwable wrong) {
                        failures.add(wrong);
                    }
                }

                @Override
                public void onException(Throwable failure) {
                    failures.add(failure);
                }
            });
        }
        Scene.until("100 answers", () -> results.size() + failures.size() == 100);
        Check.equal(List.of(), failures, "failures");
        offsetsAreDense(results);
    }

    /** In each queue the offsets are 0, 1, 2, ... without gap or repetition. */
    private static void offsetsAreDense(List<SendResult> results) {
        Map<Integer, Set<Long>> offsets = new HashMap<>();
        for (SendResult result : results) {
            Set<Long> queue = offsets.computeIfAbsent(result.getMessageQueue().getQueueId(), id -> new HashSet<>());
            Check.that(queue.add(result.getQueueOffset()), "the same queue offset twice");
        }
        offsets.forEach((id, queue) ->
            Check.equal(queue.size() - 1L, Collections.max(queue), "largest offset of queue " + id));
    }

    private static void oneway(Scene scene) throws Exception {
        String topic = scene.createdTopic(4);
        for (int number = 0; number < 20; number++) {
            scene.producer().sendOneway(Scene.message(topic, "body" + number));
        }
        MessageQueue chosen = Scene.queue(topic, 2);
        scene.producer().sendOneway(Scene.message(topic, "chosen"), chosen);
        scene.producer().sendOneway(Scene.message(topic, "selected"), (queues, message, argument) -> queues.get(1), null);
        scene.awaitStored(topic, 4, 22);
        Check.within(6, 6, scene.producer().maxOffset(chosen), "messages in queue 2");
    }

    private static void selectedQueue(Scene scene) throws Exception {
        String topic = scene.createdTopic(8);
        long[] sent = new long[8];
        for (int number = 0; number < 40; number++) {
            int wanted = number * 5 % 8;
            Message message = Scene.message(topic, "body" + number);
            SendResult result = number % 2 == 0
                ? scene.producer().send(message, (queues, sending, argument) -> queues.get((int) argument), wanted)
                : scene.producer().send(message, Scene.queue(topic, wanted));
            Check.equal(wanted, result.getMessageQueue().getQueueId(), "queue");
            Check.equal(sent[wanted]++, result.getQueueOffset(), "queue offset");
        }
        List<SendResult> results = Collections.synchronizedList(new ArrayList<>());
        SendCallback callback = new SendCallback() {
            @Override
            public void onSuccess(SendResult result) {
                results.add(result);
            }

            @Override
            public void onException(Throwable failure) {
                // Seen as a missing answer.
            }
        };
        scene.producer().send(Scene.message(topic, "async"), Scene.queue(topic, 6), callback);
        scene.producer().send(Scene.message(topic, "async"), (queues, sending, argument) -> queues.get(6), null, callback);
        Scene.until("2 answers", () -> results.size() == 2);
        results.forEach(result -> Check.equal(6, result.getMessageQueue().getQueueId(), "queue"));
    }

    /** Old clients send to the broker's port minus 2. */
    private static void fastPort(Scene scene) throws Exception {
        String topic = scene.createdTopic(4);
        DefaultMQProducer producer = new DefaultMQProducer(scene.group());
        producer.setNamesrvAddr(Scene.NAMESERVERS);
        producer.setInstanceName("fast-port");
        producer.setVipChannelEnabled(true);
        producer.setSendMsgTimeout(10_000);
        producer.start();
        try {
            Check.equal(SendStatus.SEND_OK, producer.send(Scene.message(topic, "body")).getSendStatus(), "status");
        } finally {
            producer.shutdown();
        }
        scene.awaitStored(topic, 4, 1);
    }

    private static void largestBody(Scene scene) throws Exception {
        String topic = scene.createdTopic(1);
        DefaultMQProducer producer = scene.newProducer();
        // The broker is to decide.
        producer.setMaxMessageSize(16 << 20);
        producer.setCompressMsgBodyOverHowmuch(Integer.MAX_VALUE);
        byte[] largest = Scene.noise(4 << 20);
        SendResult result = producer.send(new Message(topic, largest));
        Check.equal(SendStatus.SEND_OK, result.getSendStatus(), "status");
        byte[] viewed = producer.viewMessage(topic, result.getOffsetMsgId()).getBody();
        Check.that(java.util.Arrays.equals(largest, viewed), "4 MiB come back changed");
        Check.refused(13, () -> producer.send(new Message(topic, new byte[(4 << 20) + 1])), "4 MiB and one byte");
        scene.awaitStored(topic, 1, 1);
    }

    private static void largestBatch(Scene scene) throws Exception {
        String topic = scene.createdTopic(1);
        DefaultMQProducer producer = scene.newProducer();
        producer.setMaxMessageSize(16 << 20);
        List<Message> messages = new ArrayList<>();
        for (int number = 0; number < 5; number++) {
            messages.add(new Message(topic, Scene.noise(1 << 20)));
        }
        // Java answers 1, which makes the client try again; 13 says what it is.
        Check.refused(List.of(1, 13), () -> producer.send(messages), "5 MiB in a batch");
        Check.equal(0L, producer.maxOffset(Scene.queue(topic, 0)), "messages");
        Check.equal(SendStatus.SEND_OK, producer.send(messages.subList(0, 3)).getSendStatus(), "status of 3 MiB");
        scene.awaitStored(topic, 1, 3);
    }

    private static void emptyBody(Scene scene) throws Exception {
        String topic = scene.createdTopic(1);
        // The client itself refuses the first.
        Check.refused(13, () -> scene.producer().send(new Message(topic, new byte[0])), "no byte");
        scene.producer().send(new Message(topic, new byte[1]));
        scene.producer().send(Scene.message(topic, " "));
        Inbox inbox = scene.receive(scene.group(), topic, "*");
        inbox.awaitExactly(List.of("\0", " "));
    }

    private static void tooManyProperties(Scene scene) throws Exception {
        String topic = scene.createdTopic(1);
        Message fits = Scene.message(topic, "body");
        fits.putUserProperty("long", "x".repeat(32_000));
        SendResult result = scene.producer().send(fits);
        String seen = scene.producer().viewMessage(topic, result.getOffsetMsgId()).getUserProperty("long");
        Check.equal(32_000, seen.length(), "length of the property");
        Message refused = Scene.message(topic, "body");
        refused.putUserProperty("long", "x".repeat(32_768));
        Check.refused(13, () -> scene.producer().send(refused), "32 KiB of properties");
    }

    private static void withoutCreation(Scene scene) throws Exception {
        DefaultMQProducer producer = scene.newProducer();
        // Topics are created after this one's pattern; it does not exist.
        producer.setCreateTopicKey("NO_SUCH_PATTERN");
        String topic = scene.topic();
        // Old clients look for the pattern's route and find none (10005), new ones ask the broker with it (17).
        Check.refused(List.of(10005, 17), () -> producer.send(Scene.message(topic, "body")), "a send to an unknown topic");
        scene.createTopic(topic, 3);
        Scene.until("a send", () -> {
            try {
                return producer.send(Scene.message(topic, "body")).getSendStatus() == SendStatus.SEND_OK;
            } catch (MQClientException noRouteYet) {
                return false;
            } catch (MQBrokerException oldRoute) {
                // The pattern's route, which new clients keep for a while, may have a queue more.
                Check.equal(29, oldRoute.getResponseCode(), "code of a send by the old route");
                return false;
            }
        });
        Check.equal(3, producer.fetchPublishMessageQueues(topic).size(), "queues");
        scene.awaitStored(topic, 3, 1);
    }

    private static void queueOutOfRange(Scene scene) throws Exception {
        String topic = scene.createdTopic(2);
        Check.refused(29, () -> scene.producer().send(Scene.message(topic, "body"), Scene.queue(topic, 2)), "queue 2 of 2");
    }

    private static void manyTopics(Scene scene) throws Exception {
        List<String> topics = new ArrayList<>();
        for (int number = 0; number < 100; number++) {
            String topic = scene.topic();
            topics.add(topic);
            accepted(topic, scene.producer(), "first");
        }
        Inbox inbox = new Inbox(scene.push(scene.group()));
        List<String> bodies = new ArrayList<>();
        for (String topic : topics.subList(0, 30)) {
            inbox.consumer.subscribe(topic, "*");
            bodies.add("first " + topic);
        }
        inbox.consumer.start();
        inbox.awaitExactly(bodies);
        for (String topic : topics) {
            accepted(topic, scene.producer(), "second");
        }
        topics.subList(0, 30).forEach(topic -> bodies.add("second " + topic));
        inbox.awaitExactly(bodies);
    }

    private static void accepted(String topic, DefaultMQProducer producer, String body) throws Exception {
        Message message = Scene.message(topic, body + " " + topic);
        accepted(topic, message, producer.send(message));
    }

    private SendCases() {
    }
}
