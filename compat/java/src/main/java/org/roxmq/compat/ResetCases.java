package org.roxmq.compat;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import org.apache.rocketmq.common.message.MessageExt;
import org.apache.rocketmq.common.message.MessageQueue;

/** A tool moves the offsets of a group, or asks its clients how far they are. */
final class ResetCases {
    /** Java answers a pull that is held only when its 15 s are over; old clients then wait 10 s and for their next look at the queues, up to 20 s. */
    private static final int MOVED_SECONDS = 100;

    static final List<Case> ALL = List.of(
        Case.of("reset-online-back-in-time", ResetCases::back),
        Case.of("reset-online-to-the-end", ResetCases::toTheEnd),
        Case.of("reset-offline", ResetCases::offline),
        Case.of("reset-unknown", ResetCases::unknown),
        Case.of("reset-clone", ResetCases::cloned),
        Case.of("reset-status", ResetCases::status),
        Case.of("reset-pushed-to-clients", ResetCases::pushed).alone());

    /** Two queues with ten messages before a moment and ten after it, all consumed. */
    private static final class Story {
        final String topic;
        final String group;
        final Inbox inbox;
        final long moment;
        final List<String> after;

        Story(Scene scene) throws Exception {
            topic = scene.createdTopic(2);
            group = scene.group();
            inbox = scene.receive(group, topic, "*");
            List<String> before = scene.send(topic, null, "before", 10);
            inbox.awaitExactly(before);
            long last = inbox.messages().stream().mapToLong(MessageExt::getStoreTimestamp).max().getAsLong();
            Scene.until("a later millisecond", () -> System.currentTimeMillis() > last);
            moment = System.currentTimeMillis();
            after = scene.send(topic, null, "after", 10);
            List<String> all = new ArrayList<>(before);
            all.addAll(after);
            inbox.awaitExactly(all);
            scene.awaitCommitted(group, topic, 20);
        }

        Map<MessageQueue, Long> offsets(long each) {
            return Map.of(Scene.queue(topic, 0), each, Scene.queue(topic, 1), each);
        }
    }

    private static void back(Scene scene) throws Exception {
        Story story = new Story(scene);
        story.inbox.clear();
        var moved = scene.admin().resetOffsetByTimestamp(story.topic, story.group, story.moment, true);
        Check.equal(story.offsets(5), moved, "new offsets");
        Scene.until("the messages after the moment", MOVED_SECONDS, () -> story.inbox.bodies().containsAll(story.after));
        story.inbox.awaitExactly(story.after);
        scene.awaitCommitted(story.group, story.topic, 20);
    }

    private static void toTheEnd(Scene scene) throws Exception {
        Story story = new Story(scene);
        scene.admin().resetOffsetByTimestamp(story.topic, story.group, 0, true);
        story.inbox.clear();
        var moved = scene.admin().resetOffsetByTimestamp(story.topic, story.group, -1, true);
        Check.equal(story.offsets(10), moved, "new offsets");
        List<String> late = scene.send(story.topic, null, "late", 10);
        Scene.until("the messages after the end", MOVED_SECONDS, () -> story.inbox.bodies().containsAll(late));
        scene.awaitCommitted(story.group, story.topic, 30);
    }

    private static void offline(Scene scene) throws Exception {
        Story story = new Story(scene);
        story.inbox.consumer.shutdown();
        scene.admin().resetOffsetByTimestamp(story.topic, story.group, story.moment, true);
        scene.receive(story.group, story.topic, "*").awaitExactly(story.after);
    }

    private static void unknown(Scene scene) throws Exception {
        String topic = scene.createdTopic(1);
        try (RawConnection connection = new RawConnection(Scene.BROKER_ADDRESS)) {
            Check.equal(26, connection.ask(222, reset(scene.group(), topic, -1, null)).code, "code for an unknown group");
            Check.equal(17, connection.ask(222, reset(scene.group(), scene.topic(), -1, null)).code, "code for an unknown topic");
            String group = scene.group();
            scene.receive(group, topic, "*");
            scene.send(topic, null, "body", 3);
            scene.awaitStored(topic, 1, 3);
            scene.awaitCommitted(group, topic, 3);
            Check.equal(1, connection.ask(222, reset(group, topic, 0, "5")).code, "code for an offset behind the end");
            Check.equal(0, connection.ask(222, reset(group, topic, 0, "2")).code, "code for an offset within the queue");
            Check.equal(1, connection.ask(223, Map.of("topic", topic, "group", scene.group())).code, "code for the status of nobody");
        }
    }

    private static Map<String, String> reset(String group, String topic, int queue, String offset) {
        Map<String, String> fields = new java.util.LinkedHashMap<>(
            Map.of("group", group, "topic", topic, "timestamp", "0", "isForce", "true", "queueId", String.valueOf(queue)));
        if (offset != null) {
            fields.put("offset", offset);
        }
        return fields;
    }

    private static void cloned(Scene scene) throws Exception {
        Story story = new Story(scene);
        scene.send(story.topic, null, "more", 2);
        story.inbox.awaitAll(List.of("more0", "more1"));
        story.inbox.consumer.shutdown();
        scene.awaitCommitted(story.group, story.topic, 22);
        String copy = scene.group();
        List<String> late = scene.send(story.topic, null, "late", 4);
        scene.admin().cloneGroupOffset(story.group, copy, story.topic, true);
        scene.receive(copy, story.topic, "*").awaitExactly(late);
    }

    private static void status(Scene scene) throws Exception {
        Story story = new Story(scene);
        String client = story.inbox.consumer.buildMQClientId();
        Map<String, Map<MessageQueue, Long>> expected = Map.of(client, story.offsets(10));
        Check.equal(expected, scene.admin().getConsumeStatus(story.topic, story.group, ""), "how far all clients are");
        Check.equal(expected, scene.admin().getConsumeStatus(story.topic, story.group, client), "how far the one client is");
        Check.equal(Map.of(), scene.admin().getConsumeStatus(story.topic, story.group, "nobody@1"), "how far a stranger is");
    }

    /** With useServerSideResetOffset=false the clients are told to move. */
    private static void pushed(Scene scene) throws Exception {
        Story story = new Story(scene);
        serverSide(scene, false);
        try {
            story.inbox.clear();
            var moved = scene.admin().resetOffsetByTimestamp(story.topic, story.group, story.moment, true);
            Check.equal(story.offsets(5), moved, "new offsets");
            Scene.until("the messages after the moment", MOVED_SECONDS, () -> story.inbox.bodies().containsAll(story.after));
            story.inbox.awaitExactly(story.after);
            // Without force a group only goes back.
            scene.awaitCommitted(story.group, story.topic, 20);
            Check.equal(story.offsets(10), scene.admin().resetOffsetByTimestamp(story.topic, story.group, -1, false), "offsets kept");
            story.inbox.consumer.shutdown();
            Scene.until("a group without members", () -> {
                try {
                    return scene.admin().examineConsumerConnectionInfo(story.group).getConnectionSet().isEmpty();
                } catch (org.apache.rocketmq.client.exception.MQBrokerException gone) {
                    return true;
                }
            });
            Check.refused(206, () -> scene.admin().resetOffsetByTimestamp(story.topic, story.group, 0, true), "a push to nobody");
        } finally {
            serverSide(scene, true);
        }
    }

    private static void serverSide(Scene scene, boolean yes) throws Exception {
        Properties change = new Properties();
        change.setProperty("useServerSideResetOffset", String.valueOf(yes));
        scene.admin().updateBrokerConfig(Scene.BROKER_ADDRESS, change);
    }

    private ResetCases() {
    }
}
