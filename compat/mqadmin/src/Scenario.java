import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Pattern;

/** Which steps does scenario.txt list, in which order, and what of each one's output is compared? */
final class Scenario {
    /** One line of the scenario: an mqadmin command, or an action of the live clients when {@code command} starts with {@code @}. */
    static final class Step {
        String name;
        String command;
        Pattern only;
        final List<String[]> replaces = new ArrayList<>();
        boolean sorted;
        boolean settle;
        int untilLines;
        String later;

        boolean isAction() {
            return command.startsWith("@");
        }
    }

    static List<Step> read(Path file) throws IOException {
        List<Step> steps = new ArrayList<>();
        int number = 0;
        for (String line : Files.readAllLines(file)) {
            number++;
            String text = line.trim();
            if (text.isEmpty() || text.startsWith("#")) {
                continue;
            }
            if (text.startsWith("|")) {
                option(steps.get(steps.size() - 1), text.substring(1).trim(), number);
                continue;
            }
            Step step = new Step();
            if (text.startsWith("@")) {
                step.name = text;
                step.command = text;
            } else {
                int colon = text.indexOf(": ");
                if (colon < 0) {
                    throw new IllegalArgumentException("scenario line " + number + " has no name");
                }
                step.name = text.substring(0, colon);
                step.command = text.substring(colon + 2).trim();
            }
            steps.add(step);
        }
        return steps;
    }

    private static void option(Step step, String text, int number) {
        String word = text.split(" ", 2)[0];
        String rest = text.length() > word.length() ? text.substring(word.length()).trim() : "";
        switch (word) {
            case "only":
                step.only = Pattern.compile(rest);
                break;
            case "replace":
                step.replaces.add(rest.split(" => ", 2));
                break;
            case "sorted":
                step.sorted = true;
                break;
            case "settle":
                step.settle = true;
                break;
            case "until-lines":
                step.untilLines = Integer.parseInt(rest);
                break;
            case "later":
                step.later = rest;
                break;
            default:
                throw new IllegalArgumentException("scenario line " + number + ": unknown option " + word);
        }
    }

    private Scenario() {
    }
}
