package org.roxmq.compat;

import java.util.Map;

/** Cases for parts of RoxMQ that are not built yet, with the part. They always run against Java; a line goes when its part comes. */
final class Later {
    static final Map<String, String> CASES = Map.of();

    private Later() {
    }
}
