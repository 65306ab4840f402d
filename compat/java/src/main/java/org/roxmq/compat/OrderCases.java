package org.roxmq.compat;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.ConcurrentHashMap;
import java.util.stream.Collectors;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.consumer.listener.ConsumeOrderlyStatus;
import org.apache.rocketmq.client.consumer.listener.MessageListenerOrderly;
import org.apache.rocketmq.common.consumer.ConsumeFromWhere;

/** Consumers that keep order: one at a time holds a queue, and nothing overtakes a message that cannot be handled. */
final class OrderCases {
    static final List<Case> ALL = List.of(
        Case.of("order-suspended-queue", OrderCases::suspended),
        Case.of("order-given-up-after-times", OrderCases::givenUp),
        Case.of("order-taken-over", OrderCases::takenOver),
        Case.of("order-broadcasting", OrderCases::broadcasting));

    private interface Handler {
        boolean handle(String body, int queue, int times);
    }

    /** Started; what it handled lies in {@code seen}, tries that failed as `body!`. */
    private static DefaultMQPushConsumer ordered(Scene scene, String group, String topic, int timesMax, List<String> seen, Handler handler)
        throws Exception {
        DefaultMQPushConsumer consumer = scene.push(group);
        consumer.setConsumeFromWhere(ConsumeFromWhere.CONSUME_FROM_FIRST_OFFSET);
        consumer.setSuspendCurrentQueueTimeMillis(100);
        consumer.setMaxReconsumeTimes(timesMax);
        consumer.subscribe(topic, "*");
        consumer.registerMessageListener((MessageListenerOrderly) (messages, context) -> {
            String body = Scene.text(messages.get(0));
            boolean handled = handler.handle(body, messages.get(0).getQueueId(), messages.get(0).getReconsumeTimes());
            seen.add(handled ? body : body + "!");
            return handled ? ConsumeOrderlyStatus.SUCCESS : ConsumeOrderlyStatus.SUSPEND_CURRENT_QUEUE_A_MOMENT;
        });
        consumer.start();
        return consumer;
    }

    /** Sends `prefix0`, ... to one queue. */
    private static List<String> sendTo(Scene scene, String topic, int queue, String prefix, int count) throws Exception {
        List<String> bodies = new ArrayList<>();
        for (int number = 0; number < count; number++) {
            bodies.add(prefix + number);
            scene.producer().send(Scene.message(topic, prefix + number), Scene.queue(topic, queue));
        }
        return bodies;
    }

    private static List<String> of(List<String> seen, String prefix) {
        synchronized (seen) {
            return seen.stream().filter(body -> body.startsWith(prefix)).collect(Collectors.toList());
        }
    }

    /** A message that fails is tried again in its place; the other queue goes on. */
    private static void suspended(Scene scene) throws Exception {
        String topic = scene.createdTopic(2);
        List<String> seen = Collections.synchronizedList(new ArrayList<>());
        ordered(scene, scene.group(), topic, -1, seen, (body, queue, times) -> !body.equals("slow2") || times >= 3);
        sendTo(scene, topic, 0, "slow", 6);
        List<String> quick = sendTo(scene, topic, 1, "quick", 6);
        Scene.until("both queues", () -> of(seen, "slow").contains("slow5") && of(seen, "quick").size() == 6);
        Check.equal(List.of("slow0", "slow1", "slow2!", "slow2!", "slow2!", "slow2", "slow3", "slow4", "slow5"), of(seen, "slow"),
            "the queue of the message that failed");
        Check.equal(quick, of(seen, "quick"), "the other queue");
    }

    /** A message that fails too often is laid aside, without a detour over the retry topic, and the queue goes on. */
    private static void givenUp(Scene scene) throws Exception {
        String topic = scene.createdTopic(1);
        String group = scene.group();
        List<String> seen = Collections.synchronizedList(new ArrayList<>());
        ordered(scene, group, topic, 2, seen, (body, queue, times) -> !body.equals("body1"));
        sendTo(scene, topic, 0, "body", 4);
        Scene.until("the messages behind the bad one", () -> seen.contains("body3"));
        Check.equal(List.of("body0", "body1!", "body1!", "body1!", "body2", "body3"), new ArrayList<>(seen), "tries");
        Inbox dead = scene.receive(scene.group(), "%DLQ%" + group, "*");
        dead.awaitExactly(List.of("body1"));
        Check.equal(topic, dead.messages().get(0).getProperty("RETRY_TOPIC"), "the topic it came from");
    }

    /** A member that leaves gives up its locks: the other one reads its queues at once, in order. */
    private static void takenOver(Scene scene) throws Exception {
        String topic = scene.createdTopic(4);
        String group = scene.group();
        List<String> seen = Collections.synchronizedList(new ArrayList<>());
        var readers = new ConcurrentHashMap<Integer, String>();
        List<DefaultMQPushConsumer> members = new ArrayList<>();
        for (String name : List.of("one", "two")) {
            members.add(ordered(scene, group, topic, -1, seen, (body, queue, times) -> {
                readers.put(queue, name);
                return true;
            }));
        }
        int[] round = {0};
        Scene.until("two queues each", 90, () -> {
            round(scene, topic, seen, round[0]++);
            return readers.values().stream().filter("one"::equals).count() == 2;
        });
        members.get(1).shutdown();
        long left = System.nanoTime();
        Scene.until("all queues at the one that stays", () -> {
            round(scene, topic, seen, round[0]++);
            return readers.values().stream().allMatch("one"::equals);
        });
        // A lock that is not given up lives for 60 s.
        Check.that(System.nanoTime() - left < 40_000_000_000L, "the locks were not given up");
        for (int queue = 0; queue < 4; queue++) {
            List<String> expected = new ArrayList<>();
            for (int each = 0; each < round[0]; each++) {
                expected.add("queue" + queue + "-" + each + "-0");
                expected.add("queue" + queue + "-" + each + "-1");
            }
            Check.equal(expected, of(seen, "queue" + queue + "-").stream().distinct().collect(Collectors.toList()), "order in queue " + queue);
        }
    }

    /** Members of a group that broadcasts each get all messages in order, whoever asked for the queues first. Old clients lock them. */
    private static void broadcasting(Scene scene) throws Exception {
        String topic = scene.createdTopic(2);
        String group = scene.group();
        List<List<String>> seen = new ArrayList<>();
        for (int member = 0; member < 2; member++) {
            List<String> bodies = Collections.synchronizedList(new ArrayList<>());
            seen.add(bodies);
            DefaultMQPushConsumer consumer = scene.push(group);
            var clustering = consumer.getMessageModel();
            consumer.setMessageModel(Enum.valueOf(clustering.getDeclaringClass(), "BROADCASTING"));
            consumer.setConsumeFromWhere(ConsumeFromWhere.CONSUME_FROM_FIRST_OFFSET);
            consumer.subscribe(topic, "*");
            consumer.registerMessageListener((MessageListenerOrderly) (messages, context) -> {
                messages.forEach(message -> bodies.add(Scene.text(message)));
                return ConsumeOrderlyStatus.SUCCESS;
            });
            consumer.start();
        }
        List<String> one = sendTo(scene, topic, 0, "one", 5);
        List<String> two = sendTo(scene, topic, 1, "two", 5);
        if (Scene.AGAINST_JAVA) {
            // There the first of 4.x keeps the queues from the second.
            return;
        }
        for (List<String> bodies : seen) {
            Scene.until("all messages at each member", () -> of(bodies, "one").size() >= 5 && of(bodies, "two").size() >= 5);
            Check.equal(one, of(bodies, "one"), "one queue");
            Check.equal(two, of(bodies, "two"), "the other queue");
        }
    }

    private static void round(Scene scene, String topic, List<String> seen, int round) throws Exception {
        for (int queue = 0; queue < 4; queue++) {
            sendTo(scene, topic, queue, "queue" + queue + "-" + round + "-", 2);
        }
        Scene.until("a round of messages", 90, () -> {
            for (int queue = 0; queue < 4; queue++) {
                if (!seen.contains("queue" + queue + "-" + round + "-1")) {
                    return false;
                }
            }
            return true;
        });
    }

    private OrderCases() {
    }
}
