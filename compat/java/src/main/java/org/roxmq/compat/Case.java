package org.roxmq.compat;

import java.util.ArrayList;
import java.util.List;

/** One thing that a user of the Java client relies on. */
final class Case {
    interface Body {
        void run(Scene scene) throws Exception;
    }

    final String name;
    final Body body;
    /** Stops servers, or measures time: nothing else may run meanwhile. */
    final boolean alone;
    /** Runs before all others: what they leave behind would be in its way. */
    final boolean first;
    /** Runs a second time with binary headers. */
    final boolean binaryToo;

    private Case(String name, Body body, boolean alone, boolean first, boolean binaryToo) {
        this.name = name;
        this.body = body;
        this.alone = alone;
        this.first = first;
        this.binaryToo = binaryToo;
    }

    static Case of(String name, Body body) {
        return new Case(name, body, false, false, false);
    }

    Case binaryToo() {
        return new Case(name, body, alone, first, true);
    }

    Case alone() {
        return new Case(name, body, true, first, binaryToo);
    }

    Case first() {
        return new Case(name, body, true, true, binaryToo);
    }

    boolean named(List<String> words) {
        return words.isEmpty() || words.stream().anyMatch(name::contains);
    }

    /** Every case for one NameServer and one broker. */
    static List<Case> all() {
        List<Case> all = new ArrayList<>();
        all.addAll(SendCases.ALL);
        all.addAll(MessageCases.ALL);
        all.addAll(PushCases.ALL);
        all.addAll(BatchCases.ALL);
        all.addAll(DelayCases.ALL);
        all.addAll(RetryCases.ALL);
        all.addAll(TransactionCases.ALL);
        all.addAll(TraceCases.ALL);
        all.addAll(NamespaceCases.ALL);
        all.addAll(RequestReplyCases.ALL);
        all.addAll(RelayCases.ALL);
        all.addAll(StartCases.ALL);
        all.addAll(RebalanceCases.ALL);
        all.addAll(GroupCases.ALL);
        all.addAll(ResetCases.ALL);
        all.addAll(OrderCases.ALL);
        all.addAll(PullCases.ALL);
        all.addAll(SqlCases.ALL);
        all.addAll(LitePullCases.ALL);
        all.addAll(LightQueueCases.ALL);
        all.addAll(QueryCases.ALL);
        all.addAll(AdminCases.ALL);
        all.addAll(WireCases.ALL);
        all.addAll(TimerCases.ALL);
        all.addAll(RestartCases.ALL);
        return all;
    }
}
