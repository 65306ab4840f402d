import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.net.Socket;
import java.nio.file.Files;
import java.nio.file.Paths;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.consumer.listener.ConsumeConcurrentlyStatus;
import org.apache.rocketmq.client.consumer.listener.MessageListenerConcurrently;
import org.apache.rocketmq.client.exception.MQClientException;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.client.producer.SendResult;
import org.apache.rocketmq.client.trace.TraceDataEncoder;
import org.apache.rocketmq.common.consumer.ConsumeFromWhere;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageExt;
import org.apache.rocketmq.common.message.MessageQueue;
import org.apache.rocketmq.remoting.exception.RemotingException;
import org.apache.rocketmq.tools.admin.DefaultMQAdminExt;

/** Who is connected while the commands run? A producer and push consumers of the real client, driven by the scenario's {@code @} lines. */
final class LiveClients {
    private final String nameserver;
    private final String brokerName;
    private final Map<String, String> variables;
    private final DefaultMQAdminExt admin;
    private final Map<String, DefaultMQPushConsumer> consumers = new HashMap<>();
    /** Messages that a group has received since it was last waited for them. */
    private final Map<String, AtomicInteger> received = new HashMap<>();
    private DefaultMQProducer producer;
    private Socket odd;

    LiveClients(String nameserver, String brokerName, Map<String, String> variables, DefaultMQAdminExt admin) {
        this.nameserver = nameserver;
        this.brokerName = brokerName;
        this.variables = variables;
        this.admin = admin;
    }

    /** Does what an {@code @} line says; throws when it cannot. */
    void act(String[] words) throws Exception {
        switch (words[0]) {
            case "@producer":
                producer = new DefaultMQProducer(words[1]);
                producer.setNamesrvAddr(nameserver);
                producer.setClientIP("127.0.0.1");
                producer.setInstanceName("live-producer");
                producer.setSendMsgTimeout(10_000);
                producer.start();
                break;
            case "@send":
                send(words[1], Integer.parseInt(words[2]), Integer.parseInt(words[3]), words[4], words[5]);
                break;
            case "@trace":
                trace(words[1], words[2], words[3]);
                break;
            case "@consume":
                consume(words[1], words[2]);
                break;
            case "@await-consumed":
                awaitConsumed(words[1], words[2]);
                break;
            case "@await-received":
                awaitReceived(words[1], Integer.parseInt(words[2]));
                break;
            case "@file":
                Files.writeString(Paths.get(words[1]), words[2]);
                break;
            case "@odd":
                odd(words[1], words[2]);
                break;
            case "@stop-consume":
                consumers.remove(words[1]).shutdown();
                break;
            default:
                throw new IllegalArgumentException("unknown action " + words[0]);
        }
    }

    void stop() throws IOException {
        if (odd != null) {
            odd.close();
        }
        consumers.values().forEach(DefaultMQPushConsumer::shutdown);
        if (producer != null) {
            producer.shutdown();
        }
    }

    /** Sends {@code count} messages to one queue; $UNIQUE_ID and $OFFSET_ID become those of the last one. */
    private void send(String topic, int queue, int count, String tag, String key) throws Exception {
        for (int i = 0; i < count; i++) {
            Message message = new Message(topic, tag, key + i, ("message " + i + " of queue " + queue).getBytes("UTF-8"));
            message.putUserProperty("colour", "red");
            SendResult result = producer.send(message, new MessageQueue(topic, brokerName, queue));
            variables.put("UNIQUE_ID", result.getMsgId());
            variables.put("OFFSET_ID", result.getOffsetMsgId());
        }
    }

    /** A traced producer sends one message to a traced consumer; returns when all its traces are found. $TRACED_ID is its id. */
    /** A consumer and producer whose version is none. */
    private void odd(String group, String topic) throws Exception {
        String body = "{\"clientID\":\"odd\",\"producerDataSet\":[{\"groupName\":\"" + group + "\"}],\"consumerDataSet\":[{\"groupName\":\"" + group
            + "\",\"consumeType\":\"CONSUME_PASSIVELY\",\"messageModel\":\"CLUSTERING\",\"consumeFromWhere\":\"CONSUME_FROM_LAST_OFFSET\","
            + "\"subscriptionDataSet\":[{\"topic\":\"" + topic + "\",\"subString\":\"*\",\"expressionType\":\"TAG\",\"subVersion\":1}]}]}";
        String header = "{\"code\":34,\"flag\":0,\"language\":\"CPP\",\"opaque\":1,\"version\":-1,\"extFields\":{}}";
        String[] address = variables.get("BROKER").split(":");
        odd = new Socket(address[0], Integer.parseInt(address[1]));
        DataOutputStream out = new DataOutputStream(odd.getOutputStream());
        out.writeInt(4 + header.length() + body.length());
        out.writeInt(header.length());
        out.writeBytes(header + body);
        out.flush();
        // The answer: the client is known now.
        new DataInputStream(odd.getInputStream()).readInt();
    }

    private void trace(String topic, String producers, String consumers) throws Exception {
        DefaultMQProducer sending = new DefaultMQProducer(producers, true, null);
        sending.setNamesrvAddr(nameserver);
        sending.setInstanceName("traced-producer");
        sending.setSendMsgTimeout(10_000);
        DefaultMQPushConsumer receiving = new DefaultMQPushConsumer(consumers, true, null);
        receiving.setNamesrvAddr(nameserver);
        receiving.setInstanceName("traced-consumer");
        receiving.setConsumeFromWhere(ConsumeFromWhere.CONSUME_FROM_FIRST_OFFSET);
        receiving.subscribe(topic, "*");
        Set<String> seen = ConcurrentHashMap.newKeySet();
        receiving.registerMessageListener((MessageListenerConcurrently) (messages, context) -> {
            messages.forEach(message -> seen.add(message.getMsgId()));
            return ConsumeConcurrentlyStatus.CONSUME_SUCCESS;
        });
        sending.start();
        receiving.start();
        try {
            String id = sending.send(new Message(topic, "TagA", "traced", "message".getBytes("UTF-8"))).getMsgId();
            variables.put("TRACED_ID", id);
            Suite.within(30, "the traces of the message", () -> seen.contains(id) && traces(id) == 3);
        } finally {
            receiving.shutdown();
            sending.shutdown();
        }
    }

    /** How many traces of the message are there: sent, about to be consumed, consumed. */
    private int traces(String id) throws Exception {
        int count = 0;
        try {
            for (MessageExt stored : admin.queryMessage("RMQ_SYS_TRACE_TOPIC", id, 32, 0, Long.MAX_VALUE).getMessageList()) {
                count += TraceDataEncoder.decoderFromTraceDataString(new String(stored.getBody(), "UTF-8")).size();
            }
        } catch (MQClientException notYet) {
            return 0;
        }
        return count;
    }

    private void consume(String group, String topic) throws Exception {
        DefaultMQPushConsumer consumer = new DefaultMQPushConsumer(group);
        consumer.setNamesrvAddr(nameserver);
        consumer.setClientIP("127.0.0.1");
        consumer.setInstanceName("live-consumer");
        consumer.setConsumeFromWhere(ConsumeFromWhere.CONSUME_FROM_FIRST_OFFSET);
        consumer.subscribe(topic, "*");
        AtomicInteger count = new AtomicInteger();
        received.put(group, count);
        consumer.registerMessageListener((MessageListenerConcurrently) (messages, context) -> {
            count.addAndGet(messages.size());
            return ConsumeConcurrentlyStatus.CONSUME_SUCCESS;
        });
        consumer.start();
        variables.put("CLIENT_ID", consumer.getDefaultMQPushConsumerImpl().getmQClientFactory().getClientId());
        consumers.put(group, consumer);
    }

    /** Waits until the group has received exactly so many messages; counting begins anew. Java answers a pull that is held after 15 s only. */
    private void awaitReceived(String group, int messages) throws Exception {
        AtomicInteger count = received.get(group);
        Suite.within(60, messages + " messages for group " + group, () -> count.get() >= messages);
        int seen = count.getAndSet(0);
        if (seen != messages) {
            throw new IllegalStateException("group " + group + " received " + seen + " messages, not " + messages);
        }
    }

    /** Waits until the broker's committed offsets of the group have reached the end of every queue of the topic. */
    private void awaitConsumed(String group, String topic) throws Exception {
        DefaultMQPushConsumer consumer = consumers.get(group);
        Set<Integer> behind = new HashSet<>();
        Suite.within(30, "group " + group + " at the end of " + topic, () -> {
            consumer.getDefaultMQPushConsumerImpl().persistConsumerOffset();
            try {
                behind.clear();
                admin.examineConsumeStats(group, topic).getOffsetTable().forEach((queue, offsets) -> {
                    if (offsets.getConsumerOffset() < offsets.getBrokerOffset()) {
                        behind.add(queue.getQueueId());
                    }
                });
                return behind.isEmpty();
            } catch (RemotingException | MQClientException
                | org.apache.rocketmq.client.exception.MQBrokerException e) {
                return false;
            }
        });
    }
}
