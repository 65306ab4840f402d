package org.roxmq.compat;

import java.util.ArrayList;
import java.util.Collections;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.concurrent.Callable;
import java.util.concurrent.atomic.AtomicBoolean;
import org.apache.rocketmq.client.exception.MQClientException;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.client.producer.SendResult;
import org.apache.rocketmq.client.producer.SendStatus;
import org.apache.rocketmq.common.TopicConfig;
import org.apache.rocketmq.common.message.MessageQueue;

/** One NameServer, and beside the first broker two of Java's, of 5.5 and 4.9: what it says of all of them. */
final class MixedCases {
    private static final List<String> ALL_BROKERS = List.of(Scene.BROKER, "broker-b", "broker-c");
    /** Longer than the period after which brokers register again, 10 s. */
    private static final int ROUND_SECONDS = 12;

    static final List<Case> ALL = List.of(
        Case.of("mixed-topic-on-all", MixedCases::onAll),
        Case.of("mixed-new-topics-stay", MixedCases::newTopicsStay),
        Case.of("mixed-deleted-on-ours", scene -> deletedOn(scene, Scene.BROKER)),
        Case.of("mixed-deleted-on-java-5", scene -> deletedOn(scene, "broker-b")),
        Case.of("mixed-deleted-on-java-4", scene -> deletedOn(scene, "broker-c")),
        Case.of("mixed-drained", MixedCases::drained).alone(),
        Case.of("mixed-nameserver-restart", MixedCases::nameServerRestart).alone());

    private static void onAll(Scene scene) throws Exception {
        String topic = topicOnAll(scene);
        DefaultMQProducer producer = scene.producer();
        List<String> bodies = new ArrayList<>();
        for (String broker : ALL_BROKERS) {
            String body = "at " + broker;
            Check.equal(SendStatus.SEND_OK, producer.send(Scene.message(topic, body), new MessageQueue(topic, broker, 0)).getSendStatus(), body);
            bodies.add(body);
        }
        scene.receive(scene.group(), topic, "*").awaitAll(bodies);
        var cluster = scene.admin().examineBrokerClusterInfo().getClusterAddrTable().get(Scene.CLUSTER);
        Check.equal(new HashSet<>(ALL_BROKERS), cluster, "brokers of the cluster");
    }

    /** Brokers tell of new topics in their own ways; none of these takes another topic off. */
    private static void newTopicsStay(Scene scene) throws Exception {
        Map<String, String> homes = new TreeMap<>();
        for (int number = 0; number < 6; number++) {
            for (String broker : ALL_BROKERS) {
                String topic = scene.topic();
                make(scene, topic, broker);
                homes.put(topic, broker);
            }
            Scene.until("routes of the new topics", () -> routesAre(scene, homes));
            holds("routes of the new topics", ROUND_SECONDS / 6, () -> routesAre(scene, homes));
        }
    }

    private static boolean routesAre(Scene scene, Map<String, String> homes) throws Exception {
        for (Map.Entry<String, String> home : homes.entrySet()) {
            if (!perms(scene, home.getKey()).keySet().equals(Set.of(home.getValue()))) {
                return false;
            }
        }
        return true;
    }

    /** Gone from one broker's list, and there on the others all the time. */
    private static void deletedOn(Scene scene, String broker) throws Exception {
        if (Scene.AGAINST_JAVA) {
            // An intended difference: there the topic stays in the route.
            return;
        }
        String topic = topicOnAll(scene);
        DefaultMQProducer producer = scene.producer();
        Set<String> used = new TreeSet<>();
        Scene.until("sends to all brokers", () -> {
            used.add(producer.send(Scene.message(topic, "before")).getMessageQueue().getBrokerName());
            return used.size() == ALL_BROKERS.size();
        });
        Set<String> others = new TreeSet<>(ALL_BROKERS);
        others.remove(broker);
        boolean ours = broker.equals(Scene.BROKER);
        scene.admin().deleteTopicInBroker(Set.of(address(scene, broker)), topic);
        if (ours) {
            // A living producer, with the old route at first, goes on with the others and does not bring the topic back.
            for (int number = 0; number < 40; number++) {
                SendResult sent = producer.send(Scene.message(topic, "after"));
                Check.equal(SendStatus.SEND_OK, sent.getSendStatus(), "status");
                Check.that(!sent.getMessageQueue().getBrokerName().equals(broker), "a send brought the topic back");
            }
        }
        Scene.until("a route without " + broker, ours ? 2 : 2 * ROUND_SECONDS, () -> {
            Set<String> there = perms(scene, topic).keySet();
            Check.that(there.containsAll(others), "the others left the route as well: " + there);
            return there.equals(others);
        });
        holds("a route without " + broker, ours ? ROUND_SECONDS : 2, () -> perms(scene, topic).keySet().equals(others));
    }

    /** A wiped write permission outlasts registrations and new topics, until it is given back or the broker starts anew. */
    private static void drained(Scene scene) throws Exception {
        if (Scene.AGAINST_JAVA) {
            // An intended difference: there the next registration of any change ends it.
            return;
        }
        String topic = topicOnAll(scene);
        for (String broker : ALL_BROKERS) {
            scene.admin().wipeWritePermOfBroker(Scene.NAMESERVERS, broker);
        }
        Map<String, Integer> drained = perms(scene, topic);
        Check.equal(all(4), drained, "permissions");
        String late = topicOnAll(scene);
        holds("no writing", ROUND_SECONDS, () -> perms(scene, topic).equals(all(4)) && perms(scene, late).equals(all(4)));
        scene.admin().addWritePermOfBroker(Scene.NAMESERVERS, Scene.BROKER);
        scene.admin().addWritePermOfBroker(Scene.NAMESERVERS, "broker-c");
        Scene.control("restart-broker", "broker-b");
        Scene.until("writing everywhere", () -> perms(scene, topic).equals(all(6)) && perms(scene, late).equals(all(6)));
        scene.admin().wipeWritePermOfBroker(Scene.NAMESERVERS, Scene.BROKER);
        Check.equal(4, perms(scene, topic).get(Scene.BROKER), "permission");
        Scene.control("restart-broker", Scene.BROKER);
        Scene.until("writing everywhere", () -> perms(scene, topic).equals(all(6)));
    }

    /** Asked all the time, it may say that it is not ready, but never that a topic is not there or only on some of its brokers. */
    private static void nameServerRestart(Scene scene) throws Exception {
        String topic = topicOnAll(scene);
        List<String> wrong = Collections.synchronizedList(new ArrayList<>());
        AtomicBoolean stops = new AtomicBoolean();
        Thread asking = new Thread(() -> {
            while (!stops.get()) {
                try {
                    Map<String, Integer> seen = perms(scene, topic);
                    if (!seen.keySet().equals(new HashSet<>(ALL_BROKERS))) {
                        wrong.add(seen.toString());
                    }
                    Thread.sleep(5);
                } catch (Exception notNow) {
                    // No connection, or not ready.
                }
            }
        });
        asking.start();
        Scene.control("stop-nameserver");
        Scene.control("start-nameserver");
        Scene.until("a route with all brokers", () -> {
            try {
                return perms(scene, topic).equals(all(6));
            } catch (Exception notReady) {
                return false;
            }
        });
        stops.set(true);
        asking.join();
        // An intended difference: Java says that there is no such topic.
        Check.that(Scene.AGAINST_JAVA || wrong.isEmpty(), "said meanwhile: " + new HashSet<>(wrong));
        Scene.until("a send to each broker", () -> {
            for (String broker : ALL_BROKERS) {
                scene.producer().send(Scene.message(topic, "after"), new MessageQueue(topic, broker, 0));
            }
            return true;
        });
    }

    private static String topicOnAll(Scene scene) throws Exception {
        String topic = scene.topic();
        for (String broker : ALL_BROKERS) {
            make(scene, topic, broker);
        }
        Scene.until("a route with all brokers", () -> perms(scene, topic).keySet().equals(new HashSet<>(ALL_BROKERS)));
        return topic;
    }

    private static void make(Scene scene, String topic, String broker) throws Exception {
        scene.admin().createAndUpdateTopicConfig(address(scene, broker), new TopicConfig(topic, 2, 2, 6));
    }

    private static String address(Scene scene, String broker) throws Exception {
        return scene.admin().examineBrokerClusterInfo().getBrokerAddrTable().get(broker).getBrokerAddrs().get(0L);
    }

    private static Map<String, Integer> all(int permission) {
        Map<String, Integer> all = new TreeMap<>();
        ALL_BROKERS.forEach(broker -> all.put(broker, permission));
        return all;
    }

    /** Permissions by broker, as the topic's route says; nobody where there is no such topic. */
    private static Map<String, Integer> perms(Scene scene, String topic) throws Exception {
        Map<String, Integer> perms = new TreeMap<>();
        try {
            scene.admin().examineTopicRouteInfo(topic).getQueueDatas().forEach(queues -> perms.put(queues.getBrokerName(), queues.getPerm()));
        } catch (MQClientException refused) {
            if (refused.getResponseCode() != 17) {
                throw refused;
            }
        }
        return perms;
    }

    private static void holds(String what, int seconds, Callable<Boolean> condition) throws Exception {
        long end = System.nanoTime() + seconds * 1_000_000_000L;
        while (System.nanoTime() < end) {
            Check.that(condition.call(), "did not last: " + what);
            Thread.sleep(20);
        }
    }

    private MixedCases() {
    }
}
