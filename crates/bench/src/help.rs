//! What is told to those who ask how the bench is used?

/// How the bench is used.
pub const HELP: &str = "\
Measures a RocketMQ broker, RoxMQ or any other, over the protocol that clients speak. Every answer is checked.

Usage: roxmq bench send|pull|tail|e2e|transaction|idle [FLAGS]
       roxmq bench timer [FLAGS], with flags of its own: see roxmq bench timer --help
       roxmq bench touch

  send         sends messages; afterwards compares what is stored with what was acknowledged
  pull         pulls what a topic holds, again from the start at its end; checks order and content
  tail         pulls what others send meanwhile, by long polling
  e2e          sends and receives; latency is from the time a message was to be sent until it was received
  transaction  sends half messages and decides about them; afterwards compares the topic with what was committed and rolled back
  idle         opens connections that only send heartbeats, as clients do every 30 s
  timer        starts a broker, gives it a million timed messages, kills it while they come due, and says how late they came
  touch        writes to most of this machine's free memory once. A virtual machine may get its memory from its host only then,
               and would measure the host. Do it once before the first measurement.

Where
  -b, --broker ADDR    the broker                                           (127.0.0.1:10911)
  -n ADDR              a NameServer that knows the broker, instead
  -t, --topic NAME     the topic; made if it is not there                   (RoxBench)
      --topics N       so many topics, with a number behind the name        (1)
  -q, --queues N       the queues of each                                   (8)
      --pid PID        the broker's process, for its CPU and memory         (who listens on the port, if on this machine)

How much
  -c N                 connections                                          (16; pull, tail: 8; idle: 5000)
  -w N                 unanswered requests on each connection               (16; pull, tail: 1)
      --rate N         messages a second in all, each at its due time, however the answers come; latency counts from the due
                       time, to which the generator keeps within 0.04 ms or so
      --spin           look at the clock without a pause at a --rate: exact, but the generator takes a whole core
      --body BYTES     body of a message, at least 32                       (1024)
      --batch N        messages in one send                                 (1)
      --delay-level N  send: messages of this delay level, compared in SCHEDULE_TOPIC_XXXX, where nobody else may use that level
      --deliver-in-ms N  send: messages to be delivered N ms, at least 5000, after each is sent. Up to two minutes the bench waits
                       for them and compares what was delivered; with a longer delay it compares how many wait
      --rollback SHARE transaction: the share that is rolled back, 0 to 1   (0)
      --wait           transaction: the answer to each decision is asked for and waited for. Otherwise decisions are oneway, as
                       clients send them, and a transaction counts once its half message is acknowledged
      --pull-batch N   messages in one pull                                 (32)
      --consumers N    connections that receive, e2e                        (1)
      --groups N       tail, e2e: groups that each read everything          (1)
      --hold-ms N      tail: how long the broker may hold a pull; clients ask for 15000
      --readers N      send: connections that meanwhile read the topic from its oldest message, again and again, with a thread of
                       their own                                            (0)
      --overload       send: the --rate is meant to be more than the broker takes. Refusals as busy (code 2) are counted and no
                       error, and what is due while -w requests of a connection are unanswered is counted and not sent
      --read-back      send: afterwards every message is read again and compared, not only the offsets of all of them
  -d, --duration S     seconds that are counted                             (10)
      --slices N       cut the counted time into N parts and tell latency and memory of each
      --warm-up S      seconds before that are not                          (2)
      --timeout S      seconds that answers are waited for after the end    (5)
      --threads N      threads of the generator                             (1)
      --binary         headers in RocketMQ's binary form rather than in JSON

Output
      --json           one line of JSON
  -h, --help           print this

Latencies are of whole requests; at a --rate and e2e they include the time a request waited to be sent. CPU is what all threads
of the broker's process ran, so not what the system's own threads wrote to the disk. Whether the broker flushes before it
acknowledges is the broker's setting (flushDiskType). With --rate, 16384 requests may be unanswered on a connection.
The exit status is 1 when anything went wrong or is not stored as acknowledged.
";
