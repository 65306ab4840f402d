package org.roxmq.compat;

import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Frames with JSON headers, one request at a time. */
final class RawConnection implements AutoCloseable {
    private final Socket socket;
    private final DataOutputStream out;
    private final DataInputStream in;
    private int opaque;

    RawConnection(String address) throws Exception {
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
        int bodyAt = 4 + headerLength;
        return new Answer(new String(frame, 4, headerLength, StandardCharsets.UTF_8),
            new String(frame, bodyAt, frame.length - bodyAt, StandardCharsets.UTF_8));
    }

    @Override
    public void close() throws Exception {
        socket.close();
    }

    static final class Answer {
        final int code;
        final String body;
        private final String header;

        Answer(String header, String body) {
            this.header = header;
            this.body = body;
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
}
