package org.roxmq.compat;

import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.stream.Collectors;
import org.apache.rocketmq.client.consumer.DefaultMQPullConsumer;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.consumer.PullResult;
import org.apache.rocketmq.client.consumer.PullStatus;
import org.apache.rocketmq.client.consumer.listener.ConsumeConcurrentlyStatus;
import org.apache.rocketmq.client.consumer.listener.ConsumeOrderlyStatus;
import org.apache.rocketmq.client.consumer.listener.MessageListenerConcurrently;
import org.apache.rocketmq.client.consumer.listener.MessageListenerOrderly;
import org.apache.rocketmq.client.producer.SendResult;
import org.apache.rocketmq.common.TopicConfig;
import org.apache.rocketmq.common.consumer.ConsumeFromWhere;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageExt;

/** Messages that a consumer fails to handle: when they come again, what they say then, and where they end. */
final class RetryCases {
    static final List<Case> ALL = List.of(
        Case.of("retry-ladder", RetryCases::ladder),
        Case.of("retry-to-the-dead-letters", RetryCases::deadLetters).binaryToo(),
        Case.of("retry-orderly", RetryCases::orderly),
        Case.of("retry-of-two-groups", RetryCases::twoGroups),
        Case.of("retry-by-hand", RetryCases::byHand));

    /** What a listener was given: which time it was, and when. */
    private static final class Attempt {
        final MessageExt message;
        /** The client counts on in the message itself when it tries again in place. */
        final int times;
        final long atMs = System.currentTimeMillis();

        Attempt(MessageExt message) {
            this.message = message;
            this.times = message.getReconsumeTimes();
        }
    }

    /** A consumer of a group that fails each attempt for which the body and the count say so. */
    private static List<Attempt> failing(Scene scene, DefaultMQPushConsumer consumer, String topic, int delayLevel) throws Exception {
        List<Attempt> attempts = Collections.synchronizedList(new ArrayList<>());
        consumer.setConsumeFromWhere(ConsumeFromWhere.CONSUME_FROM_FIRST_OFFSET);
        consumer.subscribe(topic, "*");
        consumer.registerMessageListener((MessageListenerConcurrently) (messages, context) -> {
            MessageExt message = messages.get(0);
            attempts.add(new Attempt(message));
            context.setDelayLevelWhenNextConsume(delayLevel);
            return fails(message) ? ConsumeConcurrentlyStatus.RECONSUME_LATER : ConsumeConcurrentlyStatus.CONSUME_SUCCESS;
        });
        consumer.start();
        return attempts;
    }

    /** `fails 2 ...` fails twice. */
    private static boolean fails(MessageExt message) {
        String[] words = Scene.text(message).split(" ");
        return words[0].equals("fails") && message.getReconsumeTimes() < Integer.parseInt(words[1]);
    }

    private static List<Integer> times(List<Attempt> attempts) {
        return attempts.stream().map(attempt -> attempt.times).collect(Collectors.toList());
    }

    /** Without a wish of the consumer, the second attempt is made after 10 s; what came meanwhile is not held up. */
    private static void ladder(Scene scene) throws Exception {
        String topic = scene.createdTopic(1);
        List<Attempt> attempts = failing(scene, scene.push(scene.group()), topic, 0);
        scene.producer().send(Scene.message(topic, "fails 1 time"));
        scene.producer().send(Scene.message(topic, "good"));
        Scene.until("three attempts", () -> attempts.size() == 3);
        Check.equal("fails 1 time", Scene.text(attempts.get(2).message), "the last one");
        Check.equal(1, attempts.get(2).times, "times consumed again");
        Attempt first = attempts.get(Scene.text(attempts.get(0).message).equals("good") ? 1 : 0);
        Check.within(10_000, Scene.SECONDS * 1_000L, attempts.get(2).atMs - first.atMs, "milliseconds until the second attempt");
    }

    private static void deadLetters(Scene scene) throws Exception {
        String topic = scene.createdTopic(1);
        String group = scene.group();
        DefaultMQPushConsumer consumer = scene.push(group);
        consumer.setMaxReconsumeTimes(2);
        // Level 1 is a second.
        List<Attempt> attempts = failing(scene, consumer, topic, 1);
        Message sent = Scene.message(topic, "fails 9 times");
        sent.setTags("TagA");
        sent.setKeys("key");
        sent.setFlag(77);
        sent.putUserProperty("colour", "红");
        long before = System.currentTimeMillis();
        SendResult result = scene.producer().send(sent);
        scene.producer().send(Scene.message(topic, "fails 2 times"));
        scene.producer().send(Scene.message(topic, "good"));
        Scene.until("seven attempts", () -> attempts.size() == 7);
        Map<String, List<Attempt>> byBody = new HashMap<>();
        attempts.forEach(attempt -> byBody.computeIfAbsent(Scene.text(attempt.message), body -> new ArrayList<>()).add(attempt));
        Check.equal(List.of(0, 1, 2), times(byBody.get("fails 9 times")), "times of the message that always fails");
        Check.equal(List.of(0, 1, 2), times(byBody.get("fails 2 times")), "times of the message that fails twice");
        Check.equal(List.of(0), times(byBody.get("good")), "times of the good message");
        List<Attempt> always = byBody.get("fails 9 times");
        for (int again = 1; again < 3; again++) {
            Check.within(1_000, Scene.SECONDS * 1_000L, always.get(again).atMs - always.get(again - 1).atMs, "milliseconds between attempts");
            MessageExt message = always.get(again).message;
            Check.equal(topic, message.getTopic(), "topic at attempt " + again);
            Check.equal(result.getMsgId(), message.getMsgId(), "id at attempt " + again);
            Check.equal(result.getOffsetMsgId(), message.getProperty("ORIGIN_MESSAGE_ID"), "first offset id at attempt " + again);
            Check.equal("红", message.getUserProperty("colour"), "property at attempt " + again);
            Check.equal(always.get(0).message.getBornTimestamp(), message.getBornTimestamp(), "born time at attempt " + again);
        }

        MessageExt dead = onlyDeadLetter(scene, group);
        Check.equal("fails 9 times", Scene.text(dead), "dead letter");
        Check.equal(3, dead.getReconsumeTimes(), "times consumed again");
        Check.equal(77, dead.getFlag(), "flag");
        Check.equal(result.getMsgId(), dead.getMsgId(), "id of the dead letter");
        Check.equal(always.get(0).message.getBornTimestamp(), dead.getBornTimestamp(), "born time");
        Check.within(before, System.currentTimeMillis(), dead.getStoreTimestamp(), "store time");
        Map<String, String> expected = new HashMap<>(Map.of("TAGS", "TagA", "KEYS", "key", "colour", "红", "WAIT", "false",
            "UNIQ_KEY", result.getMsgId(), "MSG_REGION", "DefaultRegion", "TRACE_ON", "true", "CLUSTER", Scene.CLUSTER,
            "RETRY_TOPIC", topic, "ORIGIN_MESSAGE_ID", result.getOffsetMsgId()));
        expected.putAll(Map.of("REAL_TOPIC", "%RETRY%" + group, "REAL_QID", "0", "DELAY", "0"));
        Check.equal(expected, stored(dead), "properties of the dead letter");

        TopicConfig config = scene.admin().examineTopicConfig(Scene.BROKER_ADDRESS, "%DLQ%" + group);
        Check.equal("1 1 6", config.getReadQueueNums() + " " + config.getWriteQueueNums() + " " + config.getPerm(), "dead-letter topic");
        config = scene.admin().examineTopicConfig(Scene.BROKER_ADDRESS, "%RETRY%" + group);
        Check.equal("1 1 6", config.getReadQueueNums() + " " + config.getWriteQueueNums() + " " + config.getPerm(), "retry topic");
    }

    /** Properties as the broker has them: the client marks what it has pulled. */
    private static Map<String, String> stored(MessageExt message) {
        Map<String, String> properties = new HashMap<>(message.getProperties());
        properties.keySet().removeAll(List.of("MIN_OFFSET", "MAX_OFFSET", "CONSUME_START_TIME"));
        return properties;
    }

    static MessageExt onlyDeadLetter(Scene scene, String group) throws Exception {
        List<MessageExt> dead = deadLetters(scene, group, 1);
        Check.equal(1, dead.size(), "dead letters");
        return dead.get(0);
    }

    private static List<MessageExt> deadLetters(Scene scene, String group, int count) throws Exception {
        DefaultMQPullConsumer reader = scene.pull(scene.group());
        List<MessageExt> found = new ArrayList<>();
        Scene.until(count + " dead letters", () -> {
            PullResult pulled = reader.pull(Scene.queue("%DLQ%" + group, 0), "*", 0, 32);
            if (pulled.getPullStatus() != PullStatus.FOUND || pulled.getMsgFoundList().size() < count) {
                return false;
            }
            found.addAll(pulled.getMsgFoundList());
            return true;
        });
        return found;
    }

    /** A message that fails holds up its queue, and no other, until it may go. */
    private static void orderly(Scene scene) throws Exception {
        String topic = scene.createdTopic(2);
        String group = scene.group();
        Map<Integer, List<String>> seen = new ConcurrentHashMap<>();
        DefaultMQPushConsumer consumer = scene.push(group);
        consumer.setConsumeFromWhere(ConsumeFromWhere.CONSUME_FROM_FIRST_OFFSET);
        consumer.setMaxReconsumeTimes(2);
        consumer.setSuspendCurrentQueueTimeMillis(200);
        consumer.subscribe(topic, "*");
        consumer.registerMessageListener((MessageListenerOrderly) (messages, context) -> {
            MessageExt message = messages.get(0);
            seen.computeIfAbsent(message.getQueueId(), queue -> Collections.synchronizedList(new ArrayList<>()))
                .add(Scene.text(message) + "/" + message.getReconsumeTimes());
            return fails(message) ? ConsumeOrderlyStatus.SUSPEND_CURRENT_QUEUE_A_MOMENT : ConsumeOrderlyStatus.SUCCESS;
        });
        SendResult lost = null;
        for (String body : List.of("a", "fails 1", "b", "fails 9", "c")) {
            SendResult result = scene.producer().send(Scene.message(topic, body), Scene.queue(topic, 0));
            lost = body.equals("fails 9") ? result : lost;
            scene.producer().send(Scene.message(topic, body.substring(0, 1)), Scene.queue(topic, 1));
        }
        consumer.start();
        Scene.until("all attempts", () -> size(seen, 0) == 8 && size(seen, 1) == 5);
        Check.equal(List.of("a/0", "fails 1/0", "fails 1/1", "b/0", "fails 9/0", "fails 9/1", "fails 9/2", "c/0"), seen.get(0), "queue 0");
        Check.equal(List.of("a/0", "f/0", "b/0", "f/0", "c/0"), seen.get(1), "queue 1");

        MessageExt dead = onlyDeadLetter(scene, group);
        Check.equal("fails 9", Scene.text(dead), "dead letter");
        Check.equal(lost.getMsgId(), dead.getMsgId(), "id");
        Map<String, String> expected = new HashMap<>(Map.of("WAIT", "true", "UNIQ_KEY", lost.getMsgId(), "MSG_REGION", "DefaultRegion",
            "TRACE_ON", "true", "CLUSTER", Scene.CLUSTER, "RETRY_TOPIC", topic));
        // The client gives such a message back with an ordinary send to the retry topic, and names it by its own id.
        expected.putAll(Map.of("ORIGIN_MESSAGE_ID", lost.getMsgId()));
        expected.putAll(Map.of("MAX_RECONSUME_TIMES", "2", "DELAY", "-1"));
        Map<String, String> properties = stored(dead);
        // The client of 4.x does not count the last attempt.
        Check.that(List.of("2", "3").contains(properties.remove("RECONSUME_TIME")), "times consumed again in " + dead.getProperties());
        Check.equal(expected, properties, "properties");
    }

    private static int size(Map<Integer, List<String>> seen, int queue) {
        return seen.getOrDefault(queue, List.of()).size();
    }

    /** What one group fails with comes again to that group alone. */
    private static void twoGroups(Scene scene) throws Exception {
        String topic = scene.createdTopic(1);
        List<Attempt> one = failing(scene, scene.push(scene.group()), topic, 1);
        Inbox other = scene.receive(scene.group(), topic, "*");
        scene.producer().send(Scene.message(topic, "fails 2 times"));
        Scene.until("three attempts", () -> one.size() == 3);
        Check.equal(List.of(0, 1, 2), times(one), "times");
        other.awaitExactly(List.of("fails 2 times"));
    }

    /** A pull consumer gives messages back itself: to be tried after a second, and at once as dead. */
    private static void byHand(Scene scene) throws Exception {
        String topic = scene.createdTopic(1);
        String group = scene.group();
        List<String> bodies = scene.send(topic, "tag", "body", 2);
        scene.awaitStored(topic, 1, 2);
        // Makes the group known.
        Inbox again = scene.receive(group, topic, "*");
        again.awaitExactly(bodies);
        again.clear();
        DefaultMQPullConsumer consumer = scene.pull(scene.group());
        List<MessageExt> messages = consumer.pull(Scene.queue(topic, 0), "*", 0, 32).getMsgFoundList();
        long before = System.currentTimeMillis();
        consumer.sendMessageBack(messages.get(0), 1, Scene.BROKER, group);
        consumer.sendMessageBack(messages.get(1), -1, Scene.BROKER, group);
        again.awaitExactly(List.of("body0"));
        Check.within(1_000, Scene.SECONDS * 1_000L, System.currentTimeMillis() - before, "milliseconds of level 1");
        Check.equal(1, again.messages().get(0).getReconsumeTimes(), "times consumed again");
        MessageExt dead = onlyDeadLetter(scene, group);
        Check.equal("body1", Scene.text(dead), "dead letter");
        Check.equal(1, dead.getReconsumeTimes(), "times of the dead letter");
        Check.equal(topic, dead.getProperty("RETRY_TOPIC"), "topic it came from");
    }

    private RetryCases() {
    }
}
