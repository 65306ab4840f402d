package org.roxmq.compat;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.consumer.listener.ConsumeConcurrentlyStatus;
import org.apache.rocketmq.client.consumer.listener.MessageListenerConcurrently;
import org.apache.rocketmq.client.exception.MQBrokerException;
import org.apache.rocketmq.client.exception.MQClientException;
import org.apache.rocketmq.client.exception.RequestTimeoutException;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.client.producer.RequestCallback;
import org.apache.rocketmq.client.utils.MessageUtil;
import org.apache.rocketmq.common.consumer.ConsumeFromWhere;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageExt;

/** Questions that are messages and answers that find the way back to who asked. */
final class RequestReplyCases {
    static final List<Case> ALL = List.of(
        Case.of("request-reply", RequestReplyCases::answered).binaryToo(),
        Case.of("request-without-reply", RequestReplyCases::unanswered));

    /** Long enough for a broker that has just started to look after everything else first. */
    private static final int PATIENCE_MS = 30_000;

    /** Answers each message whose body does not begin with `ignore`. */
    private static List<MessageExt> answering(Scene scene, String topic) throws Exception {
        List<MessageExt> questions = Collections.synchronizedList(new ArrayList<>());
        DefaultMQProducer producer = scene.newProducer();
        DefaultMQPushConsumer consumer = scene.push(scene.group());
        consumer.setConsumeFromWhere(ConsumeFromWhere.CONSUME_FROM_FIRST_OFFSET);
        consumer.subscribe(topic, "*");
        consumer.registerMessageListener((MessageListenerConcurrently) (messages, context) -> {
            MessageExt question = messages.get(0);
            questions.add(question);
            if (!Scene.text(question).startsWith("ignore")) {
                try {
                    Message answer = MessageUtil.createReplyMessage(question, Scene.bytes("answer to " + Scene.text(question)));
                    answer.putUserProperty("colour", "红");
                    producer.send(answer);
                } catch (Exception failure) {
                    return ConsumeConcurrentlyStatus.RECONSUME_LATER;
                }
            }
            return ConsumeConcurrentlyStatus.CONSUME_SUCCESS;
        });
        consumer.start();
        return questions;
    }

    private static final class Callback implements RequestCallback {
        final Map<String, String> answers = new ConcurrentHashMap<>();
        final List<Throwable> failures = Collections.synchronizedList(new ArrayList<>());

        @Override
        public void onSuccess(Message answer) {
            answers.put(Scene.text(answer), answer.getUserProperty("colour"));
        }

        @Override
        public void onException(Throwable failure) {
            failures.add(failure);
        }
    }

    private static void answered(Scene scene) throws Exception {
        String topic = scene.createdTopic(2);
        List<MessageExt> questions = answering(scene, topic);
        Message answer = scene.producer().request(Scene.message(topic, "question"), PATIENCE_MS);
        Check.equal("answer to question", Scene.text(answer), "answer");
        Check.equal("红", answer.getUserProperty("colour"), "property of the answer");
        MessageExt question = questions.get(0);
        Check.equal(String.valueOf(PATIENCE_MS), question.getProperty("TTL"), "time the question lives");
        Check.equal(question.getProperty("CORRELATION_ID"), answer.getProperty("CORRELATION_ID"), "correlation of the answer");
        Check.equal("reply", answer.getProperty("MSG_TYPE"), "type of the answer");

        answer = scene.producer().request(Scene.message(topic, "to a queue"), Scene.queue(topic, 1), PATIENCE_MS);
        Check.equal("answer to to a queue", Scene.text(answer), "answer");
        answer = scene.producer().request(Scene.message(topic, "selected"), (queues, message, argument) -> queues.get(1), null, PATIENCE_MS);
        Check.equal("answer to selected", Scene.text(answer), "answer");
        Check.that(questions.subList(1, 3).stream().allMatch(each -> each.getQueueId() == 1), "not in queue 1");

        // Many at once: everyone gets the own answer.
        Callback callback = new Callback();
        DefaultMQProducer other = scene.newProducer();
        for (int number = 0; number < 50; number++) {
            (number % 2 == 0 ? scene.producer() : other).request(Scene.message(topic, "number " + number), callback, PATIENCE_MS);
        }
        Scene.until("50 answers", () -> callback.answers.size() + callback.failures.size() == 50);
        Check.equal(List.of(), callback.failures, "failures");
        for (int number = 0; number < 50; number++) {
            Check.equal("红", callback.answers.get("answer to number " + number), "property of answer " + number);
        }
    }

    /** Nobody answers, in time or at all: the caller is told when its patience ends. */
    private static void unanswered(Scene scene) throws Exception {
        String topic = scene.createdTopic(1);
        List<MessageExt> questions = answering(scene, topic);
        scene.producer().request(Scene.message(topic, "first"), PATIENCE_MS);
        long before = System.currentTimeMillis();
        try {
            Message answer = scene.producer().request(Scene.message(topic, "ignore"), 2_000);
            throw new Check.Failed("answered: " + Scene.text(answer));
        } catch (RequestTimeoutException late) {
            Check.within(2_000, PATIENCE_MS, System.currentTimeMillis() - before, "milliseconds until it was given up");
        }
        Callback callback = new Callback();
        scene.producer().request(Scene.message(topic, "ignore as well"), callback, 2_000);
        Scene.until("the end of the wait", () -> callback.failures.size() == 1);
        Check.that(callback.failures.get(0) instanceof RequestTimeoutException, "failed with " + callback.failures.get(0));
        Scene.until("the questions", () -> questions.size() == 3);

        // An answer nobody waits for any more does no harm, and who is gone cannot be answered.
        DefaultMQProducer gone = scene.newProducer();
        gone.request(Scene.message(topic, "before"), PATIENCE_MS);
        MessageExt late = questions.get(3);
        scene.newProducer().send(MessageUtil.createReplyMessage(late, Scene.bytes("once more")));
        gone.shutdown();
        // Its connection ends a moment later; until then the broker may still find it.
        DefaultMQProducer answering = scene.newProducer();
        Scene.until("a refusal", () -> {
            try {
                answering.send(MessageUtil.createReplyMessage(late, Scene.bytes("too late")));
                return false;
            } catch (MQBrokerException refusal) {
                Check.equal(1, refusal.getResponseCode(), refusal.getErrorMessage());
            } catch (MQClientException refusal) {
                Check.equal(1, refusal.getResponseCode(), refusal.getErrorMessage());
            }
            return true;
        });
        Check.equal("answer to last", Scene.text(scene.producer().request(Scene.message(topic, "last"), PATIENCE_MS)), "answer");
    }

    private RequestReplyCases() {
    }
}
