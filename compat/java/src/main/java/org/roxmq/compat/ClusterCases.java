package org.roxmq.compat;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.consumer.listener.ConsumeOrderlyStatus;
import org.apache.rocketmq.client.consumer.listener.MessageListenerOrderly;
import org.apache.rocketmq.client.exception.MQClientException;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.client.producer.SendResult;
import org.apache.rocketmq.client.producer.SendStatus;
import org.apache.rocketmq.common.consumer.ConsumeFromWhere;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageExt;
import org.apache.rocketmq.common.message.MessageQueue;
import org.apache.rocketmq.remoting.exception.RemotingException;

/** Two NameServers and two brokers: any one of them may go. */
final class ClusterCases {
    private static final String OTHER = "broker-b";

    static final List<Case> ALL = List.of(
        Case.of("cluster-topic-on-both-brokers", ClusterCases::both).alone(),
        Case.of("cluster-nameserver-lost", ClusterCases::nameserverLost).alone(),
        Case.of("cluster-broker-lost", scene -> brokerLost(scene, "kill-broker")).alone(),
        Case.of("cluster-broker-stopped", scene -> brokerLost(scene, "stop-broker")).alone(),
        Case.of("cluster-order-kept-while-a-broker-is-down", ClusterCases::orderKept).alone(),
        Case.of("cluster-queues-shared-out-by-a-broker", ClusterCases::sharedOut).alone());

    private static void both(Scene scene) throws Exception {
        // Not by sending: a producer that sees the first broker's queues never sends to the second one.
        String topic = scene.createdTopic(4);
        Set<MessageQueue> used = new java.util.HashSet<>();
        Scene.until("sends to all queues of both brokers", () -> {
            used.add(scene.producer().send(Scene.message(topic, "body")).getMessageQueue());
            return used.size() == 8;
        });
        Scene.until("eight queues", () -> scene.producer().fetchPublishMessageQueues(topic).size() == 8);
        for (String nameserver : Scene.NAMESERVERS.split(";")) {
            Scene.until("both brokers in the route at " + nameserver, () -> brokers(scene, topic).size() == 2);
        }
        var cluster = scene.admin().examineBrokerClusterInfo().getClusterAddrTable().get(Scene.CLUSTER);
        Check.equal(Set.of(Scene.BROKER, OTHER), cluster, "brokers of the cluster");
        String sent = scene.topic();
        scene.producer().send(Scene.message(sent, "body"));
        Scene.until("a route of the topic that a send created", () -> !brokers(scene, sent).isEmpty());
    }

    /** Brokers that the route of a topic names, or none. */
    private static Set<String> brokers(Scene scene, String topic) throws Exception {
        try {
            return scene.admin().examineTopicRouteInfo(topic).getBrokerDatas().stream()
                .map(broker -> broker.getBrokerName()).collect(Collectors.toCollection(TreeSet::new));
        } catch (MQClientException none) {
            return Set.of();
        }
    }

    private static void nameserverLost(Scene scene) throws Exception {
        String topic = spread(scene);
        Inbox inbox = scene.receive(scene.group(), topic, "*");
        List<String> bodies = new ArrayList<>(scene.send(topic, null, "before", 40));
        inbox.awaitAll(bodies);
        for (String nameserver : List.of("nameserver-1", "nameserver-2")) {
            Scene.control("kill-nameserver", nameserver);
            // Old clients go on, new topics can be made, new clients find their way.
            bodies.addAll(scene.send(topic, null, "without-" + nameserver, 40));
            inbox.awaitAll(bodies);
            String late = scene.topic();
            Message message = Scene.message(late, "late");
            Scene.until("a send to a new topic", () -> {
                try {
                    return scene.newProducer().send(message).getSendStatus() == SendStatus.SEND_OK;
                } catch (Exception askedTheDeadOne) {
                    return false;
                }
            });
            newConsumer(scene, late).awaitAll(List.of("late"));
            newConsumer(scene, topic).awaitAll(bodies);
            Scene.control("start-nameserver", nameserver);
        }
        bodies.addAll(scene.send(topic, null, "after", 40));
        inbox.awaitAll(bodies);
    }

    /** Starting fails, in some versions, when the client asks the dead NameServer first; its user tries again. */
    private static Inbox newConsumer(Scene scene, String topic) throws Exception {
        List<Inbox> started = new ArrayList<>();
        Scene.until("a consumer that starts", () -> {
            try {
                return started.add(scene.receive(scene.group(), topic, "*"));
            } catch (Exception askedTheDeadOne) {
                return false;
            }
        });
        return started.get(0);
    }

    /** A topic with queues on both brokers, and a producer that knows all of them. */
    private static String spread(Scene scene) throws Exception {
        String topic = scene.createdTopic(2);
        Scene.until("queues of both brokers", () -> scene.producer().fetchPublishMessageQueues(topic).size() == 4);
        return topic;
    }

    private static void brokerLost(Scene scene, String how) throws Exception {
        String topic = spread(scene);
        String group = scene.group();
        Inbox inbox = scene.receive(group, topic, "*");
        List<String> bodies = new ArrayList<>(scene.send(topic, null, "before", 40));
        inbox.awaitAll(bodies);
        inbox.consumer.shutdown();
        // These wait for their consumer while half of them is out of reach.
        List<String> waiting = scene.send(topic, null, "waiting", 40);

        Scene.control(how, OTHER);
        List<String> during = new ArrayList<>();
        for (int number = 0; number < 40; number++) {
            // The client turns to the other broker by itself: not one send may fail.
            SendResult sent = scene.producer().send(Scene.message(topic, "during" + number));
            Check.equal(SendStatus.SEND_OK, sent.getSendStatus(), "status");
            Check.equal(Scene.BROKER, sent.getMessageQueue().getBrokerName(), "broker");
            during.add("during" + number);
        }
        Scene.until("a route without the lost broker", () -> brokers(scene, topic).equals(Set.of(Scene.BROKER)));
        Inbox second = scene.receive(group, topic, "*");
        second.awaitAll(during);

        Scene.control("start-broker", OTHER);
        Scene.until("a route with both brokers", () -> brokers(scene, topic).size() == 2);
        second.awaitAll(waiting);
        List<String> after = new ArrayList<>();
        Scene.until("a send to the broker that came back", () -> {
            String body = "after" + after.size();
            after.add(body);
            return OTHER.equals(scene.producer().send(Scene.message(topic, body)).getMessageQueue().getBrokerName());
        });
        second.awaitAll(after);
    }

    /** With an order configuration, a key's queue stays its queue: while the broker is down sends to it fail. */
    private static void orderKept(Scene scene) throws Exception {
        String topic = spread(scene);
        orderMessages(scene, true);
        try {
            String conf = Scene.BROKER + ":2;" + OTHER + ":2";
            scene.admin().createOrUpdateOrderConf(topic, conf, true);
            for (int look = 0; look < 10; look++) {
                Scene.until("a route with the order", () -> conf.equals(scene.admin().examineTopicRouteInfo(topic).getOrderTopicConf()));
            }
            // This one knows the order from the start.
            DefaultMQProducer producer = scene.newProducer();
            List<MessageExt> seen = Collections.synchronizedList(new ArrayList<>());
            DefaultMQPushConsumer consumer = scene.push(scene.group());
            consumer.setConsumeFromWhere(ConsumeFromWhere.CONSUME_FROM_FIRST_OFFSET);
            consumer.subscribe(topic, "*");
            consumer.registerMessageListener((MessageListenerOrderly) (messages, context) -> {
                seen.addAll(messages);
                return ConsumeOrderlyStatus.SUCCESS;
            });
            consumer.start();

            List<MessageQueue> homes = new ArrayList<>();
            for (int key = 0; key < 4; key++) {
                homes.add(sendOrdered(producer, topic, key, 0));
            }
            Check.equal(4, Set.copyOf(homes).size(), "queues of four keys");

            Scene.control("stop-broker", OTHER);
            Scene.until("a route without the lost broker", () -> brokers(scene, topic).equals(Set.of(Scene.BROKER)));
            List<Integer> lost = new ArrayList<>();
            long until = System.nanoTime() + 5_000_000_000L;
            int round = 1;
            // Long enough for the producer to ask for the route several times.
            for (; System.nanoTime() < until; round++) {
                lost.clear();
                for (int key = 0; key < 4; key++) {
                    try {
                        Check.equal(homes.get(key), sendOrdered(producer, topic, key, round), "queue of key " + key);
                    } catch (MQClientException | RemotingException refused) {
                        lost.add(key);
                    }
                }
                List<Integer> there = lost.stream().filter(key -> homes.get(key).getBrokerName().equals(OTHER)).collect(Collectors.toList());
                Check.equal(lost, there, "keys whose sends fail");
                Check.equal(2, lost.size(), "keys whose sends fail");
            }

            Scene.control("start-broker", OTHER);
            int last = round;
            for (int key = 0; key < 4; key++) {
                int each = key;
                Scene.until("a send of key " + key, () -> {
                    try {
                        return homes.get(each).equals(sendOrdered(producer, topic, each, last));
                    } catch (MQClientException | RemotingException notYet) {
                        return false;
                    }
                });
            }
            for (int key = 0; key < 4; key++) {
                int each = key;
                List<Integer> expected = new ArrayList<>();
                for (int number = 0; number <= last; number++) {
                    if (number == 0 || number == last || !lost.contains(key)) {
                        expected.add(number);
                    }
                }
                Scene.until("all messages of key " + key, 90, () -> numbers(seen, each).contains(last));
                Check.equal(expected, numbers(seen, each).stream().distinct().collect(Collectors.toList()), "order of key " + key);
            }
        } finally {
            orderMessages(scene, false);
        }
    }

    private static void orderMessages(Scene scene, boolean yes) throws Exception {
        Properties change = new Properties();
        change.setProperty("orderMessageEnable", String.valueOf(yes));
        scene.admin().updateNameServerConfig(change, List.of(Scene.NAMESERVERS.split(";")));
    }

    /** The queue that took it. */
    private static MessageQueue sendOrdered(DefaultMQProducer producer, String topic, int key, int number) throws Exception {
        Message message = Scene.message(topic, key + "-" + number);
        SendResult sent = producer.send(message, (queues, each, argument) -> queues.get((int) argument % queues.size()), key);
        Check.equal(SendStatus.SEND_OK, sent.getSendStatus(), "status");
        return sent.getMessageQueue();
    }

    private static List<Integer> numbers(List<MessageExt> seen, int key) {
        synchronized (seen) {
            return seen.stream().map(Scene::text).filter(body -> body.startsWith(key + "-"))
                .map(body -> Integer.parseInt(body.substring(2))).collect(Collectors.toList());
        }
    }

    /** Whichever broker is asked, it shares out the queues of both. */
    private static void sharedOut(Scene scene) throws Exception {
        String topic = spread(scene);
        String group = scene.group();
        String member = scene.receive(group, topic, "*").consumer.buildMQClientId();
        Scene.until("a member", () -> scene.admin().examineConsumerConnectionInfo(group).getConnectionSet().size() == 1);
        List<String> addresses = scene.admin().examineBrokerClusterInfo().getBrokerAddrTable().values().stream()
            .map(broker -> broker.selectBrokerAddr()).collect(Collectors.toList());
        Check.equal(2, addresses.size(), "brokers");
        for (String address : addresses) {
            try (RawConnection connection = new RawConnection(address)) {
                String body = String.format("{\"clientId\":\"%s\",\"consumerGroup\":\"%s\",\"messageModel\":\"CLUSTERING\","
                    + "\"strategyName\":\"AVG\",\"topic\":\"%s\"}", member, group, topic);
                Scene.until("four queues from " + address, () -> {
                    String answer = connection.ask(400, Map.of(), body).body;
                    return answer.split("\"queueId\"").length == 5 && answer.contains(Scene.BROKER) && answer.contains(OTHER);
                });
            }
        }
    }

    private ClusterCases() {
    }
}
