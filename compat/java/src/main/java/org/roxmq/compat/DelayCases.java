package org.roxmq.compat;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.rocketmq.client.producer.SendResult;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageExt;

/** Messages that wait for a level: never early, in the order of their due times, and what they say when they come. */
final class DelayCases {
    static final List<Case> ALL = List.of(
        Case.of("delay-levels", DelayCases::levels).binaryToo(),
        Case.of("delay-levels-out-of-range", DelayCases::outOfRange));

    private static final long[] LEVEL_MS = {0, 1_000, 5_000, 10_000};

    private static void levels(Scene scene) throws Exception {
        String topic = scene.createdTopic(2);
        Inbox inbox = scene.receive(scene.group(), topic, "a");
        Map<String, SendResult> sent = new HashMap<>();
        // The longest first, so that only the delays can bring them into order.
        for (int level = 3; level >= 1; level--) {
            for (String tag : List.of("a", "b")) {
                Message message = Scene.message(topic, tag + level);
                message.setTags(tag);
                message.setKeys("key" + level);
                message.setDelayTimeLevel(level);
                message.putUserProperty("level", String.valueOf(level));
                sent.put(tag + level, scene.producer().send(message, Scene.queue(topic, 1)));
            }
        }
        Scene.until("three messages", () -> inbox.messages().size() == 3);
        Check.equal(List.of("a1", "a2", "a3"), inbox.bodies(), "order of arrival");
        scene.awaitStored(topic, 2, 6);
        Check.equal(6L, scene.producer().maxOffset(Scene.queue(topic, 1)), "messages in the queue they were sent to");
        for (MessageExt message : inbox.messages()) {
            int level = Integer.parseInt(message.getUserProperty("level"));
            Check.within(LEVEL_MS[level], Scene.SECONDS * 1_000L, message.getStoreTimestamp() - message.getBornTimestamp(),
                "milliseconds of level " + level);
            Check.equal(sent.get("a" + level).getMsgId(), message.getMsgId(), "id");
            Check.equal(0, message.getReconsumeTimes(), "times consumed again");
            Map<String, String> properties = new HashMap<>(message.getProperties());
            properties.keySet().removeAll(List.of("MIN_OFFSET", "MAX_OFFSET", "CONSUME_START_TIME"));
            Map<String, String> expected = new HashMap<>(Map.of("TAGS", "a", "KEYS", "key" + level, "level", String.valueOf(level),
                "WAIT", "true", "UNIQ_KEY", message.getMsgId(), "MSG_REGION", "DefaultRegion", "TRACE_ON", "true", "CLUSTER", Scene.CLUSTER));
            expected.putAll(Map.of("REAL_TOPIC", topic, "REAL_QID", "1", "DELAY", String.valueOf(level)));
            Check.equal(expected, properties, "properties");
        }
    }

    /** Level 0 and negative ones are no delay; whoever asks for more than there is waits as long as the last level does. */
    private static void outOfRange(Scene scene) throws Exception {
        String topic = scene.createdTopic(1);
        Inbox inbox = scene.receive(scene.group(), topic, "*");
        long waiting = waitingAtLastLevel(scene);
        List<String> expected = new ArrayList<>();
        for (int level : new int[] {0, -1, 18, 19, 1000, 1}) {
            Message message = Scene.message(topic, "level " + level);
            message.setDelayTimeLevel(level);
            scene.producer().send(message);
            if (level < 18) {
                expected.add("level " + level);
            }
        }
        inbox.awaitExactly(expected);
        Scene.until("three more at the last level", () -> waitingAtLastLevel(scene) == waiting + 3);
        scene.awaitStored(topic, 1, 3);
    }

    /** Only this case delays by two hours. */
    private static long waitingAtLastLevel(Scene scene) throws Exception {
        String offsets = scene.admin().fetchBrokerRuntimeStats(Scene.BROKER_ADDRESS).getTable().get("scheduleMessageOffset_18");
        return offsets == null ? 0 : Long.parseLong(offsets.split(",")[1]);
    }

    private DelayCases() {
    }
}
