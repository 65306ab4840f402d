package org.roxmq.compat;

import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;
import org.apache.rocketmq.client.consumer.DefaultLitePullConsumer;
import org.apache.rocketmq.common.consumer.ConsumeFromWhere;
import org.apache.rocketmq.common.message.MessageExt;
import org.apache.rocketmq.common.message.MessageQueue;

/** The lite pull consumer: subscribed or assigned, sought, committed. */
final class LitePullCases {
    static final List<Case> ALL = List.of(
        Case.of("lite-subscribe-and-commit", LitePullCases::subscribe).binaryToo(),
        Case.of("lite-tags", LitePullCases::tags),
        Case.of("lite-assign", LitePullCases::assign).binaryToo(),
        Case.of("lite-seek", LitePullCases::seek).binaryToo(),
        Case.of("lite-pause", LitePullCases::pause));

    private static void subscribe(Scene scene) throws Exception {
        String topic = scene.createdTopic(4);
        String group = scene.group();
        List<String> first = scene.send(topic, null, "first", 50);
        DefaultLitePullConsumer consumer = subscribed(scene, group, topic, "*");
        Check.equal(sorted(first), sorted(poll(consumer, 50)), "what arrived");
        consumer.commitSync();
        Check.equal(4, consumer.assignment().size(), "queues");
        // A commit goes to memory first and to the broker in rounds.
        scene.awaitCommitted(group, topic, 50);
        consumer.shutdown();
        List<String> second = scene.send(topic, null, "second", 50);
        DefaultLitePullConsumer again = subscribed(scene, group, topic, "*");
        Check.equal(sorted(second), sorted(poll(again, 50)), "what arrived after the restart");
        again.commitSync();
        scene.awaitCommitted(group, topic, 100);
        again.shutdown();
        DefaultLitePullConsumer reader = scene.litePull(group);
        reader.start();
        long total = 0;
        for (MessageQueue queue : reader.fetchMessageQueues(topic)) {
            total += reader.committed(queue);
        }
        Check.equal(100L, total, "sum of the committed offsets");
    }

    private static DefaultLitePullConsumer subscribed(Scene scene, String group, String topic, String expression) throws Exception {
        DefaultLitePullConsumer consumer = scene.litePull(group);
        consumer.setAutoCommit(false);
        consumer.setPersistConsumerOffsetInterval(1_000);
        consumer.subscribe(topic, expression);
        consumer.start();
        return consumer;
    }

    /** Polls until that many messages have come. What was pulled just before a seek may come once more. */
    private static List<MessageExt> poll(DefaultLitePullConsumer consumer, int count) throws Exception {
        List<MessageExt> messages = new ArrayList<>();
        Set<String> places = new TreeSet<>();
        Scene.until(count + " messages", () -> {
            for (MessageExt message : consumer.poll(200)) {
                if (places.add(message.getTopic() + " " + message.getQueueId() + " " + message.getQueueOffset())) {
                    messages.add(message);
                }
            }
            return messages.size() >= count;
        });
        return messages;
    }

    private static List<String> sorted(Collection<?> messages) {
        return messages.stream().map(each -> each instanceof MessageExt ? Scene.text((MessageExt) each) : (String) each)
            .sorted().collect(Collectors.toList());
    }

    private static void tags(Scene scene) throws Exception {
        String topic = scene.createdTopic(2);
        List<String> wanted = new ArrayList<>(scene.send(topic, "a", "a", 10));
        scene.send(topic, "b", "b", 10);
        wanted.addAll(scene.send(topic, "c", "c", 10));
        DefaultLitePullConsumer consumer = subscribed(scene, scene.group(), topic, "a || c");
        Check.equal(sorted(wanted), sorted(poll(consumer, 20)), "what arrived");
    }

    private static void assign(Scene scene) throws Exception {
        String topic = scene.createdTopic(4);
        scene.send(topic, null, "body", 40);
        DefaultLitePullConsumer consumer = assigned(scene, List.of(Scene.queue(topic, 1), Scene.queue(topic, 3)));
        Set<Integer> queues = new TreeSet<>();
        poll(consumer, 20).forEach(message -> queues.add(message.getQueueId()));
        Check.equal(Set.of(1, 3), queues, "queues");
        consumer.assign(List.of(Scene.queue(topic, 2)));
        queues.clear();
        poll(consumer, 10).forEach(message -> queues.add(message.getQueueId()));
        Check.equal(Set.of(2), queues, "queues after a new assignment");
    }

    /** From the first message on, without a seek: that interrupts a pull, and the client does not survive it while it still connects. */
    private static DefaultLitePullConsumer assigned(Scene scene, List<MessageQueue> queues) throws Exception {
        DefaultLitePullConsumer consumer = scene.litePull(scene.group());
        consumer.setConsumeFromWhere(ConsumeFromWhere.CONSUME_FROM_FIRST_OFFSET);
        consumer.setAutoCommit(false);
        consumer.start();
        consumer.assign(queues);
        return consumer;
    }

    private static void seek(Scene scene) throws Exception {
        String topic = scene.createdTopic(1);
        MessageQueue queue = Scene.queue(topic, 0);
        for (int number = 0; number < 20; number++) {
            long last = System.currentTimeMillis();
            Scene.until("the next millisecond", () -> System.currentTimeMillis() > last + 5);
            scene.producer().send(Scene.message(topic, "body" + number));
        }
        DefaultLitePullConsumer consumer = assigned(scene, List.of(queue));
        List<MessageExt> all = poll(consumer, 20);
        Check.equal(20, all.size(), "messages");
        consumer.seek(queue, 5);
        Check.equal(5L, poll(consumer, 15).get(0).getQueueOffset(), "first after a seek to 5");
        consumer.seekToBegin(queue);
        Check.equal(0L, poll(consumer, 20).get(0).getQueueOffset(), "first after a seek to the beginning");
        consumer.seekToEnd(queue);
        scene.producer().send(Scene.message(topic, "new"));
        Check.equal("new", Scene.text(poll(consumer, 1).get(0)), "first after a seek to the end");
        long time = all.get(12).getStoreTimestamp();
        Check.equal(12L, consumer.offsetForTimestamp(queue, time), "offset for a time");
        consumer.seek(queue, consumer.offsetForTimestamp(queue, time));
        Check.equal("body12", Scene.text(poll(consumer, 1).get(0)), "first after a seek to a time");
        try {
            consumer.seek(queue, 22);
            throw new Check.Failed("a seek beyond the end passed");
        } catch (org.apache.rocketmq.client.exception.MQClientException refusal) {
            Check.that(refusal.getMessage().contains("Seek offset illegal"), refusal.getMessage());
        }
    }

    private static void pause(Scene scene) throws Exception {
        String topic = scene.createdTopic(1);
        MessageQueue queue = Scene.queue(topic, 0);
        DefaultLitePullConsumer consumer = assigned(scene, List.of(queue));
        scene.send(topic, null, "before", 5);
        Check.equal(5, poll(consumer, 5).size(), "messages before the pause");
        consumer.pause(List.of(queue));
        scene.send(topic, null, "during", 5);
        consumer.resume(List.of(queue));
        Check.equal(List.of("during0", "during1", "during2", "during3", "during4"), sorted(poll(consumer, 5)), "after the pause");
    }

    private LitePullCases() {
    }
}
