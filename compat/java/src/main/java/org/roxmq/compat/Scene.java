package org.roxmq.compat;

import java.io.ByteArrayOutputStream;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.nio.charset.StandardCharsets;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.Callable;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.rocketmq.client.ClientConfig;
import org.apache.rocketmq.client.consumer.DefaultLitePullConsumer;
import org.apache.rocketmq.client.consumer.DefaultMQPullConsumer;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.client.producer.TransactionListener;
import org.apache.rocketmq.client.producer.TransactionMQProducer;
import org.apache.rocketmq.common.consumer.ConsumeFromWhere;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageExt;
import org.apache.rocketmq.common.message.MessageQueue;
import org.apache.rocketmq.tools.admin.DefaultMQAdminExt;

/** What a case works with: its own names and clients (shut down when it ends), bounded waits, and the control of the servers. */
final class Scene implements AutoCloseable {
    static final String NAMESERVERS = variable("NAMESRV_ADDR");
    static final String BROKER = variable("COMPAT_BROKER_NAME");
    static final String BROKER_ADDRESS = variable("COMPAT_BROKER_ADDR");
    static final String CLUSTER = variable("COMPAT_CLUSTER_NAME");
    static final boolean AGAINST_JAVA = variable("COMPAT_TARGET").equals("java");
    /** How long a wait lasts when a case says nothing else. Far above what is normal: two processors run many things here. */
    static final int SECONDS = 45;

    /** The client's setting for how often it looks for queues that it should have, in milliseconds. */
    private static final String REBALANCE = "rocketmq.client.rebalance.waitInterval";
    private static final AtomicInteger INSTANCES = new AtomicInteger();
    private final String name;
    private final Deque<AutoCloseable> open = new ArrayDeque<>();
    private int names;
    private DefaultMQProducer producer;
    private DefaultMQAdminExt admin;

    Scene(String name) {
        this.name = name;
    }

    // Names. A second virtual machine of the same run must not meet the first one's.

    String topic() {
        return unique("T");
    }

    String group() {
        return unique("G");
    }

    private synchronized String unique(String kind) {
        String binary = Boolean.getBoolean("compat.binary") ? "b" : "";
        return kind + "_" + variable("COMPAT_RUN") + binary + "_" + name + "_" + names++;
    }

    // Clients.

    /** The case's producer, started at first use. */
    synchronized DefaultMQProducer producer() throws Exception {
        if (producer == null) {
            producer = newProducer();
        }
        return producer;
    }

    DefaultMQProducer newProducer() throws Exception {
        DefaultMQProducer made = new DefaultMQProducer(group());
        configure(made);
        // The default of 3 s is for networks; here other cases take the processors.
        made.setSendMsgTimeout(10_000);
        made.start();
        closing(made::shutdown);
        return made;
    }

    /** Started. */
    TransactionMQProducer transactionProducer(String group, TransactionListener listener) throws Exception {
        TransactionMQProducer made = new TransactionMQProducer(group);
        configure(made);
        made.setSendMsgTimeout(10_000);
        made.setTransactionListener(listener);
        made.start();
        closing(made::shutdown);
        return made;
    }

    synchronized DefaultMQAdminExt admin() throws Exception {
        if (admin == null) {
            DefaultMQAdminExt made = new DefaultMQAdminExt(10_000);
            made.setAdminExtGroup(group());
            configure(made);
            made.start();
            closing(made::shutdown);
            admin = made;
        }
        return admin;
    }

    /** Not started. */
    DefaultMQPushConsumer push(String group) {
        return prepared(new DefaultMQPushConsumer(group));
    }

    /** Configured like the other clients, and shut down with them. Not started. */
    <C extends ClientConfig> C prepared(C client) {
        configure(client);
        closing(client instanceof DefaultMQProducer ? ((DefaultMQProducer) client)::shutdown : ((DefaultMQPushConsumer) client)::shutdown);
        return client;
    }

    /** Started, everything it receives in the inbox. */
    Inbox receive(String group, String topic, String expression) throws Exception {
        DefaultMQPushConsumer consumer = push(group);
        // With the default, Java loses a message that reaches an empty queue while a new group asks where to begin.
        consumer.setConsumeFromWhere(ConsumeFromWhere.CONSUME_FROM_FIRST_OFFSET);
        consumer.subscribe(topic, expression);
        Inbox inbox = new Inbox(consumer);
        consumer.start();
        return inbox;
    }

    /** Started. */
    DefaultMQPullConsumer pull(String group) throws Exception {
        DefaultMQPullConsumer made = new DefaultMQPullConsumer(group);
        configure(made);
        made.start();
        closing(made::shutdown);
        return made;
    }

    /** Not started. */
    DefaultLitePullConsumer litePull(String group) {
        DefaultLitePullConsumer made = new DefaultLitePullConsumer(group);
        configure(made);
        closing(made::shutdown);
        return made;
    }

    private static void configure(ClientConfig client) {
        client.setNamesrvAddr(NAMESERVERS);
        // Clients with the same instance name would share connections and be one member of their groups.
        // The virtual machine with binary headers runs at the same time, and a reply finds its client by this name.
        client.setInstanceName((Boolean.getBoolean("compat.binary") ? "binary" : "case") + INSTANCES.incrementAndGet());
        // The defaults of 30 s make clients of 4.x wait that long after a broker's restart.
        client.setPollNameServerInterval(1_000);
        client.setHeartbeatBrokerInterval(5_000);
    }

    private synchronized void closing(AutoCloseable client) {
        open.push(client);
    }

    @Override
    public synchronized void close() throws Exception {
        while (!open.isEmpty()) {
            open.pop().close();
        }
    }

    // Topics.

    /** A topic with that many queues, created with the client's own call; returns when clients see it. */
    String createdTopic(int queues) throws Exception {
        String topic = topic();
        createTopic(topic, queues);
        return topic;
    }

    void createTopic(String topic, int queues) throws Exception {
        // Since 5.0 the call takes attributes as well.
        Method fits = null;
        for (Method method : DefaultMQProducer.class.getMethods()) {
            List<Class<?>> parameters = List.of(method.getParameterTypes());
            boolean plain = parameters.equals(List.of(String.class, String.class, int.class));
            boolean attributes = parameters.equals(List.of(String.class, String.class, int.class, Map.class));
            if (method.getName().equals("createTopic") && (plain || attributes)) {
                fits = method;
            }
        }
        Check.that(fits != null, "this client cannot create topics");
        Method create = fits;
        Throwable[] last = new Throwable[1];
        try {
            // The client waits three seconds for the answer and no longer, which is not much on a busy machine.
            until("the topic " + topic, () -> {
                try {
                    if (create.getParameterCount() == 3) {
                        create.invoke(producer(), "TBW102", topic, queues);
                    } else {
                        create.invoke(producer(), "TBW102", topic, queues, new HashMap<String, String>());
                    }
                    return true;
                } catch (InvocationTargetException wrapped) {
                    last[0] = wrapped.getCause();
                    return false;
                }
            });
        } catch (Check.Failed late) {
            throw new Check.Failed(late.getMessage() + ": " + last[0]);
        }
        until("a route of " + topic + " with " + queues + " queues", () -> queuesOf(topic).size() >= queues);
    }

    private List<MessageQueue> queuesOf(String topic) {
        try {
            return producer().fetchPublishMessageQueues(topic);
        } catch (Exception unknownYet) {
            return List.of();
        }
    }

    /** Waits until readers see that many messages: queues are written behind the log. */
    void awaitStored(String topic, int queues, long count) throws Exception {
        until(count + " messages in the queues", () -> stored(topic, queues) >= count);
        Check.equal(count, stored(topic, queues), "messages in the queues");
    }

    private long stored(String topic, int queues) throws Exception {
        long total = 0;
        for (int id = 0; id < queues; id++) {
            total += producer().maxOffset(queue(topic, id));
        }
        return total;
    }

    /** Waits until the broker knows that a group has consumed that many messages; clients tell it without waiting for an answer. */
    void awaitCommitted(String group, String topic, long count) throws Exception {
        StringBuilder last = new StringBuilder();
        try {
            until(count + " messages committed", () -> {
                long total = 0;
                last.setLength(0);
                for (var queue : admin().examineConsumeStats(group, topic).getOffsetTable().entrySet()) {
                    long committed = queue.getValue().getConsumerOffset();
                    total += Math.max(0, committed);
                    last.append(' ').append(queue.getKey().getQueueId()).append(':').append(committed);
                }
                return total == count;
            });
        } catch (Check.Failed late) {
            throw new Check.Failed(late.getMessage() + "; queues:" + last);
        }
    }

    static MessageQueue queue(String topic, int id) {
        return new MessageQueue(topic, BROKER, id);
    }

    // Messages.

    static Message message(String topic, String body) {
        return new Message(topic, bytes(body));
    }

    static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    static String text(Message message) {
        return new String(message.getBody(), StandardCharsets.UTF_8);
    }

    /** The id that says where the broker has the message. */
    static String offsetId(MessageExt message) {
        try {
            // The message that a query returns has it as its id, a consumed one beside its id.
            return (String) message.getClass().getMethod("getOffsetMsgId").invoke(message);
        } catch (ReflectiveOperationException plain) {
            return message.getMsgId();
        }
    }

    /** Sends bodies `prefix0`, `prefix1`, ... and returns them. */
    List<String> send(String topic, String tags, String prefix, int count) throws Exception {
        List<String> bodies = new ArrayList<>();
        for (int number = 0; number < count; number++) {
            Message message = message(topic, prefix + number);
            message.setTags(tags);
            producer().send(message);
            bodies.add(prefix + number);
        }
        return bodies;
    }

    /** Bytes that no compression makes smaller, the same at each call. */
    static byte[] noise(int length) {
        byte[] bytes = new byte[length];
        new Random(length).nextBytes(bytes);
        return bytes;
    }

    /** Text that compresses well. */
    static byte[] prose(int length) {
        ByteArrayOutputStream text = new ByteArrayOutputStream();
        for (int line = 0; text.size() < length; line++) {
            text.writeBytes(bytes("line " + line + " of a long message, 一行中文\n"));
        }
        return java.util.Arrays.copyOf(text.toByteArray(), length);
    }

    // Waits.

    static void until(String what, Callable<Boolean> condition) throws Exception {
        until(what, SECONDS, condition);
    }

    static void until(String what, int seconds, Callable<Boolean> condition) throws Exception {
        long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(seconds);
        while (!condition.call()) {
            Check.that(System.nanoTime() < deadline, "not within " + seconds + " s: " + what);
            Thread.sleep(20);
        }
    }

    // Servers.

    static void startServersAgain() throws Exception {
        for (String line : control("status").split("\n")) {
            String[] words = line.trim().split(" ");
            if (words.length == 3 && words[2].equals("stopped")) {
                control(words[0].startsWith("broker") ? "start-broker" : "start-nameserver", words[0]);
            }
        }
    }

    static String control(String... words) throws Exception {
        List<String> command = new ArrayList<>(List.of(variable("COMPAT_CONTROL")));
        command.addAll(List.of(words));
        Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
        String said = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        Check.equal(0, process.waitFor(), String.join(" ", words) + " (" + said.trim() + ")");
        return said;
    }

    /** This program once more. */
    static ProcessBuilder virtualMachine(List<String> options, List<String> arguments) {
        List<String> command = new ArrayList<>();
        command.add(System.getProperty("java.home") + "/bin/java");
        command.add("-Duser.home=" + System.getProperty("user.home"));
        command.add("-Drocketmq.client.localOffsetStoreDir=" + System.getProperty("rocketmq.client.localOffsetStoreDir"));
        command.add("-D" + REBALANCE + "=" + System.getProperty(REBALANCE));
        command.addAll(options);
        command.addAll(List.of("-cp", System.getProperty("java.class.path"), Main.class.getName()));
        command.addAll(arguments);
        return new ProcessBuilder(command);
    }

    private static String variable(String name) {
        String value = System.getenv(name);
        if (value == null) {
            throw new IllegalStateException(name + " is not set; `cargo xtask compat` sets it");
        }
        return value;
    }
}
