package org.roxmq.compat;

import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Properties;
import java.util.stream.Collectors;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.consumer.listener.ConsumeConcurrentlyStatus;
import org.apache.rocketmq.client.consumer.listener.MessageListenerConcurrently;
import org.apache.rocketmq.client.exception.MQBrokerException;
import org.apache.rocketmq.client.exception.MQClientException;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.client.producer.SendResult;
import org.apache.rocketmq.client.trace.TraceBean;
import org.apache.rocketmq.client.trace.TraceContext;
import org.apache.rocketmq.client.trace.TraceDataEncoder;
import org.apache.rocketmq.client.trace.TraceType;
import org.apache.rocketmq.common.consumer.ConsumeFromWhere;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageAccessor;
import org.apache.rocketmq.common.message.MessageExt;

/** Message trace: clients write what became of a message to a topic, where it is found by the message's id. */
final class TraceCases {
    static final List<Case> ALL = new ArrayList<>(List.of(
        Case.of("trace", scene -> trace(scene, null)).binaryToo(),
        Case.of("trace-to-own-topic", scene -> trace(scene, scene.createdTopic(2))),
        Case.of("trace-of-a-retry", TraceCases::retry)));

    static {
        // Clients can recall messages since 5.3.2.
        if (List.of(TraceType.values()).toString().contains("Recall")) {
            ALL.add(Case.of("trace-of-a-recall", TraceCases::recall));
        }
    }

    /** Producer and consumer trace, to the system's topic (which is made by the first trace) or one of their own. */
    private static void trace(Scene scene, String ownTopic) throws Exception {
        String topic = scene.createdTopic(1);
        String consumers = scene.group();
        String producers = scene.group();
        DefaultMQProducer producer = scene.prepared(new DefaultMQProducer(producers, true, ownTopic));
        Inbox inbox = new Inbox(scene.prepared(new DefaultMQPushConsumer(consumers, true, ownTopic)));
        inbox.consumer.setConsumeFromWhere(ConsumeFromWhere.CONSUME_FROM_FIRST_OFFSET);
        inbox.consumer.subscribe(topic, "*");
        inbox.consumer.start();
        producer.setSendMsgTimeout(10_000);
        producer.start();
        Message message = Scene.message(topic, "body");
        message.setTags("TagA");
        message.setKeys("order " + topic);
        SendResult sent = producer.send(message);
        inbox.awaitExactly(List.of("body"));

        String traceTopic = ownTopic == null ? "RMQ_SYS_TRACE_TOPIC" : ownTopic;
        List<TraceContext> traces = await(scene, traceTopic, sent.getMsgId(), 3);
        Check.equal(List.of(TraceType.Pub, TraceType.SubBefore, TraceType.SubAfter), types(traces), "traces");
        TraceContext published = traces.get(0);
        TraceBean bean = published.getTraceBeans().get(0);
        Check.equal(producers, published.getGroupName(), "group of the producer");
        Check.that(published.isSuccess(), "the send is traced as failed");
        Check.equal("DefaultRegion", published.getRegionId(), "region");
        Check.equal(topic + " TagA order " + topic, bean.getTopic() + " " + bean.getTags() + " " + bean.getKeys(), "topic, tag and keys");
        Check.equal(sent.getMsgId(), bean.getMsgId(), "id");
        Check.equal(sent.getOffsetMsgId(), bean.getOffsetMsgId(), "offset id");
        Check.equal(Scene.BROKER_ADDRESS, bean.getStoreHost(), "broker");
        Check.equal(4, bean.getBodyLength(), "length of the body");
        TraceContext after = traces.get(2);
        Check.equal(consumers, traces.get(1).getGroupName(), "group of the consumer");
        Check.equal(traces.get(1).getRequestId(), after.getRequestId(), "request");
        Check.that(after.isSuccess(), "the consumption is traced as failed");
        Check.equal(sent.getMsgId(), after.getTraceBeans().get(0).getMsgId(), "id consumed");
        // The message's own keys lead to its traces as well.
        Check.equal(3, await(scene, traceTopic, topic, 3).size(), "traces by key");
    }

    private static List<TraceType> types(List<TraceContext> traces) {
        return traces.stream().map(TraceContext::getTraceType).collect(Collectors.toList());
    }

    /** Traces of the message with that id or key, by time and kind. */
    private static List<TraceContext> await(Scene scene, String topic, String id, int count) throws Exception {
        List<TraceContext> found = new ArrayList<>();
        Scene.until(count + " traces of " + id, () -> {
            found.clear();
            try {
                for (MessageExt stored : scene.producer().queryMessage(topic, id, 64, 0, Long.MAX_VALUE).getMessageList()) {
                    TraceDataEncoder.decoderFromTraceDataString(Scene.text(stored)).stream().filter(trace -> isOf(trace, id)).forEach(found::add);
                }
            } catch (MQClientException notYet) {
                return false;
            }
            return found.size() >= count;
        });
        found.sort(Comparator.comparing(TraceContext::getTimeStamp).thenComparing(TraceContext::getTraceType));
        return found;
    }

    /** One record of the trace topic holds the traces of many messages. */
    private static boolean isOf(TraceContext trace, String id) {
        TraceBean bean = trace.getTraceBeans().get(0);
        return id.equals(bean.getMsgId()) || List.of(bean.getKeys().split(" ")).contains(id);
    }

    /** Each attempt leaves its traces, under the id that the message has from its producer. */
    private static void retry(Scene scene) throws Exception {
        String topic = scene.createdTopic(1);
        DefaultMQPushConsumer consumer = scene.prepared(new DefaultMQPushConsumer(scene.group(), true, null));
        consumer.setConsumeFromWhere(ConsumeFromWhere.CONSUME_FROM_FIRST_OFFSET);
        consumer.subscribe(topic, "*");
        consumer.registerMessageListener((MessageListenerConcurrently) (messages, context) -> {
            context.setDelayLevelWhenNextConsume(1);
            return messages.get(0).getReconsumeTimes() == 0 ? ConsumeConcurrentlyStatus.RECONSUME_LATER : ConsumeConcurrentlyStatus.CONSUME_SUCCESS;
        });
        consumer.start();
        SendResult sent = scene.producer().send(Scene.message(topic, "body"));
        List<TraceContext> traces = await(scene, "RMQ_SYS_TRACE_TOPIC", sent.getMsgId(), 4);
        List<Boolean> outcomes = traces.stream().filter(trace -> trace.getTraceType() == TraceType.SubAfter)
            .map(TraceContext::isSuccess).collect(Collectors.toList());
        Check.equal(List.of(false, true), outcomes, "outcomes");
        List<Integer> times = traces.stream().filter(trace -> trace.getTraceType() == TraceType.SubBefore)
            .map(trace -> trace.getTraceBeans().get(0).getRetryTimes()).collect(Collectors.toList());
        Check.equal(List.of(0, 1), times, "times");
    }

    /** The client writes a trace of a recall only when the answer names the region, whether it was one or was refused. */
    private static void recall(Scene scene) throws Exception {
        Properties allow = new Properties();
        allow.setProperty("recallMessageEnable", "true");
        scene.admin().updateBrokerConfig(Scene.BROKER_ADDRESS, allow);
        System.setProperty("com.rocketmq.recall.default.trace.enable", "true");
        String topic = scene.createdTopic(1);
        String other = scene.createdTopic(1);
        String group = scene.group();
        DefaultMQProducer producer = scene.prepared(new DefaultMQProducer(group, true, null));
        producer.start();
        Message message = Scene.message(topic, "body");
        MessageAccessor.putProperty(message, "TIMER_DELIVER_MS", String.valueOf(System.currentTimeMillis() + 3_600_000));
        SendResult sent = producer.send(message);
        String handle = (String) SendResult.class.getMethod("getRecallHandle").invoke(sent);
        Method recall = DefaultMQProducer.class.getMethod("recallMessage", String.class, String.class);
        try {
            recall.invoke(producer, other, handle);
            Check.that(false, "a recall from another topic is not refused");
        } catch (InvocationTargetException refused) {
            Check.equal(604, ((MQBrokerException) refused.getCause()).getResponseCode(), "code of a recall from another topic");
        }
        Check.equal(sent.getMsgId(), recall.invoke(producer, topic, handle), "id of what was recalled");

        List<TraceContext> traces = await(scene, "RMQ_SYS_TRACE_TOPIC", sent.getMsgId(), 3);
        List<String> seen = traces.stream().filter(trace -> trace.getTraceType() != TraceType.Pub)
            .map(trace -> String.join(" ", trace.getTraceType().name(), trace.getRegionId(), trace.getGroupName(),
                trace.getTraceBeans().get(0).getTopic(), String.valueOf(trace.isSuccess())))
            .sorted().collect(Collectors.toList());
        List<String> expected = List.of("Recall DefaultRegion " + group + " " + other + " false", "Recall DefaultRegion " + group + " " + topic + " true");
        Check.equal(expected.stream().sorted().collect(Collectors.toList()), seen, "traces of recalls");
    }

    private TraceCases() {
    }
}
