import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.Paths;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.apache.rocketmq.common.MixAll;
import org.apache.rocketmq.remoting.protocol.body.ClusterInfo;
import org.apache.rocketmq.tools.admin.DefaultMQAdminExt;
import org.apache.rocketmq.tools.command.MQAdminStartup;

/**
 * Does every command of mqadmin print what it prints with the Java RocketMQ?
 *
 * <p>Runs the commands of scenario.txt one after the other in this process through the real entry point of the tools, and compares the normalised
 * output with expected/NAME.txt (expected/NAME.roxmq.txt where the difference is intended). {@code --record} writes those files instead, from Java only;
 * {@code --scenario NAME} takes the commands of NAME.txt.
 */
public final class Suite {
    private static final PrintStream CONSOLE = System.out;
    private static final PrintStream ERRORS = System.err;
    private static final int COMMAND_SECONDS_MAX = 40;
    private static final int WHY_CHARACTERS_MAX = 3000;
    private static final int SETTLE_SECONDS_MAX = 20;

    private final Path folder = Paths.get(System.getProperty("suite.folder"));
    private final boolean record;
    private final String scenario;
    private final boolean againstJava;
    private final Map<String, String> variables = new HashMap<>();
    private final Normal normal = new Normal();
    private LiveClients clients;
    private int passed;
    private int failed;

    public static void main(String[] args) throws Exception {
        List<String> steps = new ArrayList<>(List.of(args));
        boolean record = steps.remove("--record");
        steps.remove("cluster");
        int named = steps.indexOf("--scenario");
        String scenario = "scenario";
        if (named >= 0) {
            steps.remove(named);
            scenario = steps.remove(named);
        }
        int status = new Suite(record, scenario).run(steps);
        CONSOLE.flush();
        Runtime.getRuntime().halt(status);
    }

    private Suite(boolean record, String scenario) {
        this.record = record;
        this.scenario = scenario;
        this.againstJava = "java".equals(System.getenv("COMPAT_TARGET"));
        if (record && !againstJava) {
            throw new IllegalArgumentException("expectations are recorded from Java only: COMPAT_TARGET=java");
        }
    }

    private int run(List<String> wanted) throws Exception {
        String nameserver = System.getenv("NAMESRV_ADDR");
        String run = System.getenv().getOrDefault("COMPAT_RUN", "r" + Long.toString(System.currentTimeMillis(), 36));
        System.setProperty(MixAll.NAMESRV_ADDR_PROPERTY, nameserver);
        DefaultMQAdminExt admin = new DefaultMQAdminExt(10_000);
        admin.setInstanceName("suite");
        admin.setNamesrvAddr(nameserver);
        admin.start();
        ClusterInfo cluster = admin.examineBrokerClusterInfo();
        String brokerName = cluster.getBrokerAddrTable().keySet().stream().sorted().findFirst()
            .orElseThrow(() -> new IllegalStateException("no broker is registered"));
        String broker = cluster.getBrokerAddrTable().get(brokerName).selectBrokerAddr();

        variables.put("RUN", run);
        variables.put("NAMESRV", nameserver);
        variables.put("BROKER", broker);
        variables.put("BROKER_NAME", brokerName);
        variables.put("CLUSTER", cluster.getBrokerAddrTable().get(brokerName).getCluster());
        variables.put("FOLDER", Paths.get("").toAbsolutePath().toString());
        normal.word(variables.get("FOLDER"), "FOLDER");
        normal.word(nameserver, "NAMESERVER");
        normal.word(broker, "BROKER");
        normal.word(run + "_", "RUN_");
        clients = new LiveClients(nameserver, brokerName, variables, admin);

        for (Scenario.Step step : Scenario.read(folder.resolve(scenario + ".txt"))) {
            if (step.isAction()) {
                action(step);
            } else if (wanted.isEmpty() || wanted.stream().anyMatch(step.name::contains)) {
                compare(step);
            } else {
                execute(step); // later steps may build on it
            }
        }
        CONSOLE.println(passed + " passed, " + failed + " failed");
        return failed == 0 && passed > 0 ? 0 : 1;
    }

    /** Live clients are part of every later expectation: without one the suite stops counting on itself and says so. */
    private void action(Scenario.Step step) {
        try {
            clients.act(words(step.command));
        } catch (Exception e) {
            fail(step.name, String.valueOf(e));
        }
    }

    private void compare(Scenario.Step step) throws Exception {
        Path expectation = folder.resolve("expected").resolve(step.name + ".txt");
        if (record) {
            Files.writeString(expectation, settled(step));
            CONSOLE.println("PASS " + step.name + " (recorded)");
            passed++;
            return;
        }
        Path intended = folder.resolve("expected").resolve(step.name + ".roxmq.txt");
        String expected = Files.readString(!againstJava && Files.exists(intended) ? intended : expectation);
        String seen = execute(step);
        long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(SETTLE_SECONDS_MAX);
        while (step.settle && !seen.equals(expected) && System.nanoTime() < deadline) {
            Thread.sleep(200);
            seen = execute(step);
        }
        if (seen.equals(expected)) {
            CONSOLE.println("PASS " + step.name);
            passed++;
        } else if (step.later != null && !againstJava) {
            CONSOLE.println("LATER " + step.name + ": " + step.later);
        } else {
            fail(step.name, difference(expected, seen));
        }
    }

    private void fail(String name, String why) {
        failed++;
        String line = why.replace("\n", "\\n");
        CONSOLE.println("FAIL " + name + ": " + line.substring(0, Math.min(line.length(), WHY_CHARACTERS_MAX)));
    }

    /** The lines only the expectation has and those only this run has, on one line. */
    private static String difference(String expected, String seen) {
        List<String> missing = new ArrayList<>(List.of(expected.split("\n")));
        List<String> surplus = new ArrayList<>();
        for (String line : seen.split("\n")) {
            if (!missing.remove(line)) {
                surplus.add(line);
            }
        }
        if (missing.isEmpty() && surplus.isEmpty()) {
            return "the same lines in another order: " + seen;
        }
        return "missing " + missing + ", instead " + surplus;
    }

    /** While recording: the output once it has stopped changing. */
    private String settled(Scenario.Step step) throws Exception {
        String text = execute(step);
        for (int second = 0; step.settle && second < SETTLE_SECONDS_MAX; second++) {
            Thread.sleep(3000);
            String next = execute(step);
            if (next.equals(text)) {
                return next;
            }
            text = next;
        }
        return text;
    }

    private String execute(Scenario.Step step) throws Exception {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        ByteArrayOutputStream err = new ByteArrayOutputStream();
        String[] words = words(step.command + " -n $NAMESRV");
        Tools.forget();
        Thread command = new Thread(() -> Tools.main0(words, null), step.name);
        command.setDaemon(true);
        System.setOut(new PrintStream(out, true, StandardCharsets.UTF_8));
        System.setErr(new PrintStream(err, true, StandardCharsets.UTF_8));
        try {
            command.start();
            long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(COMMAND_SECONDS_MAX);
            while (command.isAlive() && System.nanoTime() < deadline) {
                command.join(20);
                if (step.untilLines > 0 && normal.of(step, text(out), "").lines().count() >= step.untilLines) {
                    break;
                }
                wakeClosingClient(command);
            }
            if (command.isAlive()) {
                command.interrupt();
                for (int i = 0; command.isAlive() && i < 200; i++) {
                    wakeClosingClient(command);
                    command.join(20);
                }
                if (step.untilLines == 0) {
                    return "no end after " + COMMAND_SECONDS_MAX + " s\n" + normal.of(step, text(out), text(err));
                }
                return normal.of(step, text(out), "");
            }
            return normal.of(step, text(out), text(err));
        } finally {
            System.setOut(CONSOLE);
            System.setErr(ERRORS);
        }
    }

    /** A closing client waits up to 3 s for its event thread, which polls; woken it ends at once. */
    private static void wakeClosingClient(Thread command) {
        for (StackTraceElement frame : command.getStackTrace()) {
            if (frame.getClassName().endsWith(".NettyRemotingClient") && frame.getMethodName().equals("shutdown")) {
                for (Thread thread : Thread.getAllStackTraces().keySet()) {
                    if (thread.getName().startsWith("NettyEventExecutor")) {
                        thread.interrupt();
                    }
                }
                return;
            }
        }
    }

    private static String text(ByteArrayOutputStream bytes) {
        return bytes.toString(StandardCharsets.UTF_8);
    }

    /** Splits at blanks (single quotes keep them) after replacing $NAME by its value; the longest name wins. */
    private String[] words(String command) {
        String text = command;
        List<String> names = new ArrayList<>(variables.keySet());
        names.sort((a, b) -> b.length() - a.length());
        for (String name : names) {
            text = text.replace("$" + name, variables.get(name));
        }
        List<String> words = new ArrayList<>();
        Matcher word = Pattern.compile("'([^']*)'|(\\S+)").matcher(text);
        while (word.find()) {
            words.add(word.group(1) != null ? word.group(1) : word.group(2));
        }
        return words.toArray(new String[0]);
    }

    /** The tools' entry point, without the commands it keeps: some of them cannot run twice in one process. */
    private static final class Tools extends MQAdminStartup {
        static void forget() {
            SUB_COMMANDS.clear();
        }
    }

    /** Waits until {@code holds}, at most {@code seconds}; then says what it waited for. */
    static void within(int seconds, String what, Callable<Boolean> holds) throws Exception {
        long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(seconds);
        while (!holds.call()) {
            if (System.nanoTime() > deadline) {
                throw new IllegalStateException("not within " + seconds + " s: " + what);
            }
            Thread.sleep(100);
        }
    }
}
