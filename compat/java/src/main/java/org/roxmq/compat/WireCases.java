package org.roxmq.compat;

import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Requests that the Java client never sends, because it checks first, and other clients may. */
final class WireCases {
    static final List<Case> ALL = List.of(
        Case.of("wire-unknown-code", WireCases::unknownCode),
        Case.of("wire-pull-below-the-start", WireCases::pullBelowStart),
        Case.of("wire-send-names", WireCases::sendNames));

    private static void unknownCode(Scene scene) throws Exception {
        for (String address : List.of(Scene.BROKER_ADDRESS, Scene.NAMESERVERS)) {
            try (Connection connection = new Connection(address)) {
                Check.equal(3, connection.ask(31_999, Map.of()).code, "code of the answer to an unknown request");
                Check.equal(3, connection.ask(31_998, Map.of()).code, "code of the next answer on the same connection");
            }
        }
    }

    private static void pullBelowStart(Scene scene) throws Exception {
        String topic = scene.createdTopic(1);
        scene.send(topic, null, "body", 5);
        scene.awaitStored(topic, 1, 5);
        try (Connection connection = new Connection(Scene.BROKER_ADDRESS)) {
            Answer answer = connection.ask(11, pull(scene.group(), topic, -5));
            Check.equal(21, answer.code, "code");
            Check.equal("0", answer.field("nextBeginOffset"), "next offset");
            Check.equal("0", answer.field("minOffset"), "smallest offset");
            Check.equal("5", answer.field("maxOffset"), "largest offset");
        }
    }

    private static Map<String, String> pull(String group, String topic, long offset) {
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
        try (Connection connection = new Connection(Scene.BROKER_ADDRESS)) {
            Check.equal(29, connection.ask(310, send("not!allowed"), "body").code, "code for a topic with a strange character");
            Check.equal(29, connection.ask(310, send("T".repeat(128)), "body").code, "code for a topic name of 128 bytes");
            Check.equal(16, connection.ask(310, send("SCHEDULE_TOPIC_XXXX"), "body").code, "code for an internal topic");
            Map<String, String> withoutPattern = send(scene.topic());
            withoutPattern.put("c", "NO_SUCH_PATTERN");
            Check.equal(17, connection.ask(310, withoutPattern, "body").code, "code for an unknown topic");
            Answer accepted = connection.ask(310, send(scene.topic()), "body");
            Check.equal(0, accepted.code, "code of a good send");
            Check.equal("0", accepted.field("queueOffset"), "queue offset");
        }
    }

    /** The one-letter names of SendMessageRequestHeaderV2. */
    private static Map<String, String> send(String topic) {
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

    private static final class Answer {
        final int code;
        private final String header;

        Answer(String header) {
            this.header = header;
            this.code = Integer.parseInt(find("\"code\":(-?\\d+)"));
        }

        String field(String name) {
            return find("\"" + name + "\":\"([^\"]*)\"");
        }

        private String find(String pattern) {
            Matcher matcher = Pattern.compile(pattern).matcher(header);
            Check.that(matcher.find(), "no " + pattern + " in " + header);
            return matcher.group(1);
        }
    }

    /** Frames with JSON headers, one request at a time. */
    private static final class Connection implements AutoCloseable {
        private final Socket socket;
        private final DataOutputStream out;
        private final DataInputStream in;
        private int opaque;

        Connection(String address) throws Exception {
            int colon = address.lastIndexOf(':');
            socket = new Socket(address.substring(0, colon), Integer.parseInt(address.substring(colon + 1)));
            socket.setSoTimeout(20_000);
            out = new DataOutputStream(socket.getOutputStream());
            in = new DataInputStream(socket.getInputStream());
        }

        Answer ask(int code, Map<String, String> fields) throws Exception {
            return ask(code, fields, "");
        }

        Answer ask(int code, Map<String, String> fields, String body) throws Exception {
            StringBuilder json = new StringBuilder("{\"code\":" + code + ",\"flag\":0,\"language\":\"JAVA\",\"opaque\":" + ++opaque
                + ",\"serializeTypeCurrentRPC\":\"JSON\",\"version\":513,\"extFields\":{");
            String separator = "";
            for (Map.Entry<String, String> field : fields.entrySet()) {
                json.append(separator).append('"').append(field.getKey()).append("\":\"").append(field.getValue()).append('"');
                separator = ",";
            }
            byte[] header = json.append("}}").toString().getBytes(StandardCharsets.UTF_8);
            byte[] bytes = Scene.bytes(body);
            out.writeInt(4 + header.length + bytes.length);
            out.writeInt(header.length);
            out.write(header);
            out.write(bytes);
            out.flush();
            byte[] frame = new byte[in.readInt()];
            in.readFully(frame);
            int headerLength = ((frame[1] & 0xFF) << 16) | ((frame[2] & 0xFF) << 8) | (frame[3] & 0xFF);
            return new Answer(new String(frame, 4, headerLength, StandardCharsets.UTF_8));
        }

        @Override
        public void close() throws Exception {
            socket.close();
        }
    }

    private WireCases() {
    }
}
