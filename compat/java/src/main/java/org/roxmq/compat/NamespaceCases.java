package org.roxmq.compat;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Set;
import org.apache.rocketmq.client.ClientConfig;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.consumer.listener.ConsumeConcurrentlyStatus;
import org.apache.rocketmq.client.consumer.listener.MessageListenerConcurrently;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.client.producer.SendResult;
import org.apache.rocketmq.common.consumer.ConsumeFromWhere;
import org.apache.rocketmq.common.message.MessageExt;

/** Tenants: one name in two namespaces is two topics and two groups. The client makes the names, the broker must bear them. */
final class NamespaceCases {
    static final List<Case> ALL = List.of(
        Case.of("namespace", NamespaceCases::apart),
        Case.of("namespace-retry", NamespaceCases::retry),
        Case.of("namespace-v2", NamespaceCases::second));

    private static void apart(Scene scene) throws Exception {
        String topic = scene.topic();
        String group = scene.group();
        List<Inbox> inboxes = new ArrayList<>();
        for (String namespace : List.of("NS1", "NS2")) {
            DefaultMQProducer producer = producer(scene, namespace);
            SendResult result = producer.send(Scene.message(topic, "from " + namespace));
            Check.equal(topic, result.getMessageQueue().getTopic(), "topic in the answer");
            DefaultMQPushConsumer consumer = scene.push(group);
            consumer.setNamespace(namespace);
            consumer.setConsumeFromWhere(ConsumeFromWhere.CONSUME_FROM_FIRST_OFFSET);
            consumer.subscribe(topic, "*");
            inboxes.add(new Inbox(consumer));
            consumer.start();
        }
        inboxes.get(0).awaitExactly(List.of("from NS1"));
        inboxes.get(1).awaitExactly(List.of("from NS2"));
        Check.equal(topic, inboxes.get(0).messages().get(0).getTopic(), "topic of the message");
        Set<String> topics = scene.admin().fetchAllTopicList().getTopicList();
        for (String namespace : List.of("NS1", "NS2")) {
            Check.that(topics.contains(namespace + "%" + topic), "no topic " + namespace + "%" + topic);
            Check.that(topics.contains("%RETRY%" + namespace + "%" + group), "no topic %RETRY%" + namespace + "%" + group);
            scene.awaitCommitted(namespace + "%" + group, namespace + "%" + topic, 1);
        }
        Check.that(!topics.contains(topic), "the topic exists outside of the namespaces");
    }

    private static DefaultMQProducer producer(Scene scene, String namespace) throws Exception {
        DefaultMQProducer made = scene.prepared(new DefaultMQProducer(scene.group()));
        made.setNamespace(namespace);
        made.setSendMsgTimeout(10_000);
        made.start();
        return made;
    }

    /** Comes again under its own name, and is laid aside in the namespace's dead letters. */
    private static void retry(Scene scene) throws Exception {
        String topic = scene.topic();
        String group = scene.group();
        List<String> seen = Collections.synchronizedList(new ArrayList<>());
        DefaultMQPushConsumer consumer = scene.push(group);
        consumer.setNamespace("NS");
        consumer.setMaxReconsumeTimes(1);
        consumer.setConsumeFromWhere(ConsumeFromWhere.CONSUME_FROM_FIRST_OFFSET);
        consumer.subscribe(topic, "*");
        consumer.registerMessageListener((MessageListenerConcurrently) (messages, context) -> {
            MessageExt message = messages.get(0);
            seen.add(message.getTopic() + " " + Scene.text(message) + " " + message.getReconsumeTimes());
            context.setDelayLevelWhenNextConsume(1);
            return ConsumeConcurrentlyStatus.RECONSUME_LATER;
        });
        producer(scene, "NS").send(Scene.message(topic, "body"));
        consumer.start();
        Scene.until("two attempts", () -> seen.size() == 2);
        Check.equal(List.of(topic + " body 0", topic + " body 1"), seen, "attempts");
        MessageExt dead = RetryCases.onlyDeadLetter(scene, "NS%" + group);
        Check.equal("body", Scene.text(dead), "dead letter");
        Check.equal("NS%" + topic, dead.getProperty("RETRY_TOPIC"), "topic it came from");
    }

    /** Since 5.0 the namespace can travel beside the names, for a proxy; a broker takes the names as they are. */
    private static void second(Scene scene) throws Exception {
        String topic = scene.topic();
        DefaultMQProducer producer = scene.prepared(new DefaultMQProducer(scene.group()));
        DefaultMQPushConsumer consumer = scene.push(scene.group());
        try {
            for (ClientConfig client : List.of(producer, consumer)) {
                ClientConfig.class.getMethod("setNamespaceV2", String.class).invoke(client, "NS");
            }
        } catch (NoSuchMethodException notInThisClient) {
            return;
        }
        producer.setSendMsgTimeout(10_000);
        producer.start();
        producer.send(Scene.message(topic, "body"));
        consumer.setConsumeFromWhere(ConsumeFromWhere.CONSUME_FROM_FIRST_OFFSET);
        consumer.subscribe(topic, "*");
        Inbox inbox = new Inbox(consumer);
        consumer.start();
        inbox.awaitExactly(List.of("body"));
        Check.that(scene.admin().fetchAllTopicList().getTopicList().contains(topic), "no topic " + topic);
    }

    private NamespaceCases() {
    }
}
