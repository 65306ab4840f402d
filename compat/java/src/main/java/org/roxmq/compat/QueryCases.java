package org.roxmq.compat;

import java.util.ArrayList;
import java.util.List;
import java.util.stream.Collectors;
import org.apache.rocketmq.client.exception.MQClientException;
import org.apache.rocketmq.client.producer.SendResult;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageExt;

/** Finding messages again: by key, by the client's id, by the broker's id, by time. */
final class QueryCases {
    static final List<Case> ALL = List.of(
        Case.of("query-by-key", QueryCases::byKey).binaryToo(),
        Case.of("query-by-unique-id", QueryCases::byUniqueId).binaryToo(),
        Case.of("query-by-offset-id", QueryCases::byOffsetId).binaryToo(),
        Case.of("query-by-keys-of-equal-hash", QueryCases::equalHashes),
        Case.of("query-by-keys-with-blanks", QueryCases::blanks),
        Case.of("query-result-limit", QueryCases::limit),
        Case.of("query-by-time", QueryCases::byTime));

    private static void byKey(Scene scene) throws Exception {
        String topic = scene.createdTopic(4);
        String other = scene.createdTopic(4);
        for (int number = 0; number < 40; number++) {
            Message message = Scene.message(topic, "body" + number);
            message.setKeys(List.of("all", "mod" + number % 4, "只有" + number));
            scene.producer().send(message);
        }
        Message foreign = Scene.message(other, "foreign");
        foreign.setKeys("all");
        scene.producer().send(foreign);
        awaitFound(scene, topic, "all", 40);
        awaitFound(scene, topic, "mod3", 10);
        awaitFound(scene, topic, "只有17", 1);
        Check.equal(List.of("body17"), bodies(find(scene, topic, "只有17", 64, 0, Long.MAX_VALUE)), "bodies");
        Check.equal(List.of("body10", "body14", "body18", "body2", "body22", "body26", "body30", "body34", "body38", "body6"),
            bodies(find(scene, topic, "mod2", 64, 0, Long.MAX_VALUE)), "bodies");
        Check.equal(5, find(scene, topic, "all", 5, 0, Long.MAX_VALUE).size(), "messages when 5 are asked for");
        Check.equal(List.of("foreign"), bodies(find(scene, other, "all", 64, 0, Long.MAX_VALUE)), "bodies of the other topic");
        Check.refused(208, () -> scene.producer().queryMessage(topic, "no such key", 64, 0, Long.MAX_VALUE), "an unknown key");
        Check.refused(208, () -> scene.producer().queryMessage(topic, "mod", 64, 0, Long.MAX_VALUE), "a part of a key");
    }

    /** "Aa" and "BB" are the same to an index; whoever asks for one is told of that one. */
    private static void equalHashes(Scene scene) throws Exception {
        String topic = scene.createdTopic(2);
        for (int number = 0; number < 30; number++) {
            Message message = Scene.message(topic, "body" + number);
            message.setKeys(number % 3 == 0 ? "Aa" : "BB");
            scene.producer().send(message);
        }
        awaitFound(scene, topic, "Aa", 10);
        awaitFound(scene, topic, "BB", 20);
        Check.refused(208, () -> scene.producer().queryMessage(topic, "C#", 64, 0, Long.MAX_VALUE), "a third key of that hash");
        Check.equal("C#".hashCode(), "Aa".hashCode(), "hash");
    }

    /** Blanks divide keys, however many there are. */
    private static void blanks(Scene scene) throws Exception {
        String topic = scene.createdTopic(1);
        Message message = Scene.message(topic, "body");
        message.setKeys("one  two three");
        scene.producer().send(message);
        for (String key : List.of("one", "two", "three")) {
            awaitFound(scene, topic, key, 1);
        }
        Check.refused(208, () -> scene.producer().queryMessage(topic, "one  two three", 64, 0, Long.MAX_VALUE), "all keys at once");
    }

    /** 64 messages are given at most, the newest ones. */
    private static void limit(Scene scene) throws Exception {
        String topic = scene.createdTopic(1);
        for (int number = 0; number < 80; number++) {
            Message message = Scene.message(topic, "body" + number);
            message.setKeys("key");
            scene.producer().send(message);
        }
        awaitFound(scene, topic, "key", 64);
        Scene.until("the newest message", () -> bodies(find(scene, topic, "key", 64, 0, Long.MAX_VALUE)).contains("body79"));
        Check.equal(64, find(scene, topic, "key", 1_000, 0, Long.MAX_VALUE).size(), "messages when 1000 are asked for");
        Check.that(!bodies(find(scene, topic, "key", 64, 0, Long.MAX_VALUE)).contains("body0"), "the oldest is among the 64");
    }

    /** The index is written behind the log. */
    static void awaitFound(Scene scene, String topic, String key, int count) throws Exception {
        Scene.until(count + " messages with key " + key, () -> find(scene, topic, key, 64, 0, Long.MAX_VALUE).size() == count);
    }

    static List<MessageExt> find(Scene scene, String topic, String key, int max, long begin, long end) throws Exception {
        try {
            return scene.producer().queryMessage(topic, key, max, begin, end).getMessageList();
        } catch (MQClientException none) {
            Check.equal(208, none.getResponseCode(), none.getErrorMessage());
            return List.of();
        }
    }

    static List<String> bodies(List<MessageExt> messages) {
        return messages.stream().map(Scene::text).sorted().collect(Collectors.toList());
    }

    private static void byUniqueId(Scene scene) throws Exception {
        String topic = scene.createdTopic(1);
        List<SendResult> results = new ArrayList<>();
        for (int number = 0; number < 10; number++) {
            results.add(scene.producer().send(Scene.message(topic, "body" + number)));
        }
        for (int number = 0; number < 10; number++) {
            SendResult sent = results.get(number);
            List<MessageExt> found = new ArrayList<>();
            Scene.until("the message of a unique id", () -> {
                try {
                    found.add(scene.producer().viewMessage(topic, sent.getMsgId()));
                } catch (MQClientException notYet) {
                    return false;
                }
                return found.get(0) != null;
            });
            Check.equal("body" + number, Scene.text(found.get(0)), "body");
            Check.equal(sent.getMsgId(), found.get(0).getMsgId(), "id");
            Check.equal((long) number, found.get(0).getQueueOffset(), "queue offset");
        }
    }

    private static void byOffsetId(Scene scene) throws Exception {
        String topic = scene.createdTopic(1);
        for (int number = 0; number < 10; number++) {
            SendResult sent = scene.producer().send(Scene.message(topic, "body" + number));
            MessageExt viewed = scene.producer().viewMessage(topic, sent.getOffsetMsgId());
            Check.equal("body" + number, Scene.text(viewed), "body");
            Check.equal((long) number, viewed.getQueueOffset(), "queue offset");
        }
        SendResult last = scene.producer().send(Scene.message(topic, "last"));
        // Sixteen digits of log offset stand at the end.
        String beyond = last.getOffsetMsgId().substring(0, 16) + "00007FFFFFFFFFFF";
        try {
            MessageExt seen = scene.producer().viewMessage(topic, beyond);
            throw new Check.Failed("a message beyond the end of the log: " + seen);
        } catch (MQClientException refusal) {
            Check.that(refusal.getMessage() != null, "no message");
        }
    }

    /** Times are kept in seconds: messages further apart than that can be told apart. */
    private static void byTime(Scene scene) throws Exception {
        String topic = scene.createdTopic(1);
        List<Long> times = new ArrayList<>();
        for (int number = 0; number < 3; number++) {
            long wait = System.currentTimeMillis() + 3_000;
            Scene.until("3 s", () -> System.currentTimeMillis() > wait);
            Message message = Scene.message(topic, "body" + number);
            message.setKeys("key");
            SendResult sent = scene.producer().send(message);
            times.add(scene.producer().viewMessage(topic, sent.getOffsetMsgId()).getStoreTimestamp());
        }
        awaitFound(scene, topic, "key", 3);
        Check.equal(List.of("body1"), bodies(find(scene, topic, "key", 32, times.get(1) - 1_500, times.get(1) + 1_500)), "in the middle");
        Check.equal(List.of("body1", "body2"), bodies(find(scene, topic, "key", 32, times.get(1) - 1_500, Long.MAX_VALUE)), "from then");
        Check.equal(List.of("body0"), bodies(find(scene, topic, "key", 32, 0, times.get(0) + 1_500)), "until then");
        Check.equal(List.of(), bodies(find(scene, topic, "key", 32, 0, times.get(0) - 1_500)), "before all");
    }

    private QueryCases() {
    }
}
