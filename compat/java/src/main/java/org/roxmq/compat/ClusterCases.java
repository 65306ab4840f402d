package org.roxmq.compat;

import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;
import org.apache.rocketmq.client.exception.MQClientException;
import org.apache.rocketmq.client.producer.SendResult;
import org.apache.rocketmq.client.producer.SendStatus;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageQueue;

/** Two NameServers and two brokers: any one of them may go. */
final class ClusterCases {
    private static final String OTHER = "broker-b";

    static final List<Case> ALL = List.of(
        Case.of("cluster-topic-on-both-brokers", ClusterCases::both).alone(),
        Case.of("cluster-nameserver-lost", ClusterCases::nameserverLost).alone(),
        Case.of("cluster-broker-lost", scene -> brokerLost(scene, "kill-broker")).alone(),
        Case.of("cluster-broker-stopped", scene -> brokerLost(scene, "stop-broker")).alone());

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

    private ClusterCases() {
    }
}
