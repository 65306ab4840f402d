'use strict';

// What a business message can do beyond arriving: come again, be laid aside, wait, live in a namespace.

const { Message, consumer, createTopic, producer, stored, untilBodies, untilRoutes } = require('./clients');

// Fails a message `fails 2 ...` twice.
const failing = async m => {
  const [ , times ] = /^fails (\d+)/.exec(m.body.toString()) || [ '', '0' ];
  if (m.reconsumeTimes < Number(times)) throw new Error('this attempt is to fail');
};

const attempts = inbox => inbox.messages.map(m => `${m.body}/${m.reconsumeTimes}`);

// What fails comes again after 10 s, the first step of the ladder, as the same message, and is laid aside when it may not come again.
exports.retryAndDeadLetters = async t => {
  const p = await producer(t);
  await createTopic(t, t.topic, 1);
  const { inbox } = await consumer(t, t.topic, { maxReconsumeTimes: 1 }, '*', failing);
  const sent = new Message(t.topic, 'tag', 'fails 9 times');
  sent.keys = [ 'key' ];
  sent.properties.colour = '红';
  const answer = await p.send(sent);
  await p.send(new Message(t.topic, 'fails 1 time'));
  await p.send(new Message(t.topic, 'good'));
  await t.until(() => inbox.messages.length >= 5, 'all attempts', () => attempts(inbox).join());
  t.sameBodies(attempts(inbox), [ 'fails 9 times/0', 'fails 9 times/1', 'fails 1 time/0', 'fails 1 time/1', 'good/0' ], 'attempts');
  for (const m of inbox.messages.filter(each => each.reconsumeTimes === 1)) {
    t.equal(m.topic, t.topic, 'topic of the second attempt');
    const waited = Number(m.storeTimestamp) - Number(m.bornTimestamp);
    t.check(waited >= 10000, `the second attempt comes after ${waited} ms`);
  }

  await untilRoutes(t, p, `%DLQ%${t.group}`, 1);
  const [ dead, ...more ] = await stored(t, `%DLQ%${t.group}`, 1);
  t.equal(more.length, 0, 'further dead letters');
  t.equal(dead.body.toString(), 'fails 9 times', 'dead letter');
  t.equal(dead.reconsumeTimes, 2, 'times of the dead letter');
  const expected = { TAGS: 'tag', KEYS: 'key', colour: '红', RETRY_TOPIC: t.topic, ORIGIN_MESSAGE_ID: answer.msgId };
  for (const [ name, value ] of Object.entries(expected)) t.equal(dead.properties[name], value, `${name} of the dead letter`);
};

// Never early, and in the order of their due times.
exports.delayLevels = async t => {
  const p = await producer(t);
  await createTopic(t, t.topic, 1);
  const { inbox } = await consumer(t, t.topic);
  const delays = { 'level 0': 0, 'level 1': 1000, 'level 2': 5000 };
  for (const level of [ 2, 1, 0 ]) {
    const m = new Message(t.topic, `level ${level}`);
    m.delayTimeLevel = level;
    await p.send(m);
  }
  await t.until(() => inbox.messages.length >= 3, 'three messages', () => inbox.bodies().join());
  t.sameOrder(inbox.bodies(), Object.keys(delays), 'order of arrival');
  for (const m of inbox.messages) {
    const waited = Number(m.storeTimestamp) - Number(m.bornTimestamp);
    t.check(waited >= delays[m.body.toString()], `${m.body} came after ${waited} ms`);
  }
};

// One name in two namespaces is two topics and two groups.
exports.namespaces = async t => {
  const inboxes = {};
  for (const namespace of [ 'NS1', 'NS2' ]) {
    await createTopic(t, `${namespace}%${t.topic}`, 1);
    const p = await producer(t, { namespace });
    inboxes[namespace] = (await consumer(t, t.topic, { namespace })).inbox;
    await p.send(new Message(t.topic, `in ${namespace}`));
  }
  for (const [ namespace, inbox ] of Object.entries(inboxes)) await untilBodies(t, inbox, [ `in ${namespace}` ], `message in ${namespace}`);
};
