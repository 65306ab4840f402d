import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** What of a command's output is content, and what belongs to this run, this machine and this moment? */
final class Normal {
    private final Map<String, String> words = new LinkedHashMap<>();

    /** From now on {@code text} (an address, the run's word) is printed as {@code word}. */
    void word(String text, String word) {
        words.put(text, word);
    }

    /** Output and error text of one command, one line per content line. */
    String of(Scenario.Step step, String out, String err) {
        List<String> lines = new ArrayList<>();
        for (String line : (out + "\n" + err).split("\\R")) {
            if (line.matches("\\s+at .*|\\s+\\.\\.\\. \\d+ (more|common frames omitted).*|.*\\|-(INFO|WARN|ERROR) in .*")) {
                continue;
            }
            String text = line(step, line);
            if (!text.isEmpty() && (step.only == null || step.only.matcher(text).find())) {
                lines.add(text);
            }
        }
        if (step.sorted) {
            Collections.sort(lines);
        }
        return lines.isEmpty() ? "" : String.join("\n", lines) + "\n";
    }

    private String line(Scenario.Step step, String line) {
        String text = line.replaceAll("\\s+", " ").trim();
        for (Map.Entry<String, String> word : words.entrySet()) {
            text = text.replace(word.getKey(), word.getValue());
        }
        for (String[] rule : GENERAL) {
            text = text.replaceAll(rule[0], rule[1]);
        }
        for (String[] rule : step.replaces) {
            text = text.replaceAll(rule[0], rule.length > 1 ? rule[1] : "");
        }
        return text.trim();
    }

    private static final String[][] GENERAL = {
        {"\\b[0-9A-F]{32,56}\\b", "MESSAGE-ID"},
        {"\\b\\d+\\.\\d+\\.\\d+\\.\\d+@[\\w#-]+", "CLIENT-ID"},
        {"/?\\b\\d+\\.\\d+\\.\\d+\\.\\d+:\\d+", "ADDRESS"},
        {"\\b\\d+\\.\\d+\\.\\d+\\.\\d+\\b", "IP"},
        {"\\b20\\d\\d-\\d\\d-\\d\\d[ #]\\d\\d:\\d\\d:\\d\\d([:,.]\\d{1,3})?", "TIME"},
        {"(?<!\\.)\\b1[5-9]\\d{11}\\b", "MILLIS"},
        {"(?<!\\.)\\b20\\d{15}\\b", "TIME"},
        {"(commitLogOffset=|storeSize=|physicOffset=|physicSize=|spentTimeMills=|CommitLog Offset: |@MESSAGE-ID@)\\d+", "$1N"},
        {"\\b\\d+\\.\\d+([eE]-?\\d+)?\\b", "#.#"},
        {"\\bV\\d+_\\d+_\\d+(_SNAPSHOT)?\\b", "VERSION"},
    };
}
