package org.roxmq.compat;

import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.ConcurrentHashMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.consumer.listener.ConsumeConcurrentlyStatus;
import org.apache.rocketmq.client.consumer.listener.MessageListenerConcurrently;

/** What a group may do, and how its members come by their queues when the broker shares them out. */
final class GroupCases {
    static final List<Case> ALL = all();

    private static List<Case> all() {
        List<Case> all = new ArrayList<>(List.of(
            Case.of("group-consume-switch", GroupCases::consumeSwitch),
            Case.of("group-broadcast-switch", GroupCases::broadcastSwitch),
            Case.of("group-forbidden-for-topic", GroupCases::forbiddenForTopic),
            Case.of("group-topic-permissions", GroupCases::topicPermissions),
            Case.of("group-assignment", GroupCases::assignment),
            Case.of("group-request-mode", GroupCases::requestMode)));
        if (ClientRebalance.EXISTS) {
            all.add(Case.of("group-shared-out-by-the-broker", GroupCases::sharedOut));
        }
        return all;
    }

    private static Inbox consuming(Scene scene, String group, String topic) throws Exception {
        Inbox inbox = scene.receive(group, topic, "*");
        inbox.awaitExactly(scene.send(topic, null, "before", 10));
        inbox.clear();
        return inbox;
    }

    /** A pull as the group's members send it: the subscription is the one of the heartbeat. */
    private static RawConnection.Answer pull(RawConnection connection, String group, String topic) throws Exception {
        Map<String, String> fields = WireCases.pull(group, topic, 0);
        fields.put("sysFlag", "0");
        fields.remove("subscription");
        return connection.ask(11, fields);
    }

    private static void forbidden(RawConnection.Answer answer, String type, String what) {
        Check.equal(16, answer.code, what + ": code");
        Check.equal(type, answer.field("forbiddenType"), what + ": kind of ban");
    }

    private static void enable(Scene scene, String group, boolean consume, boolean broadcast) throws Exception {
        var config = scene.admin().examineSubscriptionGroupConfig(Scene.BROKER_ADDRESS, group);
        config.setConsumeEnable(consume);
        config.setConsumeBroadcastEnable(broadcast);
        scene.admin().createAndUpdateSubscriptionGroupConfig(Scene.BROKER_ADDRESS, config);
    }

    private static void consumeSwitch(Scene scene) throws Exception {
        String topic = scene.createdTopic(1);
        String group = scene.group();
        Inbox inbox = consuming(scene, group, topic);
        enable(scene, group, false, true);
        List<String> bodies = scene.send(topic, null, "off", 5);
        try (RawConnection connection = new RawConnection(Scene.BROKER_ADDRESS)) {
            RawConnection.Answer answer = pull(connection, group, topic);
            forbidden(answer, "2", "a group that is switched off");
            Check.equal("subscription group no permission, " + group, answer.field("remark"), "remark");
            scene.awaitStored(topic, 1, 15);
            Check.equal(List.of(), inbox.bodies(), "messages of a group that is switched off");
            enable(scene, group, true, true);
            Check.equal(0, pull(connection, group, topic).code, "code when it is on again");
        }
        bodies.addAll(scene.send(topic, null, "on", 5));
        inbox.awaitExactly(bodies);
    }

    private static void broadcastSwitch(Scene scene) throws Exception {
        String topic = scene.createdTopic(1);
        String group = scene.group();
        DefaultMQPushConsumer consumer = scene.push(group);
        var clustering = consumer.getMessageModel();
        consumer.setMessageModel(Enum.valueOf(clustering.getDeclaringClass(), "BROADCASTING"));
        consumer.setConsumeFromWhere(org.apache.rocketmq.common.consumer.ConsumeFromWhere.CONSUME_FROM_FIRST_OFFSET);
        consumer.subscribe(topic, "*");
        Inbox inbox = new Inbox(consumer);
        consumer.start();
        inbox.awaitExactly(scene.send(topic, null, "before", 10));
        inbox.clear();
        enable(scene, group, true, false);
        List<String> bodies = scene.send(topic, null, "off", 5);
        try (RawConnection connection = new RawConnection(Scene.BROKER_ADDRESS)) {
            RawConnection.Answer answer = pull(connection, group, topic);
            forbidden(answer, "4", "a group that may not broadcast");
            Check.equal("the consumer group[" + group + "] can not consume by broadcast way", answer.field("remark"), "remark");
            enable(scene, group, true, true);
            Check.equal(0, pull(connection, group, topic).code, "code when it may again");
        }
        inbox.awaitExactly(bodies);
    }

    private static void forbiddenForTopic(Scene scene) throws Exception {
        String topic = scene.createdTopic(1);
        String other = scene.createdTopic(1);
        String group = scene.group();
        Inbox inbox = scene.receive(group, topic, "*");
        inbox.consumer.subscribe(other, "*");
        List<String> both = new ArrayList<>(scene.send(topic, null, "before", 5));
        both.addAll(scene.send(other, null, "other", 5));
        inbox.awaitExactly(both);
        inbox.clear();
        try (RawConnection connection = new RawConnection(Scene.BROKER_ADDRESS)) {
            Check.equal("true", readable(connection, group, topic, null), "readable at first");
            Check.equal("false", readable(connection, group, topic, false), "readable when forbidden");
            Check.equal("false", readable(connection, group, topic, null), "readable when asked again");
            Check.equal("true", readable(connection, group, other, null), "the other topic");
            List<String> bodies = scene.send(topic, null, "off", 5);
            RawConnection.Answer answer = pull(connection, group, topic);
            forbidden(answer, "5", "a topic that the group may not read");
            Check.equal("the consumer group[" + group + "] is forbidden for topic[" + topic + "]", answer.field("remark"), "remark");
            Check.equal(0, pull(connection, group, other).code, "code for the other topic");
            Check.equal("true", readable(connection, group, topic, true), "readable when allowed again");
            inbox.awaitExactly(bodies);
        }
    }

    private static String readable(RawConnection connection, String group, String topic, Boolean readable) throws Exception {
        Map<String, String> fields = new LinkedHashMap<>(Map.of("group", group, "topic", topic));
        if (readable != null) {
            fields.put("readable", readable.toString());
        }
        RawConnection.Answer answer = connection.ask(353, fields);
        Check.equal(0, answer.code, "code of 353");
        Matcher matcher = Pattern.compile("\"readable\":(true|false)").matcher(answer.body);
        Check.that(matcher.find() && answer.body.contains(group) && answer.body.contains(topic), "the body of 353: " + answer.body);
        return matcher.group(1);
    }

    private static void topicPermissions(Scene scene) throws Exception {
        String topic = scene.createdTopic(1);
        String group = scene.group();
        Inbox inbox = consuming(scene, group, topic);
        AdminCases.permit(scene, topic, 2);
        try (RawConnection connection = new RawConnection(Scene.BROKER_ADDRESS)) {
            forbidden(pull(connection, group, topic), "3", "a topic that may not be read");
            AdminCases.permit(scene, topic, 6);
            Check.equal(0, pull(connection, group, topic).code, "code when it may be read again");
            // A message cannot be given back when the retry topic takes none.
            AdminCases.permit(scene, "%RETRY%" + group, 4);
            Map<String, String> back = Map.of("offset", "0", "group", group, "delayLevel", "0", "originTopic", topic, "unitMode", "false");
            Check.equal(16, connection.ask(36, back).code, "code of a send-back to a retry topic that may not be written");
            AdminCases.permit(scene, "%RETRY%" + group, 6);
        }
        inbox.awaitExactly(scene.send(topic, null, "after", 5));
    }

    private static void assignment(Scene scene) throws Exception {
        String topic = scene.createdTopic(5);
        String group = scene.group();
        List<String> members = new ArrayList<>();
        for (int member = 0; member < 2; member++) {
            members.add(scene.receive(group, topic, "*").consumer.buildMQClientId());
        }
        Scene.until("two members", () -> scene.admin().examineConsumerConnectionInfo(group).getConnectionSet().size() == 2);
        members.sort(null);
        try (RawConnection connection = new RawConnection(Scene.BROKER_ADDRESS)) {
            Asker asker = (member, of, model, strategy) -> assigned(connection, of, group, member, model, strategy);
            Check.equal(Set.of(0, 1, 2), asker.ask(members.get(0), topic, "CLUSTERING", "AVG"), "AVG, first member");
            Check.equal(Set.of(3, 4), asker.ask(members.get(1), topic, "CLUSTERING", "AVG"), "AVG, second member");
            Check.equal(Set.of(0, 2, 4), asker.ask(members.get(0), topic, "CLUSTERING", "AVG_BY_CIRCLE"), "in turns, first member");
            Check.equal(Set.of(1, 3), asker.ask(members.get(1), topic, "CLUSTERING", "AVG_BY_CIRCLE"), "in turns, second member");
            Check.equal(Set.of(), asker.ask("stranger", topic, "CLUSTERING", "AVG"), "one who is no member");
            Check.equal(Set.of(0, 1, 2, 3, 4), asker.ask("stranger", topic, "BROADCASTING", "AVG"), "broadcasting");
            Check.equal(null, asker.ask(members.get(0), topic, "CLUSTERING", "BY_MOON"), "an unknown strategy");
            Check.equal(null, asker.ask(members.get(0), scene.topic(), "CLUSTERING", "AVG"), "an unknown topic");
            Check.equal(null, asker.ask(members.get(0), scene.topic(), "BROADCASTING", "AVG"), "an unknown topic, broadcasting");
            Check.equal(null, assigned(connection, topic, scene.group(), members.get(0), "CLUSTERING", "AVG"), "an unknown group");
        }
    }

    private interface Asker {
        Set<Integer> ask(String member, String topic, String model, String strategy) throws Exception;
    }

    /** Numbers of the queues; null when the answer names no assignment. */
    private static Set<Integer> assigned(RawConnection connection, String topic, String group, String member, String model,
        String strategy) throws Exception {
        String body = String.format("{\"clientId\":\"%s\",\"consumerGroup\":\"%s\",\"messageModel\":\"%s\",\"strategyName\":\"%s\","
            + "\"topic\":\"%s\"}", member, group, model, strategy, topic);
        RawConnection.Answer answer = connection.ask(400, Map.of(), body);
        Check.equal(0, answer.code, "code of 400");
        if (!answer.body.contains("messageQueueAssignments")) {
            return null;
        }
        Set<Integer> queues = new TreeSet<>();
        Matcher queue = Pattern.compile("\\{[^{}]*\"messageQueue\":\\{([^{}]*)}[^{}]*}").matcher(answer.body);
        while (queue.find()) {
            Check.that(queue.group().contains("\"mode\":\"PULL\"") && queue.group(1).contains(topic), "an assignment: " + queue.group());
            Matcher id = Pattern.compile("\"queueId\":(\\d+)").matcher(queue.group(1));
            Check.that(id.find(), "a queue: " + queue.group());
            queues.add(Integer.parseInt(id.group(1)));
        }
        return queues;
    }

    private static void requestMode(Scene scene) throws Exception {
        String topic = scene.createdTopic(1);
        String group = scene.group();
        consuming(scene, group, topic);
        try (RawConnection connection = new RawConnection(Scene.BROKER_ADDRESS)) {
            Check.equal(0, mode(connection, topic, group, "PULL"), "code for PULL");
            Check.equal(16, mode(connection, "%RETRY%" + group, group, "PULL"), "code for a retry topic");
            Check.equal(17, mode(connection, scene.topic(), group, "PULL"), "code for an unknown topic");
            // It is made, as by its first pull.
            Check.equal(0, mode(connection, topic, scene.group(), "PULL"), "code for a new group");
            // RoxMQ says what it cannot do.
            Check.equal(Scene.AGAINST_JAVA ? 0 : 3, mode(connection, topic, group, "POP"), "code for POP");
        }
    }

    private static int mode(RawConnection connection, String topic, String group, String mode) throws Exception {
        return connection.ask(401, Map.of(),
            String.format("{\"consumerGroup\":\"%s\",\"mode\":\"%s\",\"popShareQueueNum\":0,\"topic\":\"%s\"}", group, mode, topic)).code;
    }

    /** Two consumers that leave it to the broker who reads what. */
    private static void sharedOut(Scene scene) throws Exception {
        String topic = scene.createdTopic(4);
        String group = scene.group();
        Map<String, Set<Integer>> queues = new ConcurrentHashMap<>();
        Set<String> seen = ConcurrentHashMap.newKeySet();
        for (String name : List.of("one", "two")) {
            queues.put(name, ConcurrentHashMap.newKeySet());
            DefaultMQPushConsumer consumer = scene.push(group);
            ClientRebalance.off(consumer);
            consumer.subscribe(topic, "*");
            consumer.registerMessageListener((MessageListenerConcurrently) (messages, context) -> {
                messages.forEach(message -> {
                    queues.get(name).add(message.getQueueId());
                    seen.add(Scene.text(message));
                });
                return ConsumeConcurrentlyStatus.CONSUME_SUCCESS;
            });
            consumer.start();
        }
        List<String> sent = new ArrayList<>();
        Scene.until("two queues each", 60, () -> {
            queues.values().forEach(Set::clear);
            List<String> round = scene.send(topic, null, "round" + sent.size() + "-", 8);
            sent.addAll(round);
            Scene.until("a round of messages", () -> seen.containsAll(round));
            Set<Integer> shared = new HashSet<>(queues.get("one"));
            shared.retainAll(queues.get("two"));
            return queues.values().stream().allMatch(each -> each.size() == 2) && shared.isEmpty();
        });
        Check.that(seen.containsAll(sent), "messages are missing");
    }

    /** Clients since 5.0 can leave rebalancing to the broker. */
    private static final class ClientRebalance {
        static final boolean EXISTS = java.util.Arrays.stream(DefaultMQPushConsumer.class.getMethods())
            .anyMatch(method -> method.getName().equals("setClientRebalance"));

        static void off(DefaultMQPushConsumer consumer) throws Exception {
            DefaultMQPushConsumer.class.getMethod("setClientRebalance", boolean.class).invoke(consumer, false);
        }
    }

    private GroupCases() {
    }
}
