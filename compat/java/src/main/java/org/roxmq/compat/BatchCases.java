package org.roxmq.compat;

import java.util.ArrayList;
import java.util.Collections;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.stream.Collectors;
import org.apache.rocketmq.client.exception.MQClientException;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.client.producer.SendCallback;
import org.apache.rocketmq.client.producer.SendResult;
import org.apache.rocketmq.client.producer.SendStatus;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageClientIDSetter;
import org.apache.rocketmq.common.message.MessageExt;

/** Many messages in one request, as users and as the client itself put them together. */
final class BatchCases {
    static final List<Case> ALL = List.of(
        Case.of("batch", BatchCases::batch).binaryToo(),
        Case.of("batch-async", BatchCases::async),
        Case.of("batch-to-a-queue", BatchCases::toQueue),
        Case.of("batch-split", BatchCases::split),
        Case.of("batch-selected", BatchCases::selected),
        Case.of("batch-found-by-key", BatchCases::foundByKey),
        Case.of("batch-refused", BatchCases::refused),
        Case.of("batch-by-the-client", BatchCases::byTheClient));

    /** Collects answers of asynchronous sends. */
    private static final class Answers implements SendCallback {
        final List<SendResult> results = Collections.synchronizedList(new ArrayList<>());
        final List<Throwable> failures = Collections.synchronizedList(new ArrayList<>());

        @Override
        public void onSuccess(SendResult result) {
            results.add(result);
        }

        @Override
        public void onException(Throwable failure) {
            failures.add(failure);
        }

        void await(int count) throws Exception {
            Scene.until(count + " answers", () -> results.size() + failures.size() == count);
            Check.equal(List.of(), failures, "failures");
        }
    }

    private static void batch(Scene scene) throws Exception {
        String topic = scene.createdTopic(1);
        scene.producer().send(Scene.message(topic, "before"));
        List<Message> messages = new ArrayList<>();
        for (int number = 0; number < 10; number++) {
            Message message = Scene.message(topic, "body" + number);
            message.setTags("tag" + number % 2);
            message.setKeys("key" + number);
            message.putUserProperty("number", String.valueOf(number));
            messages.add(message);
        }
        SendResult result = scene.producer().send(messages);
        Check.equal(SendStatus.SEND_OK, result.getSendStatus(), "status");
        Check.equal(1L, result.getQueueOffset(), "queue offset of the first");
        List<String> ids = messages.stream().map(MessageClientIDSetter::getUniqID).collect(Collectors.toList());
        Check.equal(String.join(",", ids), result.getMsgId(), "message ids");
        Check.equal(10, result.getOffsetMsgId().split(",").length, "offset ids");
        SendResult after = scene.producer().send(Scene.message(topic, "after"));
        Check.equal(11L, after.getQueueOffset(), "queue offset after the batch");

        Inbox inbox = scene.receive(scene.group(), topic, "tag1");
        List<String> odd = List.of("body1", "body3", "body5", "body7", "body9");
        inbox.awaitExactly(odd);
        inbox.messages().forEach(message -> {
            String number = message.getUserProperty("number");
            Check.equal("body" + number, Scene.text(message), "body");
            Check.equal("key" + number, message.getKeys(), "key");
            Check.equal(1 + Long.parseLong(number), message.getQueueOffset(), "queue offset");
        });
        String viewed = Scene.text(scene.producer().viewMessage(topic, result.getOffsetMsgId().split(",")[3]));
        Check.equal("body3", viewed, "message at the fourth offset id");
    }

    private static void async(Scene scene) throws Exception {
        String topic = scene.topic();
        Answers answers = new Answers();
        List<String> bodies = new ArrayList<>();
        for (int batch = 0; batch < 10; batch++) {
            List<Message> messages = numbered(topic, "body" + batch + "-", 20);
            bodies.addAll(bodies(messages));
            scene.producer().send(messages, answers);
        }
        answers.await(10);
        scene.receive(scene.group(), topic, "*").awaitExactly(bodies);
    }

    private static List<Message> numbered(String topic, String prefix, int count) {
        List<Message> messages = new ArrayList<>();
        for (int number = 0; number < count; number++) {
            messages.add(Scene.message(topic, prefix + number));
        }
        return messages;
    }

    private static List<String> bodies(List<Message> messages) {
        return messages.stream().map(Scene::text).collect(Collectors.toList());
    }

    private static void toQueue(Scene scene) throws Exception {
        String topic = scene.createdTopic(4);
        Inbox inbox = scene.receive(scene.group(), topic, "*");
        List<Message> first = numbered(topic, "first", 5);
        List<Message> second = numbered(topic, "second", 5);
        List<Message> third = numbered(topic, "third", 5);
        SendResult result = scene.producer().send(first, Scene.queue(topic, 2));
        Check.equal("2 0", result.getMessageQueue().getQueueId() + " " + result.getQueueOffset(), "place of the first batch");
        result = scene.producer().send(second, Scene.queue(topic, 2), 10_000);
        Check.equal("2 5", result.getMessageQueue().getQueueId() + " " + result.getQueueOffset(), "place of the second batch");
        Answers answers = new Answers();
        scene.producer().send(third, Scene.queue(topic, 2), answers, 10_000);
        answers.await(1);
        Check.equal(10L, answers.results.get(0).getQueueOffset(), "place of the third batch");
        List<String> all = bodies(first);
        all.addAll(bodies(second));
        all.addAll(bodies(third));
        inbox.awaitExactly(all);
        Check.equal(Set.of(2), inbox.queueIds(), "queues");
        Check.equal(all, inbox.messages().stream().sorted((one, other) -> Long.compare(one.getQueueOffset(), other.getQueueOffset()))
            .map(Scene::text).collect(Collectors.toList()), "order in the queue");
    }

    /** As users do it whose list may be too long: parts of less than a mebibyte, one after the other. */
    private static void split(Scene scene) throws Exception {
        String topic = scene.createdTopic(1);
        List<Message> part = new ArrayList<>();
        int size = 0;
        int parts = 0;
        for (int number = 0; number < 300; number++) {
            byte[] body = Scene.noise(1_000 + number * 50);
            if (size + body.length > 1 << 20) {
                Check.equal(SendStatus.SEND_OK, scene.producer().send(part).getSendStatus(), "status");
                part = new ArrayList<>();
                size = 0;
                parts++;
            }
            part.add(new Message(topic, "tag", "key" + number, body));
            size += body.length;
        }
        scene.producer().send(part);
        Check.within(2, 4, parts, "parts sent before the last");
        Inbox inbox = scene.receive(scene.group(), topic, "tag");
        Scene.until("300 messages", () -> inbox.messages().size() == 300);
        for (MessageExt message : inbox.messages()) {
            byte[] expected = Scene.noise(1_000 + (int) message.getQueueOffset() * 50);
            Check.that(java.util.Arrays.equals(expected, message.getBody()), "message " + message.getQueueOffset() + " comes changed");
            Check.equal("key" + message.getQueueOffset(), message.getKeys(), "key");
        }
    }

    /** Tags and properties of each message count, not those of the batch. */
    private static void selected(Scene scene) throws Exception {
        String topic = scene.createdTopic(1);
        Inbox tagged = scene.receive(scene.group(), topic, "even");
        Inbox selected = SqlCases.receive(scene, scene.group(), topic, "a BETWEEN 3 AND 5");
        List<Message> messages = numbered(topic, "body", 10);
        for (int number = 0; number < 10; number++) {
            messages.get(number).setTags(number % 2 == 0 ? "even" : "odd");
            messages.get(number).putUserProperty("a", String.valueOf(number));
        }
        scene.producer().send(messages);
        tagged.awaitExactly(List.of("body0", "body2", "body4", "body6", "body8"));
        selected.awaitExactly(List.of("body3", "body4", "body5"));
    }

    private static void foundByKey(Scene scene) throws Exception {
        String topic = scene.createdTopic(1);
        List<Message> messages = numbered(topic, "body", 6);
        for (int number = 0; number < 6; number++) {
            messages.get(number).setKeys(List.of("own" + number, "all"));
        }
        scene.producer().send(messages);
        QueryCases.awaitFound(scene, topic, "all", 6);
        for (int number = 0; number < 6; number++) {
            Check.equal(List.of("body" + number), QueryCases.bodies(QueryCases.find(scene, topic, "own" + number, 64, 0, Long.MAX_VALUE)), "bodies");
        }
    }

    /** The client itself refuses what no batch can hold. */
    private static void refused(Scene scene) throws Exception {
        String topic = scene.createdTopic(1);
        Message delayed = Scene.message(topic, "delayed");
        delayed.setDelayTimeLevel(1);
        Message elsewhere = Scene.message(scene.topic(), "elsewhere");
        for (Message odd : List.of(delayed, elsewhere, Scene.message("%RETRY%" + scene.group(), "retried"))) {
            List<Message> messages = List.of(odd, Scene.message(topic, "plain"));
            try {
                scene.producer().send(messages);
                throw new Check.Failed("sent: " + Scene.text(odd));
            } catch (MQClientException | UnsupportedOperationException refusal) {
                Check.that(refusal.getMessage() != null, "no message");
            }
        }
        scene.send(topic, null, "plain", 1);
        scene.awaitStored(topic, 1, 1);
    }

    /** Since 5.1 the client can put together what many threads send, and tells each of them where its message is. */
    private static void byTheClient(Scene scene) throws Exception {
        String topic = scene.createdTopic(1);
        DefaultMQProducer producer = scene.prepared(new DefaultMQProducer(scene.group()));
        producer.setSendMsgTimeout(10_000);
        try {
            DefaultMQProducer.class.getMethod("setAutoBatch", boolean.class).invoke(producer, true);
        } catch (NoSuchMethodException notInThisClient) {
            return;
        }
        producer.start();
        Inbox inbox = scene.receive(scene.group(), topic, "tag1");
        ExecutorService threads = Executors.newFixedThreadPool(16);
        List<Future<SendResult>> sends = new ArrayList<>();
        try {
            for (int number = 0; number < 200; number++) {
                Message message = new Message(topic, "tag" + number % 2, "key" + number, Scene.bytes("body" + number));
                sends.add(threads.submit(() -> producer.send(message)));
            }
            Set<String> ids = new HashSet<>();
            for (Future<SendResult> send : sends) {
                Check.equal(SendStatus.SEND_OK, send.get().getSendStatus(), "status");
                ids.add(send.get().getMsgId());
            }
            Check.equal(200, ids.size(), "different ids");
        } finally {
            threads.shutdownNow();
        }
        List<String> odd = new ArrayList<>();
        for (int number = 1; number < 200; number += 2) {
            odd.add("body" + number);
        }
        inbox.awaitExactly(odd);
        inbox.messages().forEach(message -> Check.equal("key" + Scene.text(message).substring(4), message.getKeys(), "key"));
        scene.awaitStored(topic, 1, 200);
    }

    private BatchCases() {
    }
}
