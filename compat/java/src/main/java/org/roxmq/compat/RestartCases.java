package org.roxmq.compat;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicBoolean;
import org.apache.rocketmq.client.consumer.DefaultMQPullConsumer;
import org.apache.rocketmq.client.producer.SendResult;
import org.apache.rocketmq.client.producer.SendStatus;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageQueue;

/** Messages, topics and offsets outlive the broker's process, and running clients find it again by themselves. */
final class RestartCases {
    static final List<Case> ALL = List.of(
        Case.of("restart-clean", scene -> restart(scene, true)).alone(),
        Case.of("restart-after-kill", scene -> restart(scene, false)).alone(),
        Case.of("restart-while-sending", RestartCases::whileSending).alone());

    private static void restart(Scene scene, boolean clean) throws Exception {
        String topic = scene.createdTopic(3);
        String group = scene.group();
        List<String> first = scene.send(topic, "tag", "first", 30);
        Message keyed = Scene.message(topic, "keyed");
        keyed.setKeys("key");
        SendResult sent = scene.producer().send(keyed);
        first.add("keyed");
        Inbox stopped = scene.receive(group, topic, "*");
        stopped.awaitExactly(first);
        stopped.consumer.shutdown();
        Inbox running = scene.receive(scene.group(), topic, "*");
        running.awaitExactly(first);
        DefaultMQPullConsumer reader = scene.pull(group);
        Scene.until("committed offsets", () -> committed(reader, group, topic) == 31);
        // Being a member of the group, it would get queues of its own.
        reader.shutdown();

        if (clean) {
            Scene.control("restart-broker");
        } else {
            Scene.control("kill-broker");
            Scene.control("start-broker");
        }

        Scene.until("a send", () -> sends(scene, topic, "second"));
        Check.equal(3, scene.producer().fetchPublishMessageQueues(topic).size(), "queues");
        List<String> both = new ArrayList<>(first);
        both.add("second");
        running.awaitAll(both);
        Check.equal("keyed", Scene.text(scene.producer().viewMessage(topic, sent.getOffsetMsgId())), "message of an offset id");
        Scene.until("the index", () -> {
            try {
                return scene.producer().queryMessage(topic, "key", 8, 0, Long.MAX_VALUE).getMessageList().size() == 1;
            } catch (org.apache.rocketmq.client.exception.MQClientException notYet) {
                return false;
            }
        });
        long total = 0;
        for (int queue = 0; queue < 3; queue++) {
            total += scene.producer().maxOffset(Scene.queue(topic, queue));
        }
        // What arrived above is in the queues. A send that was tried again may be there twice.
        Check.within(32, 34, total, "messages");
        DefaultMQPullConsumer readerAfter = scene.pull(group);
        long committedAfter = committed(readerAfter, group, topic);
        readerAfter.shutdown();
        if (clean) {
            Check.equal(31L, committedAfter, "committed offsets");
            Inbox again = scene.receive(group, topic, "*");
            again.awaitAll(List.of("second"));
            Check.equal(1L, again.bodies().stream().distinct().count(), "messages after the restart");
        } else {
            // Java writes offsets every 5 s: older ones are allowed here, newer ones never.
            Check.within(0, 31, committedAfter, "committed offsets");
            scene.receive(group, topic, "*").awaitAll(List.of("second"));
        }
    }

    private static boolean sends(Scene scene, String topic, String body) {
        try {
            return scene.producer().send(Scene.message(topic, body)).getSendStatus() == SendStatus.SEND_OK;
        } catch (Exception notYet) {
            return false;
        }
    }

    private static long committed(DefaultMQPullConsumer reader, String group, String topic) throws Exception {
        long total = 0;
        for (MessageQueue queue : reader.fetchSubscribeMessageQueues(topic)) {
            total += Math.max(0, reader.fetchConsumeOffset(queue, true));
        }
        return total;
    }

    private static void whileSending(Scene scene) throws Exception {
        String topic = scene.createdTopic(4);
        Inbox inbox = scene.receive(scene.group(), topic, "*");
        List<String> accepted = new ArrayList<>();
        AtomicBoolean stop = new AtomicBoolean();
        Thread sending = new Thread(() -> {
            for (int number = 0; !stop.get(); number++) {
                if (sends(scene, topic, "body" + number)) {
                    synchronized (accepted) {
                        accepted.add("body" + number);
                    }
                }
            }
        });
        sending.start();
        try {
            for (String how : List.of("clean", "kill")) {
                int before = size(accepted);
                Scene.until("sends", () -> size(accepted) > before + 100);
                if (how.equals("clean")) {
                    Scene.control("restart-broker");
                } else {
                    Scene.control("kill-broker");
                    Scene.control("start-broker");
                }
            }
            int before = size(accepted);
            Scene.until("sends after the restarts", () -> size(accepted) > before + 100);
        } finally {
            stop.set(true);
            sending.join();
        }
        inbox.awaitAll(accepted);
    }

    private static int size(List<String> list) {
        synchronized (list) {
            return list.size();
        }
    }

    private RestartCases() {
    }
}
