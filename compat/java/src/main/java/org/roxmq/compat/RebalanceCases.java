package org.roxmq.compat;

import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.apache.rocketmq.client.consumer.DefaultLitePullConsumer;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.consumer.listener.ConsumeConcurrentlyStatus;
import org.apache.rocketmq.client.consumer.listener.MessageListenerConcurrently;
import org.apache.rocketmq.client.exception.MQBrokerException;

/** Members of a group share the queues and hear at once of each other: a client looks by itself only every 20 s. */
final class RebalanceCases {
    /** Notices make a rebalance prompt; without them it takes up to 20 s. */
    private static final int PROMPT_SECONDS = 12;

    static final List<Case> ALL = List.of(
        Case.of("rebalance-two-share-and-take-over", RebalanceCases::takeOver).binaryToo(),
        Case.of("rebalance-after-lost-connection", RebalanceCases::lostConnection),
        Case.of("rebalance-lite-pull", RebalanceCases::litePull),
        Case.of("rebalance-consumer-list", RebalanceCases::consumerList));

    private static void takeOver(Scene scene) throws Exception {
        String topic = scene.createdTopic(4);
        String group = scene.group();
        Inbox one = scene.receive(group, topic, "*");
        one.awaitExactly(scene.send(topic, null, "alone", 20));
        Check.equal(Set.of(0, 1, 2, 3), one.queueIds(), "queues of the only member");

        Inbox two = scene.receive(group, topic, "*");
        untilShared(scene, topic, one, two);

        two.consumer.shutdown();
        one.clear();
        List<String> after = scene.send(topic, null, "after", 20);
        long left = System.nanoTime();
        one.awaitAll(after);
        Check.that(System.nanoTime() - left < PROMPT_SECONDS * 1_000_000_000L, "took over after more than " + PROMPT_SECONDS + " s");
        Check.equal(Set.of(0, 1, 2, 3), one.queueIds(), "queues of the one that stays");
    }

    /** Each gets two queues, promptly, and nothing is lost on the way. */
    private static void untilShared(Scene scene, String topic, Inbox one, Inbox two) throws Exception {
        List<String> sent = new ArrayList<>();
        Set<String> seen = new HashSet<>();
        Scene.until("two queues each", PROMPT_SECONDS, () -> {
            one.clear();
            two.clear();
            List<String> round = scene.send(topic, null, "round" + sent.size() + "-", 8);
            sent.addAll(round);
            Scene.until("a round of messages", () -> {
                Set<String> both = new HashSet<>(one.bodies());
                both.addAll(two.bodies());
                return both.containsAll(round);
            });
            seen.addAll(one.bodies());
            seen.addAll(two.bodies());
            Set<Integer> shared = new HashSet<>(one.queueIds());
            shared.retainAll(two.queueIds());
            return one.queueIds().size() == 2 && two.queueIds().size() == 2 && shared.isEmpty();
        });
        Check.that(seen.containsAll(sent), "messages are missing");
    }

    /** A member in another process is killed: the broker sees its connection close and tells the others. */
    private static void lostConnection(Scene scene) throws Exception {
        String topic = scene.createdTopic(4);
        String group = scene.group();
        Process other = Scene.virtualMachine(List.of("-Dcompat.topic=" + topic, "-Dcompat.group=" + group), List.of("consume-forever"))
            .redirectError(ProcessBuilder.Redirect.INHERIT).start();
        try (BufferedReader lines = new BufferedReader(new InputStreamReader(other.getInputStream()))) {
            scene.send(topic, null, "alone", 4);
            for (String line = lines.readLine(); !"received".equals(line); line = lines.readLine()) {
                Check.that(line != null, "the other process ended");
            }
            Inbox one = scene.receive(group, topic, "*");
            Scene.until("two members", () -> members(scene, group).size() == 2);
            other.destroyForcibly().waitFor();
            Scene.until("one member", PROMPT_SECONDS, () -> members(scene, group).size() == 1);
            List<String> after = scene.send(topic, null, "after", 20);
            long left = System.nanoTime();
            one.awaitAll(after);
            Check.that(System.nanoTime() - left < PROMPT_SECONDS * 1_000_000_000L, "took over late");
        } finally {
            other.destroyForcibly();
        }
    }

    /** What the process to be killed runs. */
    static int consumeForever(PrintStream out) throws Exception {
        DefaultMQPushConsumer consumer = new DefaultMQPushConsumer(System.getProperty("compat.group"));
        consumer.setNamesrvAddr(Scene.NAMESERVERS);
        consumer.subscribe(System.getProperty("compat.topic"), "*");
        consumer.registerMessageListener((MessageListenerConcurrently) (messages, context) -> {
            out.println("received");
            return ConsumeConcurrentlyStatus.CONSUME_SUCCESS;
        });
        consumer.start();
        Thread.currentThread().join();
        return 0;
    }

    private static void litePull(Scene scene) throws Exception {
        String topic = scene.createdTopic(4);
        String group = scene.group();
        DefaultLitePullConsumer one = subscribed(scene, group, topic);
        Scene.until("four queues", () -> one.assignment().size() == 4);
        DefaultLitePullConsumer two = subscribed(scene, group, topic);
        Scene.until("two queues each", PROMPT_SECONDS, () -> one.assignment().size() == 2 && two.assignment().size() == 2);
        two.shutdown();
        Scene.until("four queues again", PROMPT_SECONDS, () -> one.assignment().size() == 4);
    }

    private static DefaultLitePullConsumer subscribed(Scene scene, String group, String topic) throws Exception {
        DefaultLitePullConsumer consumer = scene.litePull(group);
        consumer.subscribe(topic, "*");
        consumer.start();
        return consumer;
    }

    private static void consumerList(Scene scene) throws Exception {
        String topic = scene.createdTopic(1);
        String group = scene.group();
        Inbox one = scene.receive(group, topic, "a || b");
        Scene.until("one member", () -> members(scene, group).size() == 1);
        Inbox two = scene.receive(group, topic, "a || b");
        Scene.until("two members", () -> members(scene, group).size() == 2);
        Check.equal(Set.of(one.consumer.buildMQClientId(), two.consumer.buildMQClientId()), members(scene, group), "members");
        var connection = scene.admin().examineConsumerConnectionInfo(group);
        Check.equal("CONSUME_PASSIVELY", connection.getConsumeType().name(), "kind of consumer");
        Check.equal("CLUSTERING", connection.getMessageModel().name(), "message model");
        Check.equal("CONSUME_FROM_FIRST_OFFSET", connection.getConsumeFromWhere().name(), "start");
        var subscription = connection.getSubscriptionTable().get(topic);
        Check.equal(Set.of("a", "b"), subscription.getTagsSet(), "tags");
        Check.that(connection.getSubscriptionTable().containsKey("%RETRY%" + group), "no subscription of the retry topic");
        connection.getConnectionSet().forEach(each -> Check.equal("JAVA", each.getLanguage().name(), "language"));

        two.consumer.shutdown();
        Scene.until("one member", 3, () -> members(scene, group).size() == 1);
        one.consumer.shutdown();
        Scene.until("no member", 3, () -> members(scene, group).isEmpty());
        Check.refused(206, () -> scene.admin().examineConsumerConnectionInfo(group), "connections of a group that is gone");
    }

    private static Set<String> members(Scene scene, String group) throws Exception {
        Set<String> members = new HashSet<>();
        try {
            scene.admin().examineConsumerConnectionInfo(group).getConnectionSet().forEach(each -> members.add(each.getClientId()));
        } catch (MQBrokerException notOnline) {
            Check.equal(206, notOnline.getResponseCode(), "connections of a group");
        } catch (org.apache.rocketmq.client.exception.MQClientException noRoute) {
            // The retry topic, through which the brokers of a group are found, comes with the first heartbeat.
            Check.that(List.of(17, 206).contains(noRoute.getResponseCode()), noRoute.getMessage());
        }
        return members;
    }

    private RebalanceCases() {
    }
}
