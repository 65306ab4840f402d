package org.roxmq.compat;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.common.UtilAll;
import org.apache.rocketmq.common.consumer.ConsumeFromWhere;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageQueue;

/** Where does somebody begin who has read nothing yet? */
final class StartCases {
    static final List<Case> ALL = List.of(
        Case.of("start-on-a-young-topic", StartCases::youngTopic),
        Case.of("start-broadcasting", StartCases::broadcasting),
        Case.of("start-suspended", StartCases::suspended),
        // The broker keeps files in which messages of others still wait for their time.
        Case.of("start-on-an-old-topic", StartCases::oldTopic).first());

    private static final ConsumeFromWhere[] WHERE = {
        ConsumeFromWhere.CONSUME_FROM_FIRST_OFFSET, ConsumeFromWhere.CONSUME_FROM_LAST_OFFSET, ConsumeFromWhere.CONSUME_FROM_TIMESTAMP};

    /**
     * A new group on a topic whose beginning is still there: the broker answers offset 0 for it, so every setting starts at the first
     * message (AdminBrokerProcessor and ConsumerManageProcessor.queryConsumerOffset).
     */
    private static void youngTopic(Scene scene) throws Exception {
        String topic = scene.createdTopic(2);
        List<String> bodies = new ArrayList<>(scene.send(topic, null, "before", 10));
        Map<ConsumeFromWhere, Inbox> inboxes = startEverywhere(scene, topic, System.currentTimeMillis() + 3_600_000, "CLUSTERING");
        bodies.addAll(scene.send(topic, null, "after", 10));
        for (Inbox inbox : inboxes.values()) {
            inbox.awaitExactly(bodies);
        }
    }

    /** A consumer for each start position; all of them know where they begin when this returns. */
    private static Map<ConsumeFromWhere, Inbox> startEverywhere(Scene scene, String topic, long time, String model) throws Exception {
        Map<ConsumeFromWhere, Inbox> inboxes = new LinkedHashMap<>();
        for (ConsumeFromWhere where : WHERE) {
            DefaultMQPushConsumer consumer = scene.push(scene.group());
            consumer.setMessageModel(Enum.valueOf(consumer.getMessageModel().getDeclaringClass(), model));
            consumer.setConsumeFromWhere(where);
            consumer.setConsumeTimestamp(UtilAll.timeMillisToHumanString3(time));
            consumer.subscribe(topic, "*");
            inboxes.put(where, new Inbox(consumer));
            consumer.start();
        }
        for (Inbox inbox : inboxes.values()) {
            Scene.until("the queues of " + inbox.consumer.getConsumeFromWhere(), () -> hasBegun(inbox.consumer, topic));
        }
        return inboxes;
    }

    private static boolean hasBegun(DefaultMQPushConsumer consumer, String topic) {
        for (MessageQueue queue : consumer.getDefaultMQPushConsumerImpl().getRebalanceImpl().getProcessQueueTable().keySet()) {
            if (queue.getTopic().equals(topic)) {
                return true;
            }
        }
        return false;
    }

    /** Times of start positions are told in seconds; this one lies between what was sent before and what will be sent. */
    private static long nextSecond() throws Exception {
        long next = (System.currentTimeMillis() / 1_000 + 1) * 1_000;
        Scene.until("the next second", () -> System.currentTimeMillis() > next);
        return next;
    }

    /** Broadcasting groups have no offsets at the broker, so the client begins exactly where it was told to. */
    private static void broadcasting(Scene scene) throws Exception {
        String topic = scene.createdTopic(1);
        List<String> old = scene.send(topic, null, "old", 10);
        long time = nextSecond();
        List<String> middle = scene.send(topic, null, "middle", 5);
        scene.awaitStored(topic, 1, 15);
        Map<ConsumeFromWhere, Inbox> inboxes = startEverywhere(scene, topic, time, "BROADCASTING");
        List<String> fresh = scene.send(topic, null, "fresh", 5);
        inboxes.get(WHERE[1]).awaitExactly(fresh);
        inboxes.get(WHERE[2]).awaitExactly(joined(middle, fresh));
        inboxes.get(WHERE[0]).awaitExactly(joined(old, joined(middle, fresh)));
    }

    private static List<String> joined(List<String> first, List<String> second) {
        List<String> both = new ArrayList<>(first);
        both.addAll(second);
        return both;
    }

    /** A suspended consumer is a member like others, and is given nothing until it is resumed. */
    private static void suspended(Scene scene) throws Exception {
        String topic = scene.createdTopic(1);
        String group = scene.group();
        DefaultMQPushConsumer consumer = scene.push(group);
        consumer.setConsumeFromWhere(ConsumeFromWhere.CONSUME_FROM_FIRST_OFFSET);
        consumer.subscribe(topic, "*");
        Inbox inbox = new Inbox(consumer);
        consumer.suspend();
        consumer.start();
        // It takes no queues either while it is suspended.
        RelayCases.awaitMember(scene, group);
        List<String> bodies = scene.send(topic, null, "body", 20);
        scene.receive(scene.group(), topic, "*").awaitExactly(bodies);
        Check.equal(List.of(), inbox.bodies(), "given to the suspended consumer");
        consumer.resume();
        inbox.awaitExactly(bodies);
        scene.awaitCommitted(group, topic, 20);
    }

    /** The beginning of the topic is gone. Now a new group begins where it says. */
    private static void oldTopic(Scene scene) throws Exception {
        String topic = scene.createdTopic(1);
        MessageQueue queue = Scene.queue(topic, 0);
        scene.send(topic, null, "gone", 10);
        fillFiles(scene);
        List<String> old = scene.send(topic, null, "old", 10);
        long time = nextSecond();
        List<String> middle = scene.send(topic, null, "middle", 5);
        scene.awaitStored(topic, 1, 25);
        keepFiles(scene, "0");
        try {
            Scene.until("the deletion of the first file", 90, () -> {
                scene.admin().deleteExpiredCommitLogByAddr(Scene.BROKER_ADDRESS);
                return scene.producer().minOffset(queue) > 0;
            });
        } finally {
            keepFiles(scene, "72");
        }
        Check.equal(10L, scene.producer().minOffset(queue), "first offset");
        Map<ConsumeFromWhere, Inbox> inboxes = startEverywhere(scene, topic, time, "CLUSTERING");
        List<String> fresh = scene.send(topic, null, "fresh", 5);
        inboxes.get(WHERE[1]).awaitExactly(fresh);
        inboxes.get(WHERE[2]).awaitExactly(joined(middle, fresh));
        inboxes.get(WHERE[0]).awaitExactly(joined(old, joined(middle, fresh)));
    }

    /** More than one file of 64 MiB. */
    private static void fillFiles(Scene scene) throws Exception {
        String other = scene.createdTopic(1);
        DefaultMQProducer producer = scene.newProducer();
        producer.setCompressMsgBodyOverHowmuch(Integer.MAX_VALUE);
        byte[] body = new byte[4_000_000];
        for (int number = 0; number < 20; number++) {
            producer.send(new Message(other, body));
        }
    }

    private static void keepFiles(Scene scene, String hours) throws Exception {
        Properties settings = new Properties();
        settings.setProperty("fileReservedTime", hours);
        scene.admin().updateBrokerConfig(Scene.BROKER_ADDRESS, settings);
    }

    private StartCases() {
    }
}
