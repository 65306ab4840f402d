package org.roxmq.compat;

import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import org.apache.rocketmq.client.producer.LocalTransactionState;
import org.apache.rocketmq.client.producer.TransactionListener;
import org.apache.rocketmq.client.producer.TransactionMQProducer;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageExt;

/** Half messages: committed, rolled back, and left open until the broker asks. */
final class TransactionCase {
    static void run(Scene scene) throws Exception {
        String topic = scene.createdTopic(1);
        Map<String, Boolean> asked = new ConcurrentHashMap<>();
        TransactionMQProducer producer = new TransactionMQProducer(scene.group());
        producer.setNamesrvAddr(Scene.NAMESERVERS);
        producer.setInstanceName("transaction");
        producer.setSendMsgTimeout(10_000);
        producer.setTransactionListener(new TransactionListener() {
            @Override
            public LocalTransactionState executeLocalTransaction(Message message, Object argument) {
                return LocalTransactionState.valueOf((String) argument);
            }

            @Override
            public LocalTransactionState checkLocalTransaction(MessageExt message) {
                asked.put(Scene.text(message), true);
                return LocalTransactionState.COMMIT_MESSAGE;
            }
        });
        Inbox inbox = scene.receive(scene.group(), topic, "*");
        producer.start();
        try {
            producer.sendMessageInTransaction(Scene.message(topic, "rolled back"), "ROLLBACK_MESSAGE");
            producer.sendMessageInTransaction(Scene.message(topic, "committed"), "COMMIT_MESSAGE");
            inbox.awaitExactly(List.of("committed"));
            producer.sendMessageInTransaction(Scene.message(topic, "open"), "UNKNOW");
            // Asked 6 s after the send at the earliest, in rounds of 30 s.
            Scene.until("the broker's question", 90, () -> asked.containsKey("open"));
            inbox.awaitExactly(List.of("committed", "open"));
        } finally {
            producer.shutdown();
        }
    }

    private TransactionCase() {
    }
}
