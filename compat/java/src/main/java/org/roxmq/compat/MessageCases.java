package org.roxmq.compat;

import java.lang.reflect.Method;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.client.producer.SendResult;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageExt;

/** What was sent is what arrives. */
final class MessageCases {
    static final List<Case> ALL = List.of(
        Case.of("message-fields", MessageCases::fields).binaryToo(),
        Case.of("message-chinese", MessageCases::chinese).binaryToo(),
        Case.of("message-bodies-of-128-kib", MessageCases::large).binaryToo(),
        Case.of("message-compressed", MessageCases::compressed),
        Case.of("message-of-100-properties", MessageCases::manyProperties).binaryToo(),
        Case.of("message-every-size", MessageCases::everySize));

    private static void fields(Scene scene) throws Exception {
        String topic = scene.createdTopic(4);
        Message sent = Scene.message(topic, "body");
        sent.setTags("TagA");
        sent.setKeys(List.of("key1", "key2"));
        sent.setFlag(0x0102_0304);
        sent.setWaitStoreMsgOK(false);
        sent.setBuyerId("buyer");
        sent.putUserProperty("name", "value");
        sent.putUserProperty("with=equals&ampersand", "a=b;c:d\tand\nmore");
        long before = System.currentTimeMillis();
        SendResult result = scene.producer().send(sent, Scene.queue(topic, 3));
        long after = System.currentTimeMillis();

        Inbox inbox = scene.receive(scene.group(), topic, "*");
        inbox.awaitExactly(List.of("body"));
        MessageExt received = inbox.messages().get(0);
        MessageExt viewed = scene.producer().viewMessage(topic, result.getOffsetMsgId());
        for (MessageExt seen : List.of(received, viewed)) {
            Check.equal(topic, seen.getTopic(), "topic");
            Check.equal("body", Scene.text(seen), "body");
            Check.equal(0x0102_0304, seen.getFlag(), "flag");
            Check.equal("TagA", seen.getTags(), "tags");
            Check.equal("key1 key2", seen.getKeys(), "keys");
            Check.equal(false, seen.isWaitStoreMsgOK(), "wait for the store");
            Check.equal("buyer", seen.getBuyerId(), "buyer");
            Check.equal(3, seen.getQueueId(), "queue");
            Check.equal(0L, seen.getQueueOffset(), "queue offset");
            Check.equal(0, seen.getReconsumeTimes(), "times consumed again");
            Check.equal(0L, seen.getPreparedTransactionOffset(), "transaction offset");
            Check.equal(0, seen.getSysFlag(), "system flag");
            Check.equal(result.getOffsetMsgId(), Scene.offsetId(seen), "offset id");
            Check.within(before, after, seen.getBornTimestamp(), "birth time");
            Check.within(before, after, seen.getStoreTimestamp(), "store time");
            Check.equal("/" + Scene.BROKER_ADDRESS, seen.getStoreHost().toString(), "store host");
            InetAddress born = ((InetSocketAddress) seen.getBornHost()).getAddress();
            Check.that(born.isLoopbackAddress(), "born at " + born);
            Map<String, String> expected = new HashMap<>(Map.of("name", "value",
                "with=equals&ampersand", "a=b;c:d\tand\nmore", "TAGS", "TagA", "KEYS", "key1 key2", "WAIT", "false",
                "BUYER_ID", "buyer", "UNIQ_KEY", result.getMsgId()));
            expected.putAll(Map.of("MSG_REGION", "DefaultRegion", "TRACE_ON", "true", "CLUSTER", Scene.CLUSTER));
            Map<String, String> properties = new HashMap<>(seen.getProperties());
            // The client's own marks on what it has pulled.
            properties.keySet().removeAll(List.of("MIN_OFFSET", "MAX_OFFSET", "CONSUME_START_TIME"));
            Check.equal(expected, properties, "properties");
        }
        Check.equal(result.getMsgId(), received.getMsgId(), "message id");
        Check.equal("0", received.getProperty("MIN_OFFSET"), "smallest offset");
        Check.equal("1", received.getProperty("MAX_OFFSET"), "largest offset");
    }

    private static void chinese(Scene scene) throws Exception {
        String topic = scene.createdTopic(1);
        Message sent = Scene.message(topic, "消息内容：你好，世界 🚀");
        sent.setTags("标签");
        sent.setKeys("订单号");
        sent.putUserProperty("属性名", "属性值");
        sent.putUserProperty("emoji", "𝔘🚀é");
        SendResult result = scene.producer().send(sent);
        scene.producer().send(new Message(topic, "别的", Scene.bytes("another tag")));

        Inbox inbox = scene.receive(scene.group(), topic, "标签");
        inbox.awaitExactly(List.of("消息内容：你好，世界 🚀"));
        Scene.until("an entry in the index", () -> {
            try {
                return scene.producer().queryMessage(topic, "订单号", 8, 0, Long.MAX_VALUE).getMessageList().size() == 1;
            } catch (org.apache.rocketmq.client.exception.MQClientException notYet) {
                return false;
            }
        });
        MessageExt queried = scene.producer().queryMessage(topic, "订单号", 8, 0, Long.MAX_VALUE).getMessageList().get(0);
        for (MessageExt seen : List.of(inbox.messages().get(0), queried, scene.producer().viewMessage(topic, result.getOffsetMsgId()))) {
            Check.equal("消息内容：你好，世界 🚀", Scene.text(seen), "body");
            Check.equal("标签", seen.getTags(), "tag");
            Check.equal("订单号", seen.getKeys(), "key");
            Check.equal("属性值", seen.getUserProperty("属性名"), "property");
            Check.equal("𝔘🚀é", seen.getUserProperty("emoji"), "property");
        }
    }

    private static void large(Scene scene) throws Exception {
        String topic = scene.createdTopic(4);
        DefaultMQProducer producer = scene.newProducer();
        producer.setCompressMsgBodyOverHowmuch(Integer.MAX_VALUE);
        Inbox inbox = scene.receive(scene.group(), topic, "*");
        byte[] body = Scene.noise(128 << 10);
        for (int number = 0; number < 40; number++) {
            body[0] = (byte) number;
            producer.send(new Message(topic, body.clone()));
        }
        Scene.until("40 messages", () -> inbox.messages().size() == 40);
        boolean[] seen = new boolean[40];
        for (MessageExt message : inbox.messages()) {
            int number = message.getBody()[0];
            Check.that(!seen[number], "message " + number + " twice");
            seen[number] = true;
            body[0] = (byte) number;
            Check.that(Arrays.equals(body, message.getBody()), "message " + number + " comes changed");
        }
    }

    /** The broker keeps a compressed body as it is, selects by what stands beside it, and every way to read it opens it again. */
    private static void compressed(Scene scene) throws Exception {
        String topic = scene.createdTopic(1);
        byte[] body = Scene.prose(200_000);
        Map<String, SendResult> sent = new HashMap<>();
        Inbox all = scene.receive(scene.group(), topic, "*");
        Inbox tagged = scene.receive(scene.group(), topic, "wanted");
        Inbox selected = SqlCases.receive(scene, scene.group(), topic, "kind <> 'plain' AND number BETWEEN 1 AND 5");
        for (Map.Entry<String, DefaultMQProducer> kind : producersByCompression(scene).entrySet()) {
            for (String tag : List.of("wanted", "other")) {
                Message message = new Message(topic, tag, kind.getKey() + tag, body);
                message.putUserProperty("kind", kind.getKey());
                message.putUserProperty("number", tag.equals("wanted") ? "3" : "7");
                sent.put(kind.getKey() + tag, kind.getValue().send(message));
            }
        }
        Scene.until("all messages", () -> all.messages().size() == sent.size() && tagged.messages().size() == sent.size() / 2
            && selected.messages().size() == sent.size() / 2 - 1);
        Check.that(tagged.messages().stream().allMatch(message -> message.getTags().equals("wanted")), "others than wanted");
        Check.that(selected.messages().stream().allMatch(message -> message.getUserProperty("number").equals("3")), "others than selected");
        List<MessageExt> seen = new ArrayList<>(all.messages());
        seen.addAll(tagged.messages());
        seen.addAll(selected.messages());
        for (Map.Entry<String, SendResult> each : sent.entrySet()) {
            seen.add(scene.producer().viewMessage(topic, each.getValue().getOffsetMsgId()));
            QueryCases.awaitFound(scene, topic, each.getKey(), 1);
            seen.addAll(QueryCases.find(scene, topic, each.getKey(), 8, 0, Long.MAX_VALUE));
        }
        for (MessageExt message : seen) {
            String kind = message.getUserProperty("kind");
            Check.that(Arrays.equals(body, message.getBody()), "body comes changed: " + kind);
            if (kind.equals("plain")) {
                Check.within(body.length, body.length + 1_000, message.getStoreSize(), "stored bytes");
            } else {
                Check.within(100, body.length / 2, message.getStoreSize(), "stored bytes of " + kind);
            }
        }
    }

    private static Map<String, DefaultMQProducer> producersByCompression(Scene scene) throws Exception {
        Map<String, DefaultMQProducer> producers = new HashMap<>();
        producers.put("default", scene.newProducer());
        producers.put("plain", scene.newProducer());
        producers.get("plain").setCompressMsgBodyOverHowmuch(Integer.MAX_VALUE);
        // Since 5.0 there are three kinds.
        for (Method method : DefaultMQProducer.class.getMethods()) {
            if (method.getName().equals("setCompressType")) {
                for (Object kind : method.getParameterTypes()[0].getEnumConstants()) {
                    DefaultMQProducer producer = scene.newProducer();
                    method.invoke(producer, kind);
                    producers.put(kind.toString(), producer);
                }
            }
        }
        return producers;
    }

    /** A hundred properties, in whatever order, with names and values of any kind. */
    private static void manyProperties(Scene scene) throws Exception {
        String topic = scene.createdTopic(1);
        Message sent = Scene.message(topic, "body");
        Map<String, String> expected = new HashMap<>();
        for (int number = 0; number < 100; number++) {
            expected.put((number % 2 == 0 ? "name " : "属性-") + number, "v".repeat(number) + " =\t{\"a\": " + number + "}");
        }
        expected.forEach(sent::putUserProperty);
        SendResult result = scene.producer().send(sent);
        Inbox inbox = scene.receive(scene.group(), topic, "*");
        inbox.awaitExactly(List.of("body"));
        for (MessageExt seen : List.of(inbox.messages().get(0), scene.producer().viewMessage(topic, result.getOffsetMsgId()))) {
            Map<String, String> properties = new HashMap<>(seen.getProperties());
            properties.keySet().retainAll(expected.keySet());
            Check.equal(expected, properties, "properties");
        }
    }

    /** Sizes around the powers of two, where frames and pages end. */
    private static void everySize(Scene scene) throws Exception {
        String topic = scene.createdTopic(1);
        DefaultMQProducer producer = scene.newProducer();
        producer.setCompressMsgBodyOverHowmuch(Integer.MAX_VALUE);
        List<byte[]> bodies = new ArrayList<>();
        for (int power = 1; power <= 20; power++) {
            for (int size = (1 << power) - 1; size <= (1 << power) + 1; size++) {
                bodies.add(Scene.noise(size));
            }
        }
        for (byte[] body : bodies) {
            producer.send(new Message(topic, body));
        }
        Inbox inbox = scene.receive(scene.group(), topic, "*");
        Scene.until("all messages", () -> inbox.messages().size() == bodies.size());
        for (MessageExt message : inbox.messages()) {
            byte[] expected = bodies.get((int) message.getQueueOffset());
            Check.that(Arrays.equals(expected, message.getBody()), "body of " + expected.length + " bytes comes changed");
        }
    }

    private MessageCases() {
    }
}
