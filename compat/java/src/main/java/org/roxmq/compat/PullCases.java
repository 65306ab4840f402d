package org.roxmq.compat;

import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import org.apache.rocketmq.client.consumer.DefaultMQPullConsumer;
import org.apache.rocketmq.client.consumer.MessageSelector;
import org.apache.rocketmq.client.consumer.PullCallback;
import org.apache.rocketmq.client.consumer.PullResult;
import org.apache.rocketmq.client.consumer.PullStatus;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageExt;
import org.apache.rocketmq.common.message.MessageQueue;

/** Pulling from a chosen offset of a chosen queue: what each answer says. */
final class PullCases {
    static final List<Case> ALL = List.of(
        Case.of("pull-in-order", PullCases::inOrder).binaryToo(),
        Case.of("pull-offsets-at-the-edges", PullCases::edges).binaryToo(),
        Case.of("pull-tags", PullCases::tags).binaryToo(),
        Case.of("pull-batch-limits", PullCases::limits),
        Case.of("pull-parked", PullCases::parked),
        Case.of("pull-parked-until-hold-ends", PullCases::parkedInVain),
        Case.of("pull-async", PullCases::async),
        Case.of("pull-unknown-topic-and-queue", PullCases::unknown),
        Case.of("pull-topic-not-readable", PullCases::notReadable),
        Case.of("pull-committed-offsets", PullCases::committed).binaryToo(),
        Case.of("queue-offsets-and-times", PullCases::queueOffsets).binaryToo());

    private static void inOrder(Scene scene) throws Exception {
        String topic = scene.createdTopic(4);
        for (int number = 0; number < 100; number++) {
            scene.producer().send(Scene.message(topic, "body" + number), Scene.queue(topic, number % 4));
        }
        scene.awaitStored(topic, 4, 100);
        DefaultMQPullConsumer consumer = scene.pull(scene.group());
        Set<MessageQueue> queues = consumer.fetchSubscribeMessageQueues(topic);
        Check.equal(4, queues.size(), "queues");
        for (MessageQueue queue : queues) {
            List<String> bodies = new ArrayList<>();
            long offset = 0;
            while (offset < 25) {
                PullResult result = consumer.pull(queue, "*", offset, 7);
                Check.equal(PullStatus.FOUND, result.getPullStatus(), "status at " + offset);
                Check.within(1, 7, result.getMsgFoundList().size(), "messages of a pull of 7");
                Check.equal(0L, result.getMinOffset(), "smallest offset");
                Check.equal(25L, result.getMaxOffset(), "largest offset");
                for (MessageExt message : result.getMsgFoundList()) {
                    Check.equal(offset++, message.getQueueOffset(), "queue offset");
                    bodies.add(Scene.text(message));
                }
                Check.equal(offset, result.getNextBeginOffset(), "next offset");
            }
            for (int number = 0; number < 25; number++) {
                Check.equal("body" + (number * 4 + queue.getQueueId()), bodies.get(number), "body at " + number);
            }
        }
    }

    private static void edges(Scene scene) throws Exception {
        String topic = scene.createdTopic(2);
        for (int number = 0; number < 5; number++) {
            scene.producer().send(Scene.message(topic, "body" + number), Scene.queue(topic, 0));
        }
        scene.awaitStored(topic, 2, 5);
        DefaultMQPullConsumer consumer = scene.pull(scene.group());
        MessageQueue full = Scene.queue(topic, 0);
        says(consumer, full, 4, PullStatus.FOUND, 5, 5);
        says(consumer, full, 5, PullStatus.NO_NEW_MSG, 5, 5);
        says(consumer, full, 6, PullStatus.OFFSET_ILLEGAL, 5, 5);
        says(consumer, full, 1_000_000, PullStatus.OFFSET_ILLEGAL, 5, 5);
        MessageQueue empty = Scene.queue(topic, 1);
        says(consumer, empty, 0, PullStatus.NO_NEW_MSG, 0, 0);
        says(consumer, empty, 7, PullStatus.OFFSET_ILLEGAL, 0, 0);
    }

    private static void says(DefaultMQPullConsumer consumer, MessageQueue queue, long offset, PullStatus status, long next, long max)
        throws Exception {
        PullResult result = consumer.pull(queue, "*", offset, 32);
        String where = "queue " + queue.getQueueId() + " at " + offset;
        Check.equal(status, result.getPullStatus(), "status of " + where);
        Check.equal(next, result.getNextBeginOffset(), "next offset of " + where);
        Check.equal(0L, result.getMinOffset(), "smallest offset of " + where);
        Check.equal(max, result.getMaxOffset(), "largest offset of " + where);
    }

    private static void tags(Scene scene) throws Exception {
        String topic = scene.createdTopic(1);
        scene.send(topic, "a", "a", 10);
        scene.send(topic, "b", "b", 10);
        scene.awaitStored(topic, 1, 20);
        DefaultMQPullConsumer consumer = scene.pull(scene.group());
        MessageQueue queue = Scene.queue(topic, 0);
        PullResult found = consumer.pull(queue, "b || c", 0, 32);
        Check.equal(PullStatus.FOUND, found.getPullStatus(), "status");
        Check.equal(10, found.getMsgFoundList().size(), "messages");
        Check.equal(10L, found.getMsgFoundList().get(0).getQueueOffset(), "offset of the first");
        Check.equal(20L, found.getNextBeginOffset(), "next offset");
        PullResult none = consumer.pull(queue, "c", 3, 32);
        Check.equal(PullStatus.NO_MATCHED_MSG, none.getPullStatus(), "status");
        Check.equal(20L, none.getNextBeginOffset(), "next offset past what does not match");
        PullResult selected = consumer.pull(queue, MessageSelector.byTag("a"), 5, 32);
        Check.equal(5, selected.getMsgFoundList().size(), "messages");
    }

    private static void limits(Scene scene) throws Exception {
        String topic = scene.createdTopic(1);
        scene.producer().setCompressMsgBodyOverHowmuch(Integer.MAX_VALUE);
        MessageQueue queue = Scene.queue(topic, 0);
        for (int number = 0; number < 100; number++) {
            scene.producer().send(Scene.message(topic, "small" + number));
        }
        for (int number = 0; number < 20; number++) {
            scene.producer().send(new Message(topic, Scene.noise(64 << 10)));
        }
        scene.awaitStored(topic, 1, 120);
        DefaultMQPullConsumer consumer = scene.pull(scene.group());
        Check.equal(5, consumer.pull(queue, "*", 0, 5).getMsgFoundList().size(), "messages of a pull of 5");
        Check.equal(32, consumer.pull(queue, "*", 0, 1_000).getMsgFoundList().size(), "messages of a pull of 1000");
        // 256 KiB of records, and never more.
        Check.within(3, 4, consumer.pull(queue, "*", 100, 32).getMsgFoundList().size(), "messages of 64 KiB");
    }

    private static void parked(Scene scene) throws Exception {
        String topic = scene.createdTopic(1);
        MessageQueue queue = Scene.queue(topic, 0);
        DefaultMQPullConsumer consumer = scene.pull(scene.group());
        for (int number = 0; number < 3; number++) {
            long offset = number;
            CompletableFuture<PullResult> parked = CompletableFuture.supplyAsync(() -> {
                try {
                    return consumer.pullBlockIfNotFound(queue, null, offset, 32);
                } catch (Exception failure) {
                    throw new IllegalStateException(failure);
                }
            });
            try {
                // Long enough to be parked; should it not be, the case is weaker and not wrong.
                parked.get(500, TimeUnit.MILLISECONDS);
                throw new Check.Failed("a pull at the end of a queue was answered");
            } catch (java.util.concurrent.TimeoutException expected) {
                scene.producer().send(Scene.message(topic, "body" + number));
            }
            PullResult result = parked.get(3, TimeUnit.SECONDS);
            Check.equal(PullStatus.FOUND, result.getPullStatus(), "status");
            Check.equal("body" + number, Scene.text(result.getMsgFoundList().get(0)), "body");
        }
    }

    private static void parkedInVain(Scene scene) throws Exception {
        String topic = scene.createdTopic(1);
        DefaultMQPullConsumer consumer = scene.pull(scene.group());
        consumer.setBrokerSuspendMaxTimeMillis(2_000);
        long start = System.nanoTime();
        PullResult result = consumer.pullBlockIfNotFound(Scene.queue(topic, 0), "*", 0, 32);
        long waited = (System.nanoTime() - start) / 1_000_000;
        Check.equal(PullStatus.NO_NEW_MSG, result.getPullStatus(), "status");
        Check.equal(0L, result.getNextBeginOffset(), "next offset");
        // Java looks at parked pulls every 5 s.
        Check.within(1_900, 9_000, waited, "milliseconds of a hold of 2 s");
    }

    private static void async(Scene scene) throws Exception {
        String topic = scene.createdTopic(1);
        List<String> bodies = scene.send(topic, null, "body", 10);
        scene.awaitStored(topic, 1, 10);
        CompletableFuture<PullResult> found = new CompletableFuture<>();
        scene.pull(scene.group()).pull(Scene.queue(topic, 0), "*", 0, 32, new PullCallback() {
            @Override
            public void onSuccess(PullResult result) {
                found.complete(result);
            }

            @Override
            public void onException(Throwable failure) {
                found.completeExceptionally(failure);
            }
        });
        PullResult result = found.get(Scene.SECONDS, TimeUnit.SECONDS);
        Check.equal(bodies, result.getMsgFoundList().stream().map(Scene::text).collect(Collectors.toList()), "bodies");
    }

    private static void unknown(Scene scene) throws Exception {
        String topic = scene.createdTopic(2);
        DefaultMQPullConsumer consumer = scene.pull(scene.group());
        Check.refused(29, () -> consumer.pull(Scene.queue(topic, 2), "*", 0, 32), "queue 2 of 2");
        String unknown = scene.topic();
        Check.refused(17, () -> consumer.pull(Scene.queue(unknown, 0), "*", 0, 32), "pull of an unknown topic");
    }

    private static void notReadable(Scene scene) throws Exception {
        String topic = scene.createdTopic(1);
        scene.producer().send(Scene.message(topic, "body"));
        scene.awaitStored(topic, 1, 1);
        AdminCases.permit(scene, topic, 2);
        DefaultMQPullConsumer consumer = scene.pull(scene.group());
        Check.refused(16, () -> consumer.pull(Scene.queue(topic, 0), "*", 0, 32), "pull of a topic that may only be written");
        AdminCases.permit(scene, topic, 6);
        Check.equal(PullStatus.FOUND, consumer.pull(Scene.queue(topic, 0), "*", 0, 32).getPullStatus(), "status");
    }

    private static void committed(Scene scene) throws Exception {
        String topic = scene.createdTopic(2);
        String group = scene.group();
        scene.send(topic, null, "body", 20);
        DefaultMQPullConsumer consumer = scene.pull(group);
        MessageQueue queue = Scene.queue(topic, 0);
        Check.equal(0L, consumer.fetchConsumeOffset(queue, true), "offset of a new group");
        consumer.updateConsumeOffset(queue, 7);
        Check.equal(7L, consumer.fetchConsumeOffset(queue, false), "offset in memory");
        DefaultMQPullConsumer another = scene.pull(group);
        Scene.until("the offset at the broker", () -> {
            // Without an answer, and in vain before the first heartbeat has made the group known.
            consumer.getOffsetStore().persistAll(new HashSet<>(Set.of(queue)));
            return another.fetchConsumeOffset(queue, true) == 7;
        });
        consumer.getOffsetStore().updateConsumeOffsetToBroker(queue, 3, false);
        Check.equal(3L, another.fetchConsumeOffset(queue, true), "offset set back");
        Check.equal(0L, another.fetchConsumeOffset(Scene.queue(topic, 1), true), "offset of the other queue");
    }

    private static void queueOffsets(Scene scene) throws Exception {
        String topic = scene.createdTopic(2);
        MessageQueue queue = Scene.queue(topic, 0);
        MessageQueue empty = Scene.queue(topic, 1);
        DefaultMQPullConsumer consumer = scene.pull(scene.group());
        Check.equal(-1L, consumer.earliestMsgStoreTime(empty), "time of the first message of an empty queue");
        for (int number = 0; number < 10; number++) {
            long last = System.currentTimeMillis();
            // Each in a millisecond of its own.
            Scene.until("the next millisecond", () -> System.currentTimeMillis() > last + 5);
            scene.producer().send(Scene.message(topic, "body" + number), queue);
        }
        scene.awaitStored(topic, 2, 10);
        List<MessageExt> messages = consumer.pull(queue, "*", 0, 32).getMsgFoundList();
        Check.equal(0L, consumer.minOffset(queue), "smallest offset");
        Check.equal(10L, consumer.maxOffset(queue), "largest offset");
        Check.equal(0L, consumer.minOffset(empty), "smallest offset of an empty queue");
        Check.equal(0L, consumer.maxOffset(empty), "largest offset of an empty queue");
        Check.equal(messages.get(0).getStoreTimestamp(), consumer.earliestMsgStoreTime(queue), "time of the first message");
        for (MessageExt message : messages) {
            Check.equal(message.getQueueOffset(), consumer.searchOffset(queue, message.getStoreTimestamp()), "offset at a message's time");
            Check.equal(message.getQueueOffset(), consumer.searchOffset(queue, message.getStoreTimestamp() - 1),
                "offset a millisecond before");
        }
        Check.equal(0L, consumer.searchOffset(queue, 0), "offset of the epoch");
        Check.equal(10L, consumer.searchOffset(queue, System.currentTimeMillis() + 3_600_000), "offset of the future");
        Check.equal(0L, consumer.searchOffset(empty, System.currentTimeMillis()), "offset of now in an empty queue");
    }

    private PullCases() {
    }
}
