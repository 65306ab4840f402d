package org.roxmq.compat;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.stream.Collectors;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.consumer.listener.ConsumeConcurrentlyStatus;
import org.apache.rocketmq.client.consumer.listener.ConsumeOrderlyStatus;
import org.apache.rocketmq.client.consumer.listener.MessageListenerConcurrently;
import org.apache.rocketmq.client.consumer.listener.MessageListenerOrderly;
import org.apache.rocketmq.common.consumer.ConsumeFromWhere;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageExt;

/** One push consumer: which messages it gets, when, and from where it starts. */
final class PushCases {
    static final List<Case> ALL = List.of(
        Case.of("push-clustering", PushCases::clustering).binaryToo(),
        Case.of("push-broadcasting", PushCases::broadcasting).binaryToo(),
        Case.of("push-tags", PushCases::tags).binaryToo(),
        Case.of("push-tags-of-equal-hash", PushCases::tagsOfEqualHash),
        Case.of("push-two-groups", PushCases::twoGroups),
        Case.of("push-batches", PushCases::batches),
        Case.of("push-before-topic", PushCases::beforeTopic),
        Case.of("push-subscription-changes", PushCases::subscriptionChanges),
        Case.of("push-offsets-over-client-restart", PushCases::clientRestart).binaryToo(),
        Case.of("push-orderly", PushCases::orderly),
        Case.of("push-latency", PushCases::latency).alone());

    private static void clustering(Scene scene) throws Exception {
        String topic = scene.topic();
        List<String> bodies = new ArrayList<>(scene.send(topic, null, "early", 100));
        Inbox inbox = scene.receive(scene.group(), topic, "*");
        inbox.awaitExactly(bodies);
        bodies.addAll(scene.send(topic, null, "late", 100));
        inbox.awaitExactly(bodies);
        Check.equal(4, inbox.queueIds().size(), "queues");
    }

    private static void broadcasting(Scene scene) throws Exception {
        String topic = scene.createdTopic(4);
        String group = scene.group();
        Inbox one = broadcast(scene, group, topic, "one" + group);
        Inbox two = broadcast(scene, group, topic, "two" + group);
        List<String> first = scene.send(topic, null, "first", 40);
        one.awaitExactly(first);
        two.awaitExactly(first);
        // Positions are kept by the client, in a file named after its instance.
        one.consumer.shutdown();
        List<String> second = scene.send(topic, null, "second", 40);
        Inbox again = broadcast(scene, group, topic, "one" + group);
        again.awaitExactly(second);
        List<String> both = new ArrayList<>(first);
        both.addAll(second);
        two.awaitExactly(both);
    }

    private static Inbox broadcast(Scene scene, String group, String topic, String instance) throws Exception {
        DefaultMQPushConsumer consumer = scene.push(group);
        consumer.setInstanceName(instance);
        // The enum lives in another package since 5.0.
        var clustering = consumer.getMessageModel();
        consumer.setMessageModel(Enum.valueOf(clustering.getDeclaringClass(), "BROADCASTING"));
        // There is no file at first; the client then begins where this says, and at the end of the queues by default.
        consumer.setConsumeFromWhere(ConsumeFromWhere.CONSUME_FROM_FIRST_OFFSET);
        consumer.subscribe(topic, "*");
        Inbox inbox = new Inbox(consumer);
        consumer.start();
        return inbox;
    }

    private static void tags(Scene scene) throws Exception {
        String topic = scene.createdTopic(4);
        List<String> a = scene.send(topic, "a", "a", 20);
        List<String> b = scene.send(topic, "b", "b", 20);
        List<String> c = scene.send(topic, "c", "c", 20);
        List<String> none = scene.send(topic, null, "none", 20);
        Inbox onlyA = scene.receive(scene.group(), topic, "a");
        Inbox aOrB = scene.receive(scene.group(), topic, "a || b");
        Inbox star = scene.receive(scene.group(), topic, "*");
        Inbox unset = scene.receive(scene.group(), topic, null);
        Inbox unknown = scene.receive(scene.group(), topic, "d||c");
        onlyA.awaitExactly(a);
        aOrB.awaitExactly(joined(a, b));
        star.awaitExactly(joined(a, b, c, none));
        unset.awaitExactly(joined(a, b, c, none));
        unknown.awaitExactly(c);
    }

    @SafeVarargs
    private static List<String> joined(List<String>... lists) {
        List<String> all = new ArrayList<>();
        for (List<String> list : lists) {
            all.addAll(list);
        }
        return all;
    }

    /** The broker compares hashes, the client the words themselves. */
    private static void tagsOfEqualHash(Scene scene) throws Exception {
        Check.equal("Aa".hashCode(), "BB".hashCode(), "hash");
        String topic = scene.createdTopic(1);
        List<String> wanted = scene.send(topic, "Aa", "wanted", 10);
        scene.send(topic, "BB", "other", 10);
        List<String> more = scene.send(topic, "Aa", "more", 10);
        scene.receive(scene.group(), topic, "Aa").awaitExactly(joined(wanted, more));
    }

    private static void twoGroups(Scene scene) throws Exception {
        String topic = scene.createdTopic(4);
        Inbox one = scene.receive(scene.group(), topic, "*");
        Inbox two = scene.receive(scene.group(), topic, "*");
        List<String> bodies = scene.send(topic, null, "body", 50);
        one.awaitExactly(bodies);
        two.awaitExactly(bodies);
    }

    private static void batches(Scene scene) throws Exception {
        String topic = scene.createdTopic(1);
        List<String> bodies = scene.send(topic, null, "body", 200);
        List<Integer> sizes = Collections.synchronizedList(new ArrayList<>());
        List<String> seen = Collections.synchronizedList(new ArrayList<>());
        DefaultMQPushConsumer consumer = scene.push(scene.group());
        consumer.setConsumeMessageBatchMaxSize(32);
        consumer.setPullBatchSize(32);
        consumer.subscribe(topic, "*");
        consumer.registerMessageListener((MessageListenerConcurrently) (messages, context) -> {
            sizes.add(messages.size());
            messages.forEach(message -> seen.add(Scene.text(message)));
            return ConsumeConcurrentlyStatus.CONSUME_SUCCESS;
        });
        consumer.start();
        Scene.until("200 messages", () -> seen.size() == 200);
        Check.that(seen.containsAll(bodies), "not all arrived");
        Check.equal(32, Collections.max(sizes), "messages in a batch of a full queue");
    }

    private static void beforeTopic(Scene scene) throws Exception {
        String topic = scene.topic();
        Inbox inbox = scene.receive(scene.group(), topic, "*");
        List<String> bodies = scene.send(topic, null, "body", 20);
        inbox.awaitExactly(bodies);
    }

    private static void subscriptionChanges(Scene scene) throws Exception {
        String topic = scene.createdTopic(2);
        String other = scene.createdTopic(2);
        Inbox inbox = scene.receive(scene.group(), topic, "a");
        List<String> bodies = new ArrayList<>(scene.send(topic, "a", "first", 10));
        inbox.awaitExactly(bodies);
        inbox.consumer.subscribe(other, "*");
        bodies.addAll(scene.send(other, "b", "second", 10));
        inbox.awaitExactly(bodies);
        inbox.consumer.unsubscribe(topic);
        bodies.addAll(scene.send(other, "b", "third", 10));
        inbox.awaitExactly(bodies);
    }

    private static void clientRestart(Scene scene) throws Exception {
        String topic = scene.createdTopic(4);
        String group = scene.group();
        for (int round = 0; round < 3; round++) {
            List<String> bodies = scene.send(topic, null, "round" + round + "-", 30);
            Inbox inbox = scene.receive(group, topic, "*");
            inbox.awaitExactly(bodies);
            inbox.consumer.shutdown();
            scene.awaitCommitted(group, topic, 30 * (round + 1));
        }
    }

    private static void orderly(Scene scene) throws Exception {
        String topic = scene.createdTopic(4);
        String group = scene.group();
        List<MessageExt> seen = Collections.synchronizedList(new ArrayList<>());
        for (int member = 0; member < 2; member++) {
            DefaultMQPushConsumer consumer = scene.push(group);
            consumer.subscribe(topic, "*");
            consumer.registerMessageListener((MessageListenerOrderly) (messages, context) -> {
                seen.addAll(messages);
                return ConsumeOrderlyStatus.SUCCESS;
            });
            consumer.start();
        }
        for (int number = 0; number < 200; number++) {
            scene.producer().send(Scene.message(topic, "body" + number),
                (queues, message, argument) -> queues.get((int) argument % queues.size()), number);
        }
        Scene.until("200 messages", 90, () -> seen.size() >= 200);
        for (int id = 0; id < 4; id++) {
            int queue = id;
            List<Long> offsets = seen.stream().filter(message -> message.getQueueId() == queue)
                .map(MessageExt::getQueueOffset).collect(Collectors.toList());
            List<Long> sorted = offsets.stream().sorted().distinct().collect(Collectors.toList());
            Check.equal(50, sorted.size(), "messages of queue " + id);
            Check.equal(sorted, offsets, "order in queue " + id);
        }
    }

    /** A message that comes while a pull is parked is answered at once and not when the hold of 15 s ends. */
    private static void latency(Scene scene) throws Exception {
        String topic = scene.createdTopic(1);
        Inbox inbox = scene.receive(scene.group(), topic, "tag");
        List<String> bodies = new ArrayList<>();
        for (int number = 0; number < 10; number++) {
            // The first is not measured: the consumer may still be starting.
            bodies.addAll(scene.send(topic, "tag", "body" + number + "-", 1));
            // Wakes the parked pull in vain.
            scene.send(topic, "other", "other", 1);
            long sent = System.nanoTime();
            inbox.awaitExactly(bodies);
            long waited = (System.nanoTime() - sent) / 1_000_000;
            Check.that(number == 0 || waited < 2_000, "message " + number + " came after " + waited + " ms");
        }
    }

    private PushCases() {
    }
}
