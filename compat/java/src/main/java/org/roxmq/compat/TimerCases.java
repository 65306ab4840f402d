package org.roxmq.compat;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import org.apache.rocketmq.client.exception.MQBrokerException;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageAccessor;
import org.apache.rocketmq.common.message.MessageExt;

/** Messages with a time of their own: delivered then, in order, or taken back before. */
final class TimerCases {
    static final List<Case> ALL = List.of(
        Case.of("timer-times", TimerCases::times),
        Case.of("timer-refused", TimerCases::refused),
        Case.of("timer-recall", TimerCases::recall),
        Case.of("timer-many-properties", TimerCases::manyProperties),
        Case.of("timer-restart", TimerCases::restart).alone());

    /** Java's times are rounded down to a second, and looked at a second before. */
    private static final long EARLY_MAX = Scene.AGAINST_JAVA ? 2_100 : 0;
    private static final long LATE_MAX = 20_000;

    private static final String SECONDS = "TIMER_DELAY_SEC";
    private static final String MILLISECONDS = "TIMER_DELAY_MS";
    private static final String AT = "TIMER_DELIVER_MS";

    private static Message timed(String topic, String body, String property, long value) {
        Message message = Scene.message(topic, body);
        message.setTags("tag");
        message.setKeys("key");
        message.putUserProperty("mine", "kept");
        MessageAccessor.putProperty(message, property, String.valueOf(value));
        return message;
    }

    private static void times(Scene scene) throws Exception {
        String topic = scene.createdTopic(1);
        Inbox inbox = scene.receive(scene.group(), topic, "tag");
        long sent = System.currentTimeMillis();
        Map<String, Long> due = new LinkedHashMap<>();
        due.put("past", sent);
        due.put("3 s", sent + 3_000);
        due.put("4500 ms", sent + 4_500);
        due.put("6 s ahead", sent + 6_000);
        scene.producer().send(timed(topic, "6 s ahead", AT, sent + 6_000));
        scene.producer().send(timed(topic, "4500 ms", MILLISECONDS, 4_500));
        scene.producer().send(timed(topic, "3 s", SECONDS, 3));
        scene.producer().send(timed(topic, "past", AT, sent - 100_000));
        inbox.awaitExactly(due.keySet());
        Check.equal(new ArrayList<>(due.keySet()), inbox.bodies(), "order of arrival");
        for (MessageExt message : inbox.messages()) {
            String body = Scene.text(message);
            long late = message.getStoreTimestamp() - due.get(body);
            Check.within(-EARLY_MAX, LATE_MAX, late, "ms from its time to the delivery of " + body);
            Check.equal("kept", message.getUserProperty("mine"), "property of " + body);
            Check.equal("key", message.getKeys(), "key of " + body);
            Check.equal(topic, message.getTopic(), "topic of " + body);
            if (!body.equals("past")) {
                Check.equal(topic, message.getProperty("REAL_TOPIC"), "real topic of " + body);
                Check.within(due.get(body) - 2_000, due.get(body) + LATE_MAX, Long.parseLong(message.getProperty("TIMER_OUT_MS")), "time of " + body);
            }
        }
    }

    private static void refused(Scene scene) throws Exception {
        String topic = scene.createdTopic(1);
        long day = 86_400;
        long tooFar = Scene.AGAINST_JAVA ? 4 * day : 401 * day;
        Map<Message, String> bad = new LinkedHashMap<>();
        bad.put(timed(topic, "far", SECONDS, tooFar), "a delay that is too long");
        bad.put(timed(topic, "far", AT, System.currentTimeMillis() + tooFar * 1000), "a time that is too far ahead");
        Message noTime = Scene.message(topic, "body");
        MessageAccessor.putProperty(noTime, AT, "tomorrow");
        bad.put(noTime, "a time that is none");
        for (Map.Entry<Message, String> each : bad.entrySet()) {
            Check.refused(13, () -> scene.producer().send(each.getKey()), each.getValue());
        }
        if (!Scene.AGAINST_JAVA) {
            scene.producer().send(timed(topic, "in 399 days", SECONDS, 399 * day));
        }
        Check.equal(0L, scene.producer().maxOffset(Scene.queue(topic, 0)), "messages in the topic");
    }

    private static void recall(Scene scene) throws Exception {
        Properties allow = new Properties();
        allow.setProperty("recallMessageEnable", "true");
        scene.admin().updateBrokerConfig(Scene.BROKER_ADDRESS, allow);
        String topic = scene.createdTopic(1);
        Inbox inbox = scene.receive(scene.group(), topic, "*");
        try (RawConnection connection = new RawConnection(Scene.BROKER_ADDRESS)) {
            long now = System.currentTimeMillis();
            String soon = send(connection, topic, "recalled", now + 8_000).field("recallHandle");
            String far = send(connection, topic, "recalled as well", now + 3_600_000).field("recallHandle");
            send(connection, topic, "delivered", now + 9_000);
            Check.equal(604, recall(connection, topic, "no handle").code, "code for a handle that is none");
            Check.equal(17, recall(connection, topic + "_unknown", soon).code, "code for an unknown topic");
            Check.equal(604, recall(connection, scene.createdTopic(1), soon).code, "code for another topic");
            Check.equal(0, recall(connection, topic, soon).code, "code");
            Check.equal(0, recall(connection, topic, far).code, "code of the far one");
            inbox.awaitExactly(List.of("delivered"));
            Check.equal(604, recall(connection, topic, soon).code, "code when its time is over");
        }
    }

    private static RawConnection.Answer send(RawConnection connection, String topic, String body, long at) throws Exception {
        Map<String, String> fields = WireCases.send(topic);
        fields.put("i", AT + "\\u0001" + at + "\\u0002UNIQ_KEY\\u0001" + String.format("%032X", body.hashCode()) + "\\u0002");
        RawConnection.Answer answer = connection.ask(310, fields, body);
        Check.equal(0, answer.code, "code of the send");
        return answer;
    }

    private static RawConnection.Answer recall(RawConnection connection, String topic, String handle) throws Exception {
        Map<String, String> fields = new LinkedHashMap<>();
        fields.put("producerGroup", "recalling");
        fields.put("topic", topic);
        fields.put("recallHandle", handle);
        return connection.ask(370, fields);
    }

    /** A message is refused when it is sent, or delivered; whatever becomes of it, the next one is delivered. */
    private static void manyProperties(Scene scene) throws Exception {
        String topic = scene.createdTopic(1);
        Inbox inbox = scene.receive(scene.group(), topic, "tag");
        List<String> due = new ArrayList<>();
        for (int length : new int[] {31_000, 32_000, 32_200, 32_300, 32_400, 32_500, 32_560, 32_600, 32_700}) {
            Message message = timed(topic, "properties of " + length, MILLISECONDS, 2_000);
            message.putUserProperty("long", "x".repeat(length));
            try {
                scene.producer().send(message);
                due.add("properties of " + length);
            } catch (MQBrokerException refusal) {
                Check.equal(13, refusal.getResponseCode(), refusal.getErrorMessage());
                Check.that(length > 32_000, "properties of " + length + " are refused");
            }
        }
        scene.producer().send(timed(topic, "behind them", MILLISECONDS, 2_500));
        due.add("behind them");
        inbox.awaitExactly(due);
    }

    private static void restart(Scene scene) throws Exception {
        String topic = scene.createdTopic(1);
        Inbox inbox = scene.receive(scene.group(), topic, "*");
        long sent = System.currentTimeMillis();
        List<String> bodies = new ArrayList<>();
        for (int number = 0; number < 20; number++) {
            bodies.add("timed" + number);
            scene.producer().send(timed(topic, "timed" + number, AT, sent + 1_000 + number * 500));
        }
        Scene.control("restart-broker");
        inbox.awaitExactly(bodies);
    }

    private TimerCases() {
    }
}
