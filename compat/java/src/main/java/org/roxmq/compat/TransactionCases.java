package org.roxmq.compat;

import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.stream.Collectors;
import org.apache.rocketmq.client.exception.MQBrokerException;
import org.apache.rocketmq.client.exception.MQClientException;
import org.apache.rocketmq.client.producer.LocalTransactionState;
import org.apache.rocketmq.client.producer.TransactionListener;
import org.apache.rocketmq.client.producer.TransactionMQProducer;
import org.apache.rocketmq.client.producer.TransactionSendResult;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageExt;

/** Half messages: committed, rolled back, asked about, and laid aside when nobody knows. */
final class TransactionCases {
    static final List<Case> ALL = List.of(
        Case.of("transaction", TransactionCases::decided).binaryToo(),
        Case.of("transaction-asked", TransactionCases::asked),
        Case.of("transaction-asked-elsewhere", TransactionCases::askedElsewhere),
        Case.of("transaction-laid-aside", TransactionCases::laidAside),
        Case.of("transaction-of-a-delayed-message", TransactionCases::delayed));

    /** How often a broker asks by default (`transactionCheckMax`). */
    private static final int CHECKS_MAX = 15;
    /** A round that began before the interval was made shorter lasts 30 s. */
    private static final int CHECKED_SECONDS = 90;
    private static boolean areChecksFrequent;

    /** Answers as the argument of the send says, and each question as `answer` says; keeps what it was asked about. */
    private static final class Producer implements TransactionListener {
        final TransactionMQProducer client;
        final List<MessageExt> asked = Collections.synchronizedList(new ArrayList<>());
        volatile LocalTransactionState answer = LocalTransactionState.UNKNOW;

        Producer(Scene scene, String group) throws Exception {
            client = scene.transactionProducer(group, this);
        }

        TransactionSendResult send(Message message, LocalTransactionState state) throws Exception {
            TransactionSendResult result = client.sendMessageInTransaction(message, state);
            Check.equal(state, result.getLocalTransactionState(), "state of " + Scene.text(message));
            return result;
        }

        @Override
        public LocalTransactionState executeLocalTransaction(Message message, Object state) {
            return (LocalTransactionState) state;
        }

        @Override
        public LocalTransactionState checkLocalTransaction(MessageExt message) {
            asked.add(message);
            return answer;
        }

        List<String> askedBodies() {
            return new ArrayList<>(asked).stream().map(Scene::text).collect(Collectors.toList());
        }
    }

    /** A second between rounds of questions instead of thirty. Each case may ask for it; the broker is told once. */
    private static synchronized void askOften(Scene scene) throws Exception {
        if (!areChecksFrequent) {
            Properties settings = new Properties();
            settings.setProperty("transactionCheckInterval", "1000");
            scene.admin().updateBrokerConfig(Scene.BROKER_ADDRESS, settings);
            areChecksFrequent = true;
        }
    }

    /** To be asked about two seconds after it was born at the earliest. */
    private static Message open(String topic, String body) {
        Message message = Scene.message(topic, body);
        message.putUserProperty("CHECK_IMMUNITY_TIME_IN_SECONDS", "2");
        return message;
    }

    private static void decided(Scene scene) throws Exception {
        String topic = scene.createdTopic(1);
        String group = scene.group();
        Producer producer = new Producer(scene, group);
        Inbox inbox = scene.receive(scene.group(), topic, "a");
        List<String> committed = new ArrayList<>();
        for (int number = 0; number < 10; number++) {
            Message message = Scene.message(topic, "body" + number);
            message.setTags(number < 8 ? "a" : "b");
            message.setKeys("key" + number);
            LocalTransactionState state =
                number % 2 == 0 ? LocalTransactionState.ROLLBACK_MESSAGE : LocalTransactionState.COMMIT_MESSAGE;
            TransactionSendResult result = producer.send(message, state);
            Check.equal(result.getMsgId(), result.getTransactionId(), "transaction id");
            if (number % 2 == 1 && number < 8) {
                committed.add("body" + number);
            }
        }
        inbox.awaitExactly(committed);
        // The fifth committed one has the other tag; what was rolled back takes no place in the queue.
        scene.awaitStored(topic, 1, 5);
        MessageExt message = inbox.messages().stream().filter(each -> Scene.text(each).equals("body3")).findFirst().get();
        Map<String, String> expected = new HashMap<>(Map.of("TAGS", "a", "KEYS", "key3", "WAIT", "true", "UNIQ_KEY", message.getMsgId(),
            "PGROUP", group, "TRAN_MSG", "true", "MSG_REGION", "DefaultRegion", "TRACE_ON", "true", "CLUSTER", Scene.CLUSTER));
        Map<String, String> properties = new HashMap<>(message.getProperties());
        properties.keySet().removeAll(List.of("MIN_OFFSET", "MAX_OFFSET", "CONSUME_START_TIME"));
        // Of the 5.x client.
        Check.equal(message.getMsgId(), properties.getOrDefault("__transactionId__", message.getMsgId()), "transaction id");
        properties.remove("__transactionId__");
        Check.equal(expected, properties, "properties");
        Check.that(message.getPreparedTransactionOffset() > 0, "no offset of the half message");
        Check.equal(message.getMsgId(), message.getTransactionId(), "transaction id");
        Scene.until("the key", () -> {
            try {
                return scene.producer().queryMessage(topic, "key3", 8, 0, Long.MAX_VALUE).getMessageList().size() == 1;
            } catch (MQClientException notYet) {
                return false;
            }
        });
        Check.equal(List.of(), producer.askedBodies(), "questions");
    }

    private static void asked(Scene scene) throws Exception {
        askOften(scene);
        String topic = scene.createdTopic(1);
        Producer producer = new Producer(scene, scene.group());
        Inbox inbox = scene.receive(scene.group(), topic, "*");
        Message message = open(topic, "open");
        message.setTags("tag");
        message.setKeys("key");
        TransactionSendResult result = producer.send(message, LocalTransactionState.UNKNOW);
        Scene.until("two questions", CHECKED_SECONDS, () -> producer.asked.size() >= 2);
        MessageExt question = producer.asked.get(0);
        Check.within(2_000, CHECKED_SECONDS * 1_000L, System.currentTimeMillis() - question.getBornTimestamp(), "milliseconds to the question");
        Check.equal(topic, question.getTopic(), "topic asked about");
        Check.equal("tag key", question.getTags() + " " + question.getKeys(), "tag and key asked about");
        Check.equal(result.getMsgId(), question.getTransactionId(), "transaction asked about");
        Check.equal(List.of(), inbox.bodies(), "delivered before the decision");
        producer.answer = LocalTransactionState.COMMIT_MESSAGE;
        awaitDecided(inbox, List.of("open"));
        Check.equal(result.getMsgId(), inbox.messages().get(0).getMsgId(), "id");

        // Questions about a second one show that the first is closed, and the second is not committed by mistake.
        producer.answer = LocalTransactionState.ROLLBACK_MESSAGE;
        producer.send(open(topic, "rolled back"), LocalTransactionState.UNKNOW);
        Scene.until("the next question", CHECKED_SECONDS, () -> producer.askedBodies().contains("rolled back"));
        int questions = producer.asked.size();
        producer.send(open(topic, "after"), LocalTransactionState.COMMIT_MESSAGE);
        awaitDecided(inbox, List.of("open", "after"));
        Check.within(questions, questions + 1, producer.asked.size(), "questions after the decision");
    }

    /** When a producer answers two questions about one message, Java delivers it twice. */
    private static void awaitDecided(Inbox inbox, List<String> bodies) throws Exception {
        if (Scene.AGAINST_JAVA) {
            inbox.awaitAll(bodies);
            Check.equal(java.util.Set.copyOf(bodies), java.util.Set.copyOf(inbox.bodies()), "what arrived");
        } else {
            inbox.awaitExactly(bodies);
        }
    }

    /** Any living producer of the group can answer. */
    private static void askedElsewhere(Scene scene) throws Exception {
        askOften(scene);
        String topic = scene.createdTopic(1);
        String group = scene.group();
        Inbox inbox = scene.receive(scene.group(), topic, "*");
        Producer other = new Producer(scene, group);
        other.answer = LocalTransactionState.COMMIT_MESSAGE;
        // Its heartbeat goes to the brokers of the topics that it knows.
        other.client.send(Scene.message(topic, "of the other"));
        Scene.until("the other producer's heartbeat", () -> {
            try {
                return scene.admin().examineProducerConnectionInfo(group, topic).getConnectionSet().size() == 1;
            } catch (Exception notYet) {
                return false;
            }
        });
        Producer gone = new Producer(scene, group);
        gone.send(open(topic, "open"), LocalTransactionState.UNKNOW);
        gone.client.shutdown();
        Scene.until("the question", CHECKED_SECONDS, () -> other.askedBodies().contains("open"));
        awaitDecided(inbox, List.of("open", "of the other"));
    }

    /** After so many questions without an answer the message is laid aside, where a tool finds it and has it asked about again. */
    private static void laidAside(Scene scene) throws Exception {
        askOften(scene);
        String topic = scene.createdTopic(1);
        String aside = "TRANS_CHECK_MAX_TIME_TOPIC";
        Producer producer = new Producer(scene, scene.group());
        Inbox inbox = scene.receive(scene.group(), topic, "*");
        // Java counts rounds within a message's own time of immunity as questions, so this one has none.
        TransactionSendResult result = producer.send(Scene.message(topic, "unknown"), LocalTransactionState.UNKNOW);
        var reader = scene.pull(scene.group());
        List<MessageExt> found = new ArrayList<>();
        Scene.until("the message laid aside", 120, () -> {
            try {
                var pulled = reader.pull(Scene.queue(aside, 0), "*", 0, 32).getMsgFoundList();
                if (pulled != null) {
                    pulled.stream().filter(each -> result.getMsgId().equals(each.getMsgId())).forEach(found::add);
                }
            } catch (MQClientException noRouteYet) {
                return false;
            } catch (MQBrokerException noTopicYet) {
                Check.equal(17, noTopicYet.getResponseCode(), noTopicYet.getErrorMessage());
            }
            return !found.isEmpty();
        });
        Check.equal(CHECKS_MAX, producer.asked.size(), "questions");
        List<String> counted = new ArrayList<>();
        List<String> expected = new ArrayList<>();
        for (int number = 0; number < CHECKS_MAX; number++) {
            counted.add(producer.asked.get(number).getProperty("TRANSACTION_CHECK_TIMES"));
            expected.add(String.valueOf(number + 1));
        }
        Check.equal(expected, counted, "how often the producer was asked, as each question says");
        Check.equal("unknown", Scene.text(found.get(0)), "message laid aside");
        Check.equal(topic, found.get(0).getProperty("REAL_TOPIC"), "topic it is for");
        Check.equal(List.of(), inbox.bodies(), "delivered");

        producer.answer = LocalTransactionState.COMMIT_MESSAGE;
        String offsetId = Scene.offsetId(found.get(0));
        Check.that(scene.admin().resumeCheckHalfMessage(aside, offsetId), "not resumed");
        awaitDecided(inbox, List.of("unknown"));
    }

    /** The client of 4.x takes the delay away, so that such a message is delivered when it is committed; that of 5.x refuses it. */
    private static void delayed(Scene scene) throws Exception {
        String topic = scene.createdTopic(1);
        Producer producer = new Producer(scene, scene.group());
        Inbox inbox = scene.receive(scene.group(), topic, "*");
        Message message = Scene.message(topic, "body");
        message.setDelayTimeLevel(18);
        boolean isRefused = false;
        try {
            producer.send(message, LocalTransactionState.COMMIT_MESSAGE);
        } catch (MQClientException refusal) {
            Check.that(refusal.getMessage().contains("delayed delivery"), refusal.getMessage());
            isRefused = true;
        }
        scene.send(topic, null, "plain", 1);
        inbox.awaitExactly(isRefused ? List.of("plain0") : List.of("body", "plain0"));
    }

    private TransactionCases() {
    }
}
