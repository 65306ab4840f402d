package org.roxmq.compat;

import java.util.List;
import java.util.Objects;
import java.util.concurrent.Callable;
import org.apache.rocketmq.client.exception.MQBrokerException;
import org.apache.rocketmq.client.exception.MQClientException;

/** Statements that say what was expected and what was seen. */
final class Check {
    static final class Failed extends RuntimeException {
        Failed(String why) {
            super(why);
        }
    }

    static void that(boolean holds, String what) {
        if (!holds) {
            throw new Failed(what);
        }
    }

    static void equal(Object expected, Object seen, String what) {
        that(Objects.equals(expected, seen), what + ": expected " + expected + ", saw " + seen);
    }

    static void within(long least, long most, long seen, String what) {
        that(least <= seen && seen <= most, what + ": expected " + least + " to " + most + ", saw " + seen);
    }

    /** The call must be refused with that response code, by the broker or, wrapping it, by the client. */
    static void refused(int code, Callable<?> call, String what) throws Exception {
        refused(List.of(code), call, what);
    }

    /** As above, for one of several codes. */
    static void refused(List<Integer> codes, Callable<?> call, String what) throws Exception {
        Object seen;
        try {
            seen = call.call();
        } catch (MQBrokerException refusal) {
            seen = refusal.getResponseCode();
        } catch (MQClientException refusal) {
            seen = refusal.getResponseCode();
        }
        that(codes.contains(seen), what + ": expected code " + codes + ", saw " + seen);
    }

    private Check() {
    }
}
