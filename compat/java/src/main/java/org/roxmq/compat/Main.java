package org.roxmq.compat;

import java.io.BufferedReader;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/** Runs the cases of the Java client and prints one line for each (compat/README.md). */
public final class Main {
    private static final int CASES_AT_ONCE = 8;
    private static final int CASE_SECONDS_MAX = 150;

    /** Clients print to standard output as well, and not always whole lines. */
    private static final PrintStream RESULTS = System.out;

    private int passed;
    private int failed;

    public static void main(String[] arguments) throws Exception {
        // The client's own threads are not daemons in every version.
        System.exit(new Main().run(List.of(arguments)));
    }

    private int run(List<String> arguments) throws Exception {
        System.setOut(new PrintStream(new FileOutputStream(System.getenv("COMPAT_FOLDER") + "/client.log", true), true));
        if (arguments.contains("consume-forever")) {
            return RebalanceCases.consumeForever(RESULTS);
        }
        boolean cluster = arguments.contains("cluster");
        List<String> words = new ArrayList<>(arguments.subList(1, arguments.size()));
        words.remove("cluster");
        boolean mixed = words.remove("mixed");
        boolean onlyBinary = Boolean.getBoolean("compat.binary");
        List<Case> wanted = new ArrayList<>();
        for (Case each : cluster ? ClusterCases.ALL : mixed ? MixedCases.ALL : Case.all()) {
            if (each.named(words) && (!onlyBinary || each.binaryToo)) {
                wanted.add(each);
            }
        }
        runAlone(wanted.stream().filter(each -> each.first));
        Thread again = cluster || mixed || onlyBinary ? null : runAgainWithBinaryHeaders(wanted, arguments);
        runAtOnce(wanted);
        if (again != null) {
            again.join();
        }
        runAlone(wanted.stream().filter(each -> each.alone && !each.first));
        RESULTS.println(passed + " passed, " + failed + " failed");
        return failed == 0 ? 0 : 1;
    }

    private void runAlone(Stream<Case> cases) throws Exception {
        for (Case each : cases.collect(Collectors.toList())) {
            if (!putOff(each) && !run(each)) {
                // The next case shall not fail for this one's reasons.
                Scene.startServersAgain();
            }
        }
    }

    /** Most cases only wait, so several run together; those that stop servers run alone. */
    private void runAtOnce(List<Case> wanted) {
        ExecutorService pool = Executors.newFixedThreadPool(CASES_AT_ONCE);
        for (Case each : wanted) {
            if (!each.alone && !putOff(each)) {
                pool.execute(() -> run(each));
            }
        }
        pool.shutdown();
        try {
            pool.awaitTermination(1, TimeUnit.HOURS);
        } catch (InterruptedException stopped) {
            throw new IllegalStateException(stopped);
        }
    }

    private synchronized boolean putOff(Case each) {
        String why = Scene.AGAINST_JAVA ? null : Later.CASES.get(each.name);
        if (why != null) {
            RESULTS.println("LATER " + prefix() + each.name + ": " + why);
        }
        return why != null;
    }

    /** Did the case pass? */
    private boolean run(Case each) {
        long began = System.nanoTime();
        String why = outcome(each);
        report(each, why, (System.nanoTime() - began) / 1e9);
        return why == null;
    }

    /** Null when the case passed, otherwise why not. */
    private static String outcome(Case each) {
        ExecutorService alone = Executors.newSingleThreadExecutor();
        try (Scene scene = new Scene(each.name)) {
            Future<?> run = alone.submit(() -> {
                each.body.run(scene);
                return null;
            });
            run.get(CASE_SECONDS_MAX, TimeUnit.SECONDS);
            return null;
        } catch (TimeoutException late) {
            return "not done after " + CASE_SECONDS_MAX + " s";
        } catch (ExecutionException wrapped) {
            return describe(wrapped.getCause());
        } catch (Exception other) {
            return describe(other);
        } finally {
            alone.shutdownNow();
        }
    }

    private static String describe(Throwable thrown) {
        StringBuilder text = new StringBuilder();
        text.append(thrown instanceof Check.Failed ? "" : thrown.getClass().getSimpleName() + " ");
        text.append(thrown.getMessage());
        for (StackTraceElement frame : thrown.getStackTrace()) {
            if (frame.getClassName().endsWith("Cases")) {
                text.append(" (").append(frame.getFileName()).append(':').append(frame.getLineNumber()).append(')');
                break;
            }
        }
        return text.toString().replace('\n', ' ');
    }

    private synchronized void report(Case each, String why, double seconds) {
        if (why == null) {
            passed++;
            RESULTS.println(String.format(Locale.ROOT, "PASS %s (%.1f s)", prefix() + each.name, seconds));
        } else {
            failed++;
            RESULTS.println("FAIL " + prefix() + each.name + ": " + why);
        }
    }

    private static String prefix() {
        return Boolean.getBoolean("compat.binary") ? "binary-" : "";
    }

    /** The client reads its header format from a system property once, so this needs a second virtual machine. */
    private Thread runAgainWithBinaryHeaders(List<Case> wanted, List<String> arguments) throws IOException {
        if (wanted.stream().noneMatch(each -> each.binaryToo)) {
            return null;
        }
        List<String> options = List.of("-Drocketmq.serialize.type=ROCKETMQ", "-Dcompat.binary=true");
        Process second = Scene.virtualMachine(options, arguments).redirectError(ProcessBuilder.Redirect.INHERIT).start();
        Thread following = new Thread(() -> {
            try (BufferedReader lines = new BufferedReader(new InputStreamReader(second.getInputStream(), StandardCharsets.UTF_8))) {
                if (lines.lines().filter(this::takeOver).count() != 1) {
                    takeOver("FAIL binary: the second virtual machine did not come to its end");
                }
            } catch (IOException lost) {
                takeOver("FAIL binary: " + lost);
            }
        });
        following.start();
        return following;
    }

    /** Prints and counts a line of the second virtual machine. Is it the last one? */
    private synchronized boolean takeOver(String line) {
        if (line.endsWith(" failed")) {
            return true;
        }
        passed += line.startsWith("PASS ") ? 1 : 0;
        failed += line.startsWith("FAIL ") ? 1 : 0;
        RESULTS.println(line);
        return false;
    }
}
