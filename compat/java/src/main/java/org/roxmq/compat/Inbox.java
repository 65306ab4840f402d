package org.roxmq.compat;

import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.consumer.listener.ConsumeConcurrentlyStatus;
import org.apache.rocketmq.client.consumer.listener.MessageListenerConcurrently;
import org.apache.rocketmq.common.message.MessageExt;

/** Everything that a push consumer has received, in the order of arrival. */
final class Inbox {
    final DefaultMQPushConsumer consumer;
    private final List<MessageExt> messages = new ArrayList<>();

    Inbox(DefaultMQPushConsumer consumer) {
        this.consumer = consumer;
        consumer.registerMessageListener((MessageListenerConcurrently) (received, context) -> {
            add(received);
            return ConsumeConcurrentlyStatus.CONSUME_SUCCESS;
        });
    }

    synchronized void add(Collection<MessageExt> received) {
        messages.addAll(received);
    }

    synchronized List<MessageExt> messages() {
        return new ArrayList<>(messages);
    }

    List<String> bodies() {
        return messages().stream().map(Scene::text).collect(Collectors.toList());
    }

    Set<Integer> queueIds() {
        return messages().stream().map(MessageExt::getQueueId).collect(Collectors.toCollection(TreeSet::new));
    }

    synchronized void clear() {
        messages.clear();
    }

    /** Waits until these bodies have arrived, then checks that nothing else and nothing twice has. */
    void awaitExactly(Collection<String> expected) throws Exception {
        awaitAll(expected);
        List<String> seen = bodies();
        Check.equal(expected.stream().sorted().collect(Collectors.toList()), seen.stream().sorted().collect(Collectors.toList()),
            "what arrived");
    }

    /** Waits until these bodies have arrived; more may. */
    void awaitAll(Collection<String> expected) throws Exception {
        try {
            Scene.until("all messages", () -> new java.util.HashSet<>(bodies()).containsAll(expected));
        } catch (Check.Failed late) {
            Set<String> missing = new TreeSet<>(expected);
            missing.removeAll(bodies());
            throw new Check.Failed(late.getMessage() + "; " + missing.size() + " of " + expected.size() + " are missing: "
                + missing.stream().limit(5).collect(Collectors.toList()));
        }
    }
}
