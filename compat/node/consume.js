'use strict';

// Consumers: is every message given once, to whom it belongs, in order, from the right place on?

const { brief } = require('./harness');
const { Message, consumer, createTopic, createTopicAt, deleteTopic, numbered, producer, sendBodies, sendByIPv6, stored, untilBodies, untilRoutes } = require('./clients');

exports.clustering = async t => {
  const p = await producer(t);
  await createTopic(t, t.topic, 4);
  const before = numbered('before', 100);
  await sendBodies(t, p, t.topic, before);
  const { inbox } = await consumer(t, t.topic);
  await untilBodies(t, inbox, before, 'messages sent before the consumer');
  const after = numbered('after', 100);
  await sendBodies(t, p, t.topic, after);
  await untilBodies(t, inbox, [ ...before, ...after ], 'messages sent before and after the consumer');
};

// A producer with an IPv6 address takes nothing from readers that know nothing of IPv6.
exports.byIPv6 = async t => {
  // Java's broker stores the address in 16 bytes, and this client sees nothing of the topic any more.
  if (process.env.COMPAT_TARGET === 'java') return;
  const p = await producer(t);
  await createTopic(t, t.topic, 1);
  const { inbox } = await consumer(t, t.topic);
  await sendByIPv6(t, t.topic, 'by IPv6');
  await sendBodies(t, p, t.topic, [ 'behind it' ]);
  await untilBodies(t, inbox, [ 'by IPv6', 'behind it' ], 'messages of both producers');
};

exports.broadcasting = async t => {
  const p = await producer(t);
  await createTopic(t, t.topic, 4);
  const one = await consumer(t, t.topic, { isBroadcast: true });
  const two = await consumer(t, t.topic, { isBroadcast: true });
  const bodies = numbered('all', 60);
  await sendBodies(t, p, t.topic, bodies);
  await untilBodies(t, one.inbox, bodies, 'first member');
  await untilBodies(t, two.inbox, bodies, 'second member');
};

exports.tags = async t => {
  const p = await producer(t);
  await createTopic(t, t.topic, 4);
  const some = await consumer(t, t.topic, { consumerGroup: `${t.group}-some` }, 'red || 蓝');
  const every = await consumer(t, t.topic, { consumerGroup: `${t.group}-every` });
  const bodies = [];
  for (let i = 0; i < 60; i++) {
    const tag = [ 'red', 'green', '蓝' ][i % 3];
    bodies.push(`${tag}-${i}`);
    await p.send(new Message(t.topic, tag, `${tag}-${i}`));
  }
  await untilBodies(t, every.inbox, bodies, 'subscription to *');
  await untilBodies(t, some.inbox, bodies.filter(body => !body.startsWith('green')), 'subscription to red || 蓝');
};

// A topic is deleted and made again under consumers that have read all of it: they get every new message, also where a new queue soon is
// longer than the old one was. With Java they miss some.
exports.topicMadeAgain = async t => {
  const p = await producer(t);
  await createTopic(t, t.topic, 4);
  const old = numbered('old', 4);
  await sendBodies(t, p, t.topic, old);
  const shared = await consumer(t, t.topic);
  const all = await consumer(t, t.topic, { consumerGroup: `${t.group}-all`, isBroadcast: true });
  for (const { inbox } of [ shared, all ]) await untilBodies(t, inbox, old, 'old messages');
  await createTopicAt(p, await deleteTopic(p, t.topic), t.topic, 4);
  const fresh = numbered('new', 20);
  await sendBodies(t, p, t.topic, fresh);
  if (process.env.COMPAT_TARGET === 'java') return;
  for (const { inbox } of [ shared, all ]) {
    await t.until(() => fresh.every(body => inbox.bodies().includes(body)), 'new messages', () => brief(inbox.bodies()));
  }
};

exports.orderOfOneQueue = async t => {
  const p = await producer(t);
  await createTopic(t, t.topic, 1);
  const bodies = numbered('step', 300);
  await sendBodies(t, p, t.topic, bodies);
  const { inbox } = await consumer(t, t.topic);
  await untilBodies(t, inbox, bodies, 'all steps');
  t.sameOrder(inbox.bodies(), bodies, 'order of one queue');
};

// A group that has no offset on a young topic starts at its first message, wherever it asks to start: the broker answers
// 0 to the offset query as long as message 0 is near the end of the log (ConsumerManageProcessor of the Java broker).
exports.startPositions = async t => {
  const p = await producer(t);
  await createTopic(t, t.topic, 1);
  const old = numbered('old', 20);
  await sendBodies(t, p, t.topic, old);
  for (const where of [ 'FIRST_OFFSET', 'LAST_OFFSET', 'TIMESTAMP' ]) {
    const { inbox } = await consumer(t, t.topic, { consumerGroup: `${t.group}-${where}`, consumeFromWhere: `CONSUME_FROM_${where}` });
    await untilBodies(t, inbox, old, `messages before a group starting at ${where}`);
  }
};

// Without the expression in each pull the broker filters by the subscription that the heartbeat brought.
exports.subscriptionOfHeartbeat = async t => {
  const p = await producer(t);
  await createTopic(t, t.topic, 2);
  const { inbox } = await consumer(t, t.topic, { postSubscriptionWhenPull: false }, 'wanted');
  const wanted = [];
  for (let i = 0; i < 20; i++) {
    const tag = i % 2 ? 'wanted' : 'other';
    if (i % 2) wanted.push(`m${i}`);
    await p.send(new Message(t.topic, tag, `m${i}`));
  }
  await untilBodies(t, inbox, wanted, 'messages with the tag');
};

// Where a queue ends and where it was at a time: calls 30 and 29, which the client uses to find its start.
exports.offsetQueries = async t => {
  const p = await producer(t);
  await createTopic(t, t.topic, 1);
  const [ { messageQueue } ] = await sendBodies(t, p, t.topic, numbered('m', 10));
  const between = (await stored(t, t.topic, 10))[9].storeTimestamp + 1;
  await t.until(() => Date.now() > between + 1, 'the clock to move on', () => Date.now());
  await sendBodies(t, p, t.topic, numbered('n', 5));
  t.equal(Number(await p._mqClient.maxOffset(messageQueue)), 15, 'max offset');
  t.equal(Number(await p._mqClient.searchOffset(messageQueue, 0)), 0, 'offset at the beginning of time');
  t.equal(Number(await p._mqClient.searchOffset(messageQueue, Number(between))), 10, 'offset between the sends');
  t.equal(Number(await p._mqClient.searchOffset(messageQueue, Date.now() + 3600000)), 15, 'offset in an hour');
};

// What was consumed before a close is not given again.
exports.offsetsOverClientRestart = async t => {
  const p = await producer(t);
  await createTopic(t, t.topic, 4);
  const first = numbered('first', 50);
  await sendBodies(t, p, t.topic, first);
  const one = await consumer(t, t.topic);
  await untilBodies(t, one.inbox, first, 'first messages');
  await one.settled();
  await one.close();
  const second = numbered('second', 50);
  await sendBodies(t, p, t.topic, second);
  const two = await consumer(t, t.topic);
  await untilBodies(t, two.inbox, second, 'messages since the close');
};

exports.shareAndTakeOver = async t => {
  const p = await producer(t);
  await createTopic(t, t.topic, 4);
  const one = await consumer(t, t.topic);
  const two = await consumer(t, t.topic);

  // Rounds of one message per queue, until one is shared as wanted. While queues change hands a message may be given twice, so
  // a round is over when all of it has been seen.
  let rounds = 0;
  const share = async () => {
    const prefix = `round${++rounds}`;
    await sendBodies(t, p, t.topic, numbered(prefix, 4));
    const of = ({ inbox }) => inbox.bodies().filter(body => body.startsWith(`${prefix}-`));
    await t.until(() => new Set([ ...of(one), ...of(two) ]).size === 4, 'a whole round', () => brief([ ...of(one), ...of(two) ]));
    return `${of(one).length} and ${of(two).length}`;
  };
  const untilShared = async wanted => {
    let last;
    await t.until(async () => (last = await share()) === wanted, `shared ${wanted}`, () => last);
  };
  // One round may be shared so by chance while queues still change hands; five in a row are not.
  let inARow = 0;
  let [ settledOne, settledTwo ] = [ 0, 0 ];
  await t.until(async () => {
    if (inARow === 0) [ settledOne, settledTwo ] = [ one.inbox.messages.length, two.inbox.messages.length ];
    inARow = await share() === '2 and 2' ? inARow + 1 : 0;
    return inARow === 5;
  }, 'five rounds shared 2 and 2', () => `${inARow} in a row`);
  const ofOne = new Set(one.inbox.messages.slice(settledOne).map(m => m.queueId));
  for (const m of two.inbox.messages.slice(settledTwo)) t.check(!ofOne.has(m.queueId), `queue ${m.queueId} is read by both`);

  await one.close();
  await untilShared('0 and 4');
  t.equal(new Set([ ...one.inbox.bodies(), ...two.inbox.bodies() ]).size, 4 * rounds, 'different messages given');
};

// Offsets, messages and the topic outlive the broker's process.
exports.offsetsOverBrokerRestart = async t => {
  const before = await producer(t);
  await createTopic(t, t.topic, 4);
  const first = numbered('first', 50);
  await sendBodies(t, before, t.topic, first);
  const one = await consumer(t, t.topic);
  await untilBodies(t, one.inbox, first, 'first messages');
  await one.settled();
  await one.close();

  await t.restartBroker();

  const p = await producer(t, { producerGroup: `${t.group}-after` });
  await untilRoutes(t, p, t.topic, 4);
  const second = numbered('second', 50);
  await sendBodies(t, p, t.topic, second);
  const two = await consumer(t, t.topic);
  await untilBodies(t, two.inbox, second, 'messages since the restart');
  t.sameBodies((await stored(t, t.topic, 100)).map(m => m.body.toString()), [ ...first, ...second ], 'all messages');
};

// A producer and a consumer that know nothing of the restart go on with it.
exports.liveThroughBrokerRestart = async t => {
  const p = await producer(t);
  await createTopic(t, t.topic, 4);
  const before = numbered('before', 20);
  await sendBodies(t, p, t.topic, before);
  const { inbox } = await consumer(t, t.topic);
  await untilBodies(t, inbox, before, 'messages before the restart');

  await t.restartBroker();

  const after = numbered('after', 20);
  for (const body of after) {
    let failure;
    await t.until(() => p.send(new Message(t.topic, body)).then(() => true, err => { failure = err; }), 'a send after the restart',
      () => failure.message);
  }
  await t.until(() => after.every(body => inbox.bodies().includes(body)), 'messages after the restart', () => brief(inbox.bodies()));
};
