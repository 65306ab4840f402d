package org.roxmq.compat;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import org.apache.rocketmq.client.consumer.DefaultMQPullConsumer;
import org.apache.rocketmq.client.consumer.MessageSelector;
import org.apache.rocketmq.client.consumer.PullResult;
import org.apache.rocketmq.client.consumer.PullStatus;
import org.apache.rocketmq.client.producer.SendStatus;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageExt;
import org.apache.rocketmq.common.message.MessageQueue;

/** Light queues (LMQ): one message in several queues that nobody has made. */
final class LightQueueCases {
    static final List<Case> ALL = List.of(
        Case.of("light-queues", LightQueueCases::several).binaryToo(),
        Case.of("light-queue-edges", LightQueueCases::edges),
        Case.of("light-queue-filters", LightQueueCases::filters),
        Case.of("light-queue-parked-pull", LightQueueCases::parked),
        Case.of("light-queue-commits", LightQueueCases::commits),
        Case.of("light-queue-after-a-delay", LightQueueCases::delayed),
        Case.of("light-queue-sent-to-itself", LightQueueCases::sentToItself),
        Case.of("light-queues-are-nowhere-listed", LightQueueCases::unlisted),
        Case.of("light-queue-names", LightQueueCases::names),
        Case.of("light-queues-after-restarts", LightQueueCases::restarts).alone());

    private static final String NAMED = "INNER_MULTI_DISPATCH";
    private static final String OFFSETS = "INNER_MULTI_QUEUE_OFFSET";

    private static MessageQueue light(Scene scene) {
        return Scene.queue("%LMQ%" + scene.topic(), 0);
    }

    private static Message message(String topic, String body, MessageQueue... lights) {
        Message message = Scene.message(topic, body);
        List<String> names = new ArrayList<>();
        for (MessageQueue light : lights) {
            names.add(light.getTopic());
        }
        message.putUserProperty(NAMED, String.join(",", names));
        return message;
    }

    /** A consumer that knows the broker: the route of a light queue would not tell it. */
    private static DefaultMQPullConsumer consumer(Scene scene, String group, String topic) throws Exception {
        DefaultMQPullConsumer consumer = scene.pull(group);
        Scene.until("a pull of the topic", () -> consumer.pull(Scene.queue(topic, 0), "*", 0, 1) != null);
        return consumer;
    }

    private static void awaitMax(DefaultMQPullConsumer consumer, MessageQueue light, long max) throws Exception {
        Scene.until(max + " messages in the light queue", () -> consumer.maxOffset(light) >= max);
        Check.equal(max, consumer.maxOffset(light), "messages in the light queue");
    }

    private static List<String> bodies(PullResult result) {
        return result.getMsgFoundList().stream().map(Scene::text).collect(Collectors.toList());
    }

    private static void several(Scene scene) throws Exception {
        String topic = scene.createdTopic(4);
        MessageQueue a = light(scene);
        MessageQueue b = light(scene);
        List<String> inA = new ArrayList<>();
        List<String> inB = new ArrayList<>();
        for (int number = 0; number < 24; number++) {
            String body = "body" + number;
            Message message = Scene.message(topic, body);
            if (number % 3 == 0) {
                message = message(topic, body, a, b);
                inA.add(body);
                inB.add(body);
            } else if (number % 3 == 1) {
                message = message(topic, body, b);
                inB.add(body);
            }
            scene.producer().send(message, Scene.queue(topic, number % 4));
        }
        scene.awaitStored(topic, 4, 24);
        DefaultMQPullConsumer consumer = consumer(scene, scene.group(), topic);
        awaitMax(consumer, a, 8);
        awaitMax(consumer, b, 16);
        PullResult ofA = consumer.pull(a, "*", 0, 32);
        Check.equal(inA, bodies(ofA), "bodies of the first light queue");
        Check.equal(List.of(0L, 8L, 8L), List.of(ofA.getMinOffset(), ofA.getMaxOffset(), ofA.getNextBeginOffset()), "its offsets");
        for (int number = 0; number < 8; number++) {
            MessageExt message = ofA.getMsgFoundList().get(number);
            Check.equal(topic, message.getTopic(), "topic of a message of a light queue");
            Check.equal(a.getTopic() + "," + b.getTopic(), message.getProperty(NAMED), "queues it names");
            Check.equal(number + "," + number * 2, message.getProperty(OFFSETS), "its offsets there");
            // As in its own queue; where it is in the light one is in the property.
            Check.equal(number * 3 / 4L, message.getQueueOffset(), "its queue offset");
        }
        PullResult middle = consumer.pull(b, "*", 5, 4);
        Check.equal(inB.subList(5, 9), bodies(middle), "bodies from the middle of the second");
        Check.equal(9L, middle.getNextBeginOffset(), "next offset");
        for (MessageExt message : consumer.pull(Scene.queue(topic, 2), "*", 0, 32).getMsgFoundList()) {
            boolean isLight = message.getProperty(NAMED) != null;
            Check.equal(isLight, message.getProperty(OFFSETS) != null, "offsets of " + Scene.text(message) + " pulled from its own queue");
        }
    }

    private static void edges(Scene scene) throws Exception {
        String topic = scene.createdTopic(1);
        MessageQueue light = light(scene);
        MessageQueue unused = light(scene);
        for (int number = 0; number < 5; number++) {
            scene.producer().send(message(topic, "body" + number, light));
        }
        scene.awaitStored(topic, 1, 5);
        DefaultMQPullConsumer consumer = consumer(scene, scene.group(), topic);
        awaitMax(consumer, light, 5);
        Check.equal(0L, consumer.minOffset(light), "smallest offset");
        Check.equal(PullStatus.NO_NEW_MSG, consumer.pull(light, "*", 5, 32).getPullStatus(), "status at the end");
        Check.equal(PullStatus.OFFSET_ILLEGAL, consumer.pull(light, "*", 6, 32).getPullStatus(), "status behind the end");
        Check.equal(5L, consumer.pull(light, "*", 600, 32).getNextBeginOffset(), "next offset from far behind");
        Check.equal(0L, consumer.maxOffset(unused), "largest offset of one that nobody named");
        Check.equal(0L, consumer.minOffset(unused), "smallest offset of one that nobody named");
        Check.equal(PullStatus.NO_NEW_MSG, consumer.pull(unused, "*", 0, 32).getPullStatus(), "status of one that nobody named");
        Check.refused(29, () -> consumer.pull(Scene.queue(light.getTopic(), 1), "*", 0, 32), "queue 1 of a light queue");
        long stored = consumer.pull(light, "*", 2, 1).getMsgFoundList().get(0).getStoreTimestamp();
        Check.within(0, 2, consumer.searchOffset(light, stored), "offset at the third message's time");
    }

    private static void filters(Scene scene) throws Exception {
        String topic = scene.createdTopic(1);
        MessageQueue light = light(scene);
        for (int number = 0; number < 10; number++) {
            Message message = message(topic, "body" + number, light);
            message.setTags(number % 2 == 0 ? "even" : "odd");
            message.putUserProperty("number", String.valueOf(number));
            scene.producer().send(message);
        }
        scene.awaitStored(topic, 1, 10);
        DefaultMQPullConsumer consumer = SqlCases.puller(scene, topic);
        awaitMax(consumer, light, 10);
        PullResult odd = consumer.pull(light, "odd", 0, 32);
        Check.equal(List.of("body1", "body3", "body5", "body7", "body9"), bodies(odd), "bodies with a tag");
        Check.equal(10L, odd.getNextBeginOffset(), "next offset");
        PullResult large = consumer.pull(light, MessageSelector.bySql("number > 7"), 0, 32);
        Check.equal(List.of("body8", "body9"), bodies(large), "bodies that an expression selects");
        PullResult none = consumer.pull(light, "neither", 4, 32);
        Check.equal(PullStatus.NO_MATCHED_MSG, none.getPullStatus(), "status");
        Check.equal(10L, none.getNextBeginOffset(), "next offset past what does not match");
    }

    private static void parked(Scene scene) throws Exception {
        String topic = scene.createdTopic(1);
        MessageQueue a = light(scene);
        MessageQueue b = light(scene);
        DefaultMQPullConsumer consumer = consumer(scene, scene.group(), topic);
        for (int number = 0; number < 3; number++) {
            long offset = number;
            List<CompletableFuture<PullResult>> parked = new ArrayList<>();
            for (MessageQueue light : List.of(a, b)) {
                parked.add(CompletableFuture.supplyAsync(() -> {
                    try {
                        return consumer.pullBlockIfNotFound(light, null, offset, 32);
                    } catch (Exception failure) {
                        throw new IllegalStateException(failure);
                    }
                }));
            }
            try {
                // Long enough to be parked; should it not be, the case is weaker and not wrong.
                parked.get(1).get(500, TimeUnit.MILLISECONDS);
                throw new Check.Failed("a pull at the end of a light queue was answered");
            } catch (java.util.concurrent.TimeoutException expected) {
                scene.producer().send(message(topic, "body" + number, a, b));
            }
            for (CompletableFuture<PullResult> each : parked) {
                PullResult result = each.get(3, TimeUnit.SECONDS);
                Check.equal(PullStatus.FOUND, result.getPullStatus(), "status");
                Check.equal(List.of("body" + number), bodies(result), "bodies");
            }
        }
    }

    private static void commits(Scene scene) throws Exception {
        String topic = scene.createdTopic(1);
        MessageQueue light = light(scene);
        for (int number = 0; number < 5; number++) {
            scene.producer().send(message(topic, "body" + number, light));
        }
        scene.awaitStored(topic, 1, 5);
        // A group may be called as a light queue; then nobody has to make it either.
        for (String group : List.of(scene.group(), "%LMQ%" + scene.group())) {
            DefaultMQPullConsumer consumer = consumer(scene, group, topic);
            awaitMax(consumer, light, 5);
            Check.equal(0L, consumer.fetchConsumeOffset(light, true), "offset of a new group");
            Scene.until("the commit", () -> {
                consumer.getOffsetStore().updateConsumeOffsetToBroker(light, 3, false);
                return consumer.fetchConsumeOffset(light, true) == 3;
            });
            consumer.getOffsetStore().updateConsumeOffsetToBroker(light, 1, false);
            Check.equal(1L, consumer.fetchConsumeOffset(light, true), "offset set back");
        }
    }

    private static void delayed(Scene scene) throws Exception {
        String topic = scene.createdTopic(1);
        MessageQueue light = light(scene);
        Message late = message(topic, "late", light);
        late.setDelayTimeLevel(1);
        long start = System.nanoTime();
        scene.producer().send(late);
        scene.producer().send(message(topic, "at once", light));
        DefaultMQPullConsumer consumer = consumer(scene, scene.group(), topic);
        awaitMax(consumer, light, 1);
        Scene.until("the delayed one", () -> consumer.maxOffset(light) == 2);
        Check.that(System.nanoTime() - start > 900_000_000L, "a message was in the light queue before its delay was over");
        Check.equal(List.of("at once", "late"), bodies(consumer.pull(light, "*", 0, 32)), "bodies");
    }

    private static void sentToItself(Scene scene) throws Exception {
        String topic = scene.createdTopic(1);
        MessageQueue light = light(scene);
        DefaultMQPullConsumer consumer = consumer(scene, scene.group(), topic);
        scene.producer().send(Scene.message(topic, "one that tells the producer where the broker is"));
        for (int number = 0; number < 3; number++) {
            Check.equal((long) number, scene.producer().send(Scene.message(light.getTopic(), "body" + number), light).getQueueOffset(),
                "queue offset of a send to a light queue");
        }
        awaitMax(consumer, light, 3);
        Check.equal(List.of("body0", "body1", "body2"), bodies(consumer.pull(light, "*", 0, 32)), "bodies");
    }

    private static void unlisted(Scene scene) throws Exception {
        String topic = scene.createdTopic(1);
        MessageQueue light = light(scene);
        scene.producer().send(message(topic, "body", light));
        DefaultMQPullConsumer consumer = consumer(scene, scene.group(), topic);
        awaitMax(consumer, light, 1);
        Check.that(!scene.admin().fetchAllTopicList().getTopicList().contains(light.getTopic()), "a NameServer lists a light queue");
        Check.refused(17, () -> scene.admin().examineTopicRouteInfo(light.getTopic()), "route of a light queue");
        var table = scene.admin().getAllTopicConfig(Scene.BROKER_ADDRESS, 5_000).getTopicConfigTable();
        Check.that(table.containsKey(topic) && !table.containsKey(light.getTopic()), "the broker's table lists a light queue");
        // Tools that clean up leave it alone.
        scene.admin().cleanUnusedTopicByAddr(Scene.BROKER_ADDRESS);
        Check.equal(1L, consumer.maxOffset(light), "messages in the light queue after a clean-up");
    }

    private static void names(Scene scene) throws Exception {
        String topic = scene.createdTopic(1);
        MessageQueue light = light(scene);
        // Java stores such a message; its light queues never get it and have a hole there.
        if (!Scene.AGAINST_JAVA) {
            MessageQueue other = Scene.queue(scene.topic(), 0);
            Check.refused(13, () -> scene.producer().send(message(topic, "body", light, other)), "a name without %LMQ%");
            Check.refused(13, () -> scene.producer().send(message(topic, "body", light, light)), "a light queue twice");
            MessageQueue[] many = new MessageQueue[129];
            for (int number = 0; number < many.length; number++) {
                many[number] = Scene.queue("%LMQ%" + number, 0);
            }
            Check.refused(13, () -> scene.producer().send(message(topic, "body", many)), "129 light queues");
        }
        // Names are no topics: more characters are allowed in them.
        MessageQueue strange = Scene.queue(light.getTopic() + "#+$.中文", 0);
        scene.producer().send(message(topic, "body", strange));
        scene.awaitStored(topic, 1, 1);
        DefaultMQPullConsumer consumer = consumer(scene, scene.group(), topic);
        awaitMax(consumer, strange, 1);
        Check.equal(List.of("body"), bodies(consumer.pull(strange, "*", 0, 32)), "bodies");
    }

    private static void restarts(Scene scene) throws Exception {
        String topic = scene.createdTopic(2);
        String group = scene.group();
        MessageQueue a = light(scene);
        MessageQueue b = light(scene);
        List<String> inA = new ArrayList<>();
        List<String> inB = new ArrayList<>();
        for (String how : List.of("first", "clean", "kill")) {
            if (how.equals("clean")) {
                Scene.control("restart-broker");
            } else if (how.equals("kill")) {
                Scene.control("kill-broker");
                Scene.control("start-broker");
            }
            for (int number = 0; number < 4; number++) {
                String body = how + number;
                boolean both = number % 2 == 0;
                Message message = both ? message(topic, body, a, b) : message(topic, body, b);
                MessageQueue queue = Scene.queue(topic, number % 2);
                Scene.until("a send", () -> {
                    try {
                        // Without the client's own retries: each message shall be there once.
                        return scene.producer().send(message, queue).getSendStatus() == SendStatus.SEND_OK;
                    } catch (org.apache.rocketmq.remoting.exception.RemotingException notYet) {
                        return false;
                    }
                });
                if (both) {
                    inA.add(body);
                }
                inB.add(body);
            }
            DefaultMQPullConsumer consumer = consumer(scene, group, topic);
            awaitMax(consumer, a, inA.size());
            awaitMax(consumer, b, inB.size());
            Check.equal(inA, bodies(consumer.pull(a, "*", 0, 32)), "bodies of the first light queue after " + how);
            PullResult ofB = consumer.pull(b, "*", 0, 32);
            Check.equal(inB, bodies(ofB), "bodies of the second light queue after " + how);
            for (int number = 0; number < inB.size(); number += 2) {
                String offsets = ofB.getMsgFoundList().get(number).getProperty(OFFSETS);
                Check.equal(number / 2 + "," + number, offsets, "offsets of message " + number + " after " + how);
            }
            if (how.equals("clean")) {
                Check.equal(4L, consumer.fetchConsumeOffset(b, true), "committed offset after a clean restart");
            }
            if (!how.equals("kill")) {
                Scene.until("the commit", () -> {
                    consumer.getOffsetStore().updateConsumeOffsetToBroker(b, inB.size(), false);
                    return consumer.fetchConsumeOffset(b, true) == inB.size();
                });
            }
            consumer.shutdown();
        }
    }

    private LightQueueCases() {
    }
}
