package org.roxmq.compat;

import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.consumer.listener.ConsumeConcurrentlyStatus;
import org.apache.rocketmq.client.consumer.listener.ConsumeOrderlyStatus;
import org.apache.rocketmq.client.consumer.listener.MessageListenerConcurrently;
import org.apache.rocketmq.client.consumer.listener.MessageListenerOrderly;
import org.apache.rocketmq.client.exception.MQBrokerException;
import org.apache.rocketmq.client.producer.SendResult;
import org.apache.rocketmq.common.consumer.ConsumeFromWhere;

/** What a tool asks of one consumer, through the broker. */
final class RelayCases {
    static final List<Case> ALL = List.of(
        Case.of("relay-running-info", RelayCases::runningInfo),
        Case.of("relay-consume-directly", RelayCases::directly),
        Case.of("relay-consume-directly-orderly", RelayCases::directlyInOrder),
        Case.of("relay-to-nobody", RelayCases::nobody));

    private static String clientId(DefaultMQPushConsumer consumer) {
        return consumer.getDefaultMQPushConsumerImpl().getmQClientFactory().getClientId();
    }

    /** Started; returns when the broker knows it. */
    private static DefaultMQPushConsumer started(Scene scene, DefaultMQPushConsumer consumer, String topic) throws Exception {
        consumer.setConsumeFromWhere(ConsumeFromWhere.CONSUME_FROM_FIRST_OFFSET);
        consumer.subscribe(topic, "a || b");
        consumer.start();
        awaitMember(scene, consumer.getConsumerGroup());
        return consumer;
    }

    /** Until the broker knows a member of the group. */
    static void awaitMember(Scene scene, String group) throws Exception {
        Scene.until("a member of the group", () -> {
            try {
                return scene.admin().examineConsumerConnectionInfo(group).getConnectionSet().size() == 1;
            } catch (MQBrokerException notYet) {
                return false;
            }
        });
    }

    private static void runningInfo(Scene scene) throws Exception {
        String topic = scene.createdTopic(3);
        String group = scene.group();
        CountDownLatch release = new CountDownLatch(1);
        DefaultMQPushConsumer consumer = scene.push(group);
        consumer.registerMessageListener((MessageListenerConcurrently) (messages, context) -> {
            if (Scene.text(messages.get(0)).equals("held")) {
                heldHere(release);
            }
            return ConsumeConcurrentlyStatus.CONSUME_SUCCESS;
        });
        started(scene, consumer, topic);
        scene.producer().send(new org.apache.rocketmq.common.message.Message(topic, "a", Scene.bytes("held")), Scene.queue(topic, 2));
        try {
            Scene.until("the held message", () -> {
                var queues = scene.admin().getConsumerRunningInfo(group, clientId(consumer), false).getMqTable();
                var held = queues.get(Scene.queue(topic, 2));
                return queues.keySet().stream().filter(queue -> queue.getTopic().equals(topic)).count() == 3
                    && held != null && held.getCachedMsgCount() == 1;
            });
            var info = scene.admin().getConsumerRunningInfo(group, clientId(consumer), false);
            Check.equal("CONSUME_PASSIVELY", info.getProperties().getProperty("PROP_CONSUME_TYPE"), "consume type");
            Check.equal("false", info.getProperties().getProperty("PROP_CONSUMEORDERLY"), "orderly");
            Check.equal(List.of(topic + " a || b", "%RETRY%" + group + " *"), info.getSubscriptionSet().stream()
                .map(each -> each.getTopic() + " " + each.getSubString()).sorted(java.util.Comparator.reverseOrder()).collect(Collectors.toList()), "subscriptions");
            Check.that(info.getJstack() == null, "stacks that were not asked for");
            var stacks = scene.admin().getConsumerRunningInfo(group, clientId(consumer), true);
            Check.that(stacks.getJstack() != null && stacks.getJstack().contains("heldHere"), "the listener is not in the stacks");
        } finally {
            release.countDown();
        }
    }

    private static void heldHere(CountDownLatch release) {
        try {
            release.await(Scene.SECONDS, TimeUnit.SECONDS);
        } catch (InterruptedException ended) {
            Thread.currentThread().interrupt();
        }
    }

    /** Each way in which a listener can end, told to who asked; nothing is committed or tried again for it. */
    private static void directly(Scene scene) throws Exception {
        String topic = scene.createdTopic(1);
        String group = scene.group();
        List<String> seen = java.util.Collections.synchronizedList(new java.util.ArrayList<>());
        DefaultMQPushConsumer consumer = scene.push(group);
        consumer.registerMessageListener((MessageListenerConcurrently) (messages, context) -> {
            String body = Scene.text(messages.get(0));
            seen.add(body);
            switch (body) {
                case "later":
                    return ConsumeConcurrentlyStatus.RECONSUME_LATER;
                case "nothing":
                    return null;
                case "throws":
                    throw new IllegalStateException("of the listener");
                default:
                    return ConsumeConcurrentlyStatus.CONSUME_SUCCESS;
            }
        });
        started(scene, consumer, topic);
        // Under tags that the consumer does not want by itself.
        outcomes(scene, consumer, topic, List.of("good", "later", "nothing", "throws"),
            List.of("CR_SUCCESS", "CR_LATER", "CR_RETURN_NULL", "CR_THROW_EXCEPTION"));
        Check.equal(List.of("good", "later", "nothing", "throws"), seen, "what the listener was given");
    }

    private static void directlyInOrder(Scene scene) throws Exception {
        String topic = scene.createdTopic(1);
        DefaultMQPushConsumer consumer = scene.push(scene.group());
        consumer.registerMessageListener((MessageListenerOrderly) (messages, context) -> {
            switch (Scene.text(messages.get(0))) {
                case "later":
                    return ConsumeOrderlyStatus.SUSPEND_CURRENT_QUEUE_A_MOMENT;
                case "throws":
                    throw new IllegalStateException("of the listener");
                default:
                    return ConsumeOrderlyStatus.SUCCESS;
            }
        });
        started(scene, consumer, topic);
        outcomes(scene, consumer, topic, List.of("good", "later", "throws"), List.of("CR_SUCCESS", "CR_LATER", "CR_THROW_EXCEPTION"));
    }

    private static void outcomes(Scene scene, DefaultMQPushConsumer consumer, String topic, List<String> bodies, List<String> expected) throws Exception {
        boolean isOrderly = consumer.getMessageListener() instanceof MessageListenerOrderly;
        for (int number = 0; number < bodies.size(); number++) {
            SendResult sent = scene.producer().send(new org.apache.rocketmq.common.message.Message(topic, "unwanted", Scene.bytes(bodies.get(number))));
            var result = scene.admin().consumeMessageDirectly(consumer.getConsumerGroup(), clientId(consumer), topic, sent.getOffsetMsgId());
            Check.equal(expected.get(number), result.getConsumeResult().name(), "outcome of " + bodies.get(number));
            Check.equal(isOrderly, result.isOrder(), "orderly");
            if (bodies.get(number).equals("throws")) {
                Check.that(result.getRemark().contains("of the listener"), "the exception is not named: " + result.getRemark());
            }
        }
    }

    private static void nobody(Scene scene) throws Exception {
        String topic = scene.createdTopic(1);
        SendResult sent = scene.producer().send(Scene.message(topic, "body"));
        DefaultMQPushConsumer consumer = scene.push(scene.group());
        new Inbox(consumer);
        started(scene, consumer, topic);
        refused(() -> scene.admin().getConsumerRunningInfo(consumer.getConsumerGroup(), "nobody", false));
        refused(() -> scene.admin().consumeMessageDirectly(consumer.getConsumerGroup(), "nobody", topic, sent.getOffsetMsgId()));
        refused(() -> scene.admin().consumeMessageDirectly("no_such_group", clientId(consumer), topic, sent.getOffsetMsgId()));
    }

    private static void refused(java.util.concurrent.Callable<?> call) throws Exception {
        Check.refused(1, call, "a relay to nobody");
    }

    private RelayCases() {
    }
}
