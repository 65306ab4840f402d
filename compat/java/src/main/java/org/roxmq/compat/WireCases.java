package org.roxmq.compat;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Requests that the Java client never sends, because it checks first, and other clients may. */
final class WireCases {
    static final List<Case> ALL = List.of(
        Case.of("wire-unknown-code", WireCases::unknownCode),
        Case.of("wire-pull-below-the-start", WireCases::pullBelowStart),
        Case.of("wire-send-names", WireCases::sendNames));

    private static void unknownCode(Scene scene) throws Exception {
        for (String address : List.of(Scene.BROKER_ADDRESS, Scene.NAMESERVERS)) {
            try (RawConnection connection = new RawConnection(address)) {
                Check.equal(3, connection.ask(31_999, Map.of()).code, "code of the answer to an unknown request");
                Check.equal(3, connection.ask(31_998, Map.of()).code, "code of the next answer on the same connection");
            }
        }
    }

    private static void pullBelowStart(Scene scene) throws Exception {
        String topic = scene.createdTopic(1);
        scene.send(topic, null, "body", 5);
        scene.awaitStored(topic, 1, 5);
        try (RawConnection connection = new RawConnection(Scene.BROKER_ADDRESS)) {
            RawConnection.Answer answer = connection.ask(11, pull(scene.group(), topic, -5));
            Check.equal(21, answer.code, "code");
            Check.equal("0", answer.field("nextBeginOffset"), "next offset");
            Check.equal("0", answer.field("minOffset"), "smallest offset");
            Check.equal("5", answer.field("maxOffset"), "largest offset");
        }
    }

    static Map<String, String> pull(String group, String topic, long offset) {
        Map<String, String> fields = new LinkedHashMap<>();
        fields.put("consumerGroup", group);
        fields.put("topic", topic);
        fields.put("queueId", "0");
        fields.put("queueOffset", String.valueOf(offset));
        fields.put("maxMsgNums", "32");
        // The subscription comes with the request.
        fields.put("sysFlag", "4");
        fields.put("commitOffset", "0");
        fields.put("suspendTimeoutMillis", "0");
        fields.put("subscription", "*");
        fields.put("subVersion", "0");
        fields.put("expressionType", "TAG");
        return fields;
    }

    private static void sendNames(Scene scene) throws Exception {
        try (RawConnection connection = new RawConnection(Scene.BROKER_ADDRESS)) {
            Check.equal(29, connection.ask(310, send("not!allowed"), "body").code, "code for a topic with a strange character");
            Check.equal(29, connection.ask(310, send("T".repeat(128)), "body").code, "code for a topic name of 128 bytes");
            Check.equal(16, connection.ask(310, send("SCHEDULE_TOPIC_XXXX"), "body").code, "code for an internal topic");
            Map<String, String> withoutPattern = send(scene.topic());
            withoutPattern.put("c", "NO_SUCH_PATTERN");
            Check.equal(17, connection.ask(310, withoutPattern, "body").code, "code for an unknown topic");
            RawConnection.Answer accepted = connection.ask(310, send(scene.topic()), "body");
            Check.equal(0, accepted.code, "code of a good send");
            Check.equal("0", accepted.field("queueOffset"), "queue offset");
        }
    }

    /** The one-letter names of SendMessageRequestHeaderV2. */
    static Map<String, String> send(String topic) {
        Map<String, String> fields = new LinkedHashMap<>();
        fields.put("a", "wire");
        fields.put("b", topic);
        fields.put("c", "TBW102");
        fields.put("d", "4");
        fields.put("e", "0");
        fields.put("f", "0");
        fields.put("g", String.valueOf(System.currentTimeMillis()));
        fields.put("h", "0");
        fields.put("i", "");
        fields.put("j", "0");
        fields.put("k", "false");
        fields.put("m", "false");
        return fields;
    }

    private WireCases() {
    }
}
