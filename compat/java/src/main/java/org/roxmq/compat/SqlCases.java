package org.roxmq.compat;

import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import org.apache.rocketmq.client.consumer.DefaultLitePullConsumer;
import org.apache.rocketmq.client.consumer.DefaultMQPullConsumer;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.consumer.MessageSelector;
import org.apache.rocketmq.client.consumer.PullResult;
import org.apache.rocketmq.client.consumer.PullStatus;
import org.apache.rocketmq.client.consumer.listener.ConsumeConcurrentlyStatus;
import org.apache.rocketmq.client.consumer.listener.MessageListenerConcurrently;
import org.apache.rocketmq.client.exception.MQClientException;
import org.apache.rocketmq.common.consumer.ConsumeFromWhere;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageExt;
import org.apache.rocketmq.common.message.MessageQueue;

/** Consumers that select messages by their properties. */
final class SqlCases {
    static final List<Case> ALL = List.of(
        Case.of("sql-push", SqlCases::push).binaryToo(),
        Case.of("sql-push-arrivals", SqlCases::arrivals),
        Case.of("sql-push-changes", SqlCases::changes),
        Case.of("sql-push-retry", SqlCases::retry),
        Case.of("sql-push-far-between", SqlCases::farBetween),
        Case.of("sql-pull", SqlCases::pull).binaryToo(),
        Case.of("sql-lite-pull", SqlCases::litePull),
        Case.of("sql-refused", SqlCases::refused));

    /** What each expression selects of the messages 0 to 19 of {@link #send}. */
    private static Map<String, List<Integer>> selections() {
        Map<String, List<Integer>> selections = new LinkedHashMap<>();
        selections.put("a > 5 AND a BETWEEN 0 AND 15", numbers(6, 15));
        selections.put("a NOT BETWEEN 3 AND 18", List.of(0, 1, 2, 19));
        selections.put("region IN ('east', 'w''est') or region = '中'", List.of(0, 1, 2, 4, 5, 6, 8, 9, 10, 12, 13, 14, 16, 17, 18));
        selections.put("region IS NULL", List.of(3, 7, 11, 15, 19));
        selections.put("region <> 'east'", List.of(1, 2, 5, 6, 9, 10, 13, 14, 17, 18));
        // A missing property is unknown, and so is its negation.
        selections.put("NOT (region = 'east')", List.of(1, 2, 5, 6, 9, 10, 13, 14, 17, 18));
        selections.put("TAGS = 'even' AND a < 5", List.of(0, 2, 4));
        // A price has a point, and a whole number asks for a text without one.
        selections.put("price > 5", List.of());
        selections.put("price > 5.0 AND price <= 7.5", numbers(5, 7));
        selections.put("region STARTSWITH 'w' OR region ENDSWITH 'st' AND a CONTAINS '1'", List.of(1, 5, 9, 12, 13, 16, 17));
        selections.put("large = 'yes'", List.of(10));
        return selections;
    }

    private static List<Integer> numbers(int first, int last) {
        List<Integer> numbers = new ArrayList<>();
        for (int number = first; number <= last; number++) {
            numbers.add(number);
        }
        return numbers;
    }

    private static Message message(String topic, int number) {
        String[] regions = {"east", "w'est", "中", null};
        Message message = Scene.message(topic, "body" + number);
        message.setTags(number % 2 == 0 ? "even" : "odd");
        message.putUserProperty("a", String.valueOf(number));
        message.putUserProperty("price", number + ".5");
        if (regions[number % 4] != null) {
            message.putUserProperty("region", regions[number % 4]);
        }
        if (number == 10) {
            // The client compresses it.
            message.setBody(Scene.prose(20_000));
            message.putUserProperty("large", "yes");
        }
        return message;
    }

    private static void send(Scene scene, String topic) throws Exception {
        for (int number = 0; number < 20; number++) {
            scene.producer().send(message(topic, number));
        }
    }

    static Inbox receive(Scene scene, String group, String topic, String expression) throws Exception {
        DefaultMQPushConsumer consumer = scene.push(group);
        consumer.setConsumeFromWhere(ConsumeFromWhere.CONSUME_FROM_FIRST_OFFSET);
        consumer.subscribe(topic, MessageSelector.bySql(expression));
        Inbox inbox = new Inbox(consumer);
        consumer.start();
        return inbox;
    }

    private static List<String> bodies(String topic, List<Integer> numbers) {
        return numbers.stream().map(number -> Scene.text(message(topic, number))).collect(Collectors.toList());
    }

    private static void push(Scene scene) throws Exception {
        String topic = scene.createdTopic(2);
        send(scene, topic);
        Map<String, Inbox> inboxes = new LinkedHashMap<>();
        for (String expression : selections().keySet()) {
            inboxes.put(expression, receive(scene, scene.group(), topic, expression));
        }
        for (Map.Entry<String, List<Integer>> selection : selections().entrySet()) {
            try {
                inboxes.get(selection.getKey()).awaitExactly(bodies(topic, selection.getValue()));
            } catch (Check.Failed failed) {
                throw new Check.Failed(selection.getKey() + ": " + failed.getMessage());
            }
        }
    }

    /** Messages come one by one while the pull is parked; those that are not wanted do not end the wait in error. */
    private static void arrivals(Scene scene) throws Exception {
        String topic = scene.createdTopic(1);
        Inbox inbox = receive(scene, scene.group(), topic, "a BETWEEN 5 AND 8 OR a = 19");
        send(scene, topic);
        List<Integer> wanted = new ArrayList<>(numbers(5, 8));
        wanted.add(19);
        inbox.awaitExactly(bodies(topic, wanted));
    }

    private static void changes(Scene scene) throws Exception {
        String topic = scene.createdTopic(1);
        String group = scene.group();
        Inbox inbox = receive(scene, group, topic, "a < 3");
        send(scene, topic);
        inbox.awaitExactly(bodies(topic, numbers(0, 2)));
        // What the first expression passed over counts as consumed.
        scene.awaitCommitted(group, topic, 20);
        inbox.consumer.shutdown();
        Inbox again = receive(scene, group, topic, "a > 16");
        send(scene, topic);
        again.awaitExactly(bodies(topic, numbers(17, 19)));
    }

    /** What is consumed again has passed the filter once. */
    private static void retry(Scene scene) throws Exception {
        String topic = scene.createdTopic(1);
        List<String> seen = Collections.synchronizedList(new ArrayList<>());
        DefaultMQPushConsumer consumer = scene.push(scene.group());
        consumer.setConsumeFromWhere(ConsumeFromWhere.CONSUME_FROM_FIRST_OFFSET);
        consumer.subscribe(topic, MessageSelector.bySql("a = 7"));
        consumer.registerMessageListener((MessageListenerConcurrently) (messages, context) -> {
            MessageExt message = messages.get(0);
            seen.add(message.getUserProperty("a") + " " + message.getReconsumeTimes());
            return message.getReconsumeTimes() == 0 ? ConsumeConcurrentlyStatus.RECONSUME_LATER : ConsumeConcurrentlyStatus.CONSUME_SUCCESS;
        });
        consumer.start();
        send(scene, topic);
        Scene.until("the second attempt", 90, () -> seen.size() == 2);
        Check.equal(List.of("7 0", "7 1"), seen, "attempts");
    }

    /** One pull looks at some hundred messages; what is wanted lies further on. */
    private static void farBetween(Scene scene) throws Exception {
        String topic = scene.createdTopic(1);
        List<String> wanted = new ArrayList<>();
        List<Message> batch = new ArrayList<>();
        for (int number = 0; number < 3_000; number++) {
            Message message = Scene.message(topic, "body" + number);
            message.putUserProperty("a", String.valueOf(number));
            batch.add(message);
            if (number % 1_400 == 1_399) {
                wanted.add("body" + number);
            }
            if (batch.size() == 100) {
                scene.producer().send(batch);
                batch.clear();
            }
        }
        receive(scene, scene.group(), topic, "a = 1399 OR a = 2799").awaitExactly(wanted);
    }

    private static void pull(Scene scene) throws Exception {
        String topic = scene.createdTopic(1);
        send(scene, topic);
        scene.awaitStored(topic, 1, 20);
        DefaultMQPullConsumer consumer = puller(scene, topic);
        MessageQueue queue = Scene.queue(topic, 0);
        for (Map.Entry<String, List<Integer>> selection : selections().entrySet()) {
            PullResult result = consumer.pull(queue, MessageSelector.bySql(selection.getKey()), 0, 32);
            boolean some = !selection.getValue().isEmpty();
            Check.equal(some ? PullStatus.FOUND : PullStatus.NO_MATCHED_MSG, result.getPullStatus(), "status for " + selection.getKey());
            Check.equal(20L, result.getNextBeginOffset(), "next offset for " + selection.getKey());
            List<String> found = some ? texts(result.getMsgFoundList()) : List.of();
            Check.equal(bodies(topic, selection.getValue()), found, selection.getKey());
        }
        PullResult some = consumer.pull(queue, MessageSelector.bySql("a > 5"), 2, 3);
        Check.equal(bodies(topic, numbers(6, 8)), texts(some.getMsgFoundList()), "three of those wanted");
        Check.equal(9L, some.getNextBeginOffset(), "next offset behind three");
        PullResult end = consumer.pull(queue, MessageSelector.bySql("a > 5"), 20, 3);
        Check.equal(PullStatus.NO_NEW_MSG, end.getPullStatus(), "status at the end");
    }

    /** The client asks no broker for SQL92 of which it does not know the version, and learns it from the answer to a heartbeat. */
    static DefaultMQPullConsumer puller(Scene scene, String topic) throws Exception {
        DefaultMQPullConsumer consumer = scene.pull(scene.group());
        consumer.pull(Scene.queue(topic, 0), "*", 0, 1);
        Scene.until("the broker's version", () -> {
            consumer.getDefaultMQPullConsumerImpl().getRebalanceImpl().getmQClientFactory().sendHeartbeatToAllBrokerWithLock();
            try {
                consumer.pull(Scene.queue(topic, 0), MessageSelector.bySql("TRUE"), 0, 1);
                return true;
            } catch (MQClientException unknownYet) {
                return false;
            }
        });
        return consumer;
    }

    private static void litePull(Scene scene) throws Exception {
        String topic = scene.createdTopic(2);
        send(scene, topic);
        DefaultLitePullConsumer consumer = scene.litePull(scene.group());
        consumer.setConsumeFromWhere(ConsumeFromWhere.CONSUME_FROM_FIRST_OFFSET);
        consumer.subscribe(topic, MessageSelector.bySql("a BETWEEN 4 AND 9"));
        consumer.start();
        List<String> seen = new ArrayList<>();
        Scene.until("six messages", () -> {
            seen.addAll(texts(consumer.poll(500)));
            return seen.size() >= 6;
        });
        Collections.sort(seen);
        Check.equal(bodies(topic, numbers(4, 9)), seen, "what arrived");
    }

    /** A bad expression is refused when the consumer starts. */
    private static void refused(Scene scene) throws Exception {
        String topic = scene.createdTopic(1);
        scene.producer().send(message(topic, 1));
        for (String expression : List.of("a >", "a * 2 = 4", "a > 'x'", "a = NULL", "a BETWEEN 3 AND 1", "a IN (1)", "(a = 1", "5", "*", "a = 'x")) {
            DefaultMQPushConsumer consumer = scene.push(scene.group());
            consumer.subscribe(topic, MessageSelector.bySql(expression));
            new Inbox(consumer);
            try {
                consumer.start();
                throw new Check.Failed("accepted: " + expression);
            } catch (MQClientException refusal) {
                Check.equal(23, refusal.getResponseCode(), "code for " + expression);
                String why = refusal.getErrorMessage();
                Check.that(Scene.AGAINST_JAVA || why.contains("at character"), "no position in: " + why);
            }
            if (!Scene.AGAINST_JAVA) {
                // Java takes the expression for one that wants everything.
                DefaultMQPullConsumer puller = puller(scene, topic);
                Check.refused(23, () -> puller.pull(Scene.queue(topic, 0), MessageSelector.bySql(expression), 0, 32).getPullStatus(), expression);
            }
        }
        // The parser stops at what it does not know; the rest does not count.
        for (String expression : List.of("a = 1 rubbish", "a = 1)", "a = 1 AND b IS NULL, x")) {
            receive(scene, scene.group(), topic, expression).awaitExactly(List.of("body1"));
        }
    }

    private static List<String> texts(List<MessageExt> messages) {
        return messages.stream().map(Scene::text).collect(Collectors.toList());
    }
}
