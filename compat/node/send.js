'use strict';

// Sends: does every way of sending store the message where the answer says?

const { createHash } = require('crypto');
const { Message, createTopic, numbered, placeOf, producer, sendBodies, stored, untilRoutes } = require('./clients');

// The first send to an unknown topic goes by the route of TBW102 and makes the topic with min(4, 8) queues. A send of this
// client gives up at the name server's "no route" before it comes to its own look-up by TBW102, so that one is called here.
exports.autoCreatedTopic = async t => {
  const p = await producer(t);
  await p._mqClient.updateTopicRouteInfoFromNameServer(t.topic, true, p);
  const [ first ] = await sendBodies(t, p, t.topic, [ 'first' ]);
  t.equal(first.queueOffset, 0, 'offset of the first message');
  const route = await untilRoutes(t, p, t.topic, 4);
  t.equal(route.queueDatas[0].perm, 6, 'permission');
  t.equal(route.brokerDatas[0].brokerAddrs[0], placeOf(t, first.msgId).address, 'address of the broker');
};

exports.oneByOne = async t => {
  const p = await producer(t);
  await createTopic(t, t.topic, 4);
  const next = {};
  const answers = {};
  for (const body of numbered('m', 40)) {
    const [ answer ] = await sendBodies(t, p, t.topic, [ body ]);
    const queue = answer.messageQueue.queueId;
    t.equal(answer.queueOffset, next[queue] || 0, `offset in queue ${queue}`);
    next[queue] = answer.queueOffset + 1;
    answers[body] = answer;
  }
  t.equal(Object.keys(next).length, 4, 'queues used by round robin');
  for (const m of await stored(t, t.topic, 40)) {
    const answer = answers[m.body.toString()];
    t.equal(m.msgId, answer.msgId, 'message id as read');
    t.equal(Number(m.queueOffset), answer.queueOffset, 'queue offset as read');
    t.equal(m.queueId, Number(answer.messageQueue.queueId), 'queue as read');
    t.equal(String(m.commitLogOffset), String(placeOf(t, answer.msgId).offset), 'place in the log as read');
  }
};

exports.allAtOnce = async t => {
  const p = await producer(t);
  await createTopic(t, t.topic, 4);
  const bodies = numbered('m', 200);
  const answers = await Promise.all(bodies.map(body => p.send(new Message(t.topic, body))));
  const places = new Set(answers.map(a => `${a.messageQueue.queueId}/${a.queueOffset}`));
  t.equal(places.size, 200, 'different places in queues');
  t.sameBodies((await stored(t, t.topic, 200)).map(m => m.body.toString()), bodies, 'messages stored');
};

// A sharding key chooses the queue, except queue 0: the client takes that one's number for "no choice".
exports.shardingKey = async t => {
  const p = await producer(t);
  await createTopic(t, t.topic, 4);
  const queueOf = key => createHash('md5').update(key).digest().readUInt32BE() % 4;
  const keys = numbered('order', 12).filter(key => queueOf(key) !== 0);
  t.check(keys.length > 3, 'too few keys');
  for (const key of keys) {
    for (let i = 0; i < 3; i++) {
      const m = new Message(t.topic, `${key}/${i}`);
      m.shardingKey = key;
      const answer = await p.send(m);
      t.equal(Number(answer.messageQueue.queueId), queueOf(key), `queue of ${key}`);
    }
  }
  for (const m of await stored(t, t.topic, keys.length * 3)) {
    t.equal(m.queueId, queueOf(m.body.toString().split('/')[0]), 'queue as read');
  }
};

// What a broker must refuse is refused with the code, and the connection serves the next send.
exports.refused = async t => {
  const p = await producer(t);
  await createTopic(t, t.topic, 1);
  const refusal = message => p.send(message).then(() => { throw new Error(`accepted: ${message.topic}`); }, err => err);
  const tooLong = await refusal(new Message(t.topic, noise(4 * 1024 * 1024 + 1)));
  t.equal(tooLong.code, 13, `code for 4 MiB and a byte (${tooLong.message})`);
  const unknown = await refusal(new Message(`${t.topic}-unknown`, 'x'));
  t.equal(unknown.code, 17, `code for a topic without a route (${unknown.message})`);
  const [ good ] = await sendBodies(t, p, t.topic, [ 'good' ]);
  t.equal(good.queueOffset, 0, 'offset after refused sends');
};

// The broker adds its region, the trace switch, its cluster and a unique key if the client sent none.
exports.storedProperties = async t => {
  const p = await producer(t);
  await createTopic(t, t.topic, 1);
  await sendBodies(t, p, t.topic, [ 'x' ]);
  const [ m ] = await stored(t, t.topic, 1);
  t.equal(m.properties.MSG_REGION, 'DefaultRegion', 'MSG_REGION');
  t.equal(m.properties.TRACE_ON, 'true', 'TRACE_ON');
  t.equal(m.properties.CLUSTER, 'DefaultCluster', 'CLUSTER');
  t.check(/^([0-9A-F]{32}|[0-9A-F]{56})$/.test(m.properties.UNIQ_KEY), `UNIQ_KEY ${m.properties.UNIQ_KEY}`);
};

// Bytes that do not compress, the same in every run.
function noise(size) {
  const bytes = Buffer.alloc(size);
  let state = 12345;
  for (let i = 0; i < size; i++) {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    bytes[i] = state >>> 16;
  }
  return bytes;
}

exports.body128KiB = async t => {
  const p = await producer(t);
  await createTopic(t, t.topic, 4);
  for (let i = 0; i < 8; i++) {
    const body = noise(128 * 1024);
    body[0] = i;
    await sendBodies(t, p, t.topic, [ body ]);
  }
  const seen = new Set();
  for (const m of await stored(t, t.topic, 8)) {
    const expected = noise(128 * 1024);
    expected[0] = m.body[0];
    t.check(expected.equals(m.body), `body of ${m.body.length} bytes differs from what was sent`);
    seen.add(m.body[0]);
  }
  t.equal(seen.size, 8, 'different bodies');
};

// The client compresses bodies of 4 KiB and more and says so in the system flag; the broker keeps both.
exports.bodyCompressed = async t => {
  const p = await producer(t);
  await createTopic(t, t.topic, 4);
  const long = '压缩 compressed '.repeat(8000);
  await sendBodies(t, p, t.topic, [ long ]);
  const [ m ] = await stored(t, t.topic, 1);
  t.check(m.body.toString() === long, `body of ${m.body.length} bytes, sent ${Buffer.byteLength(long)}`);
  t.check(m.storeSize < long.length / 10, `stored in ${m.storeSize} bytes, so not compressed`);
};

exports.propertiesChinese = async t => {
  const p = await producer(t);
  await createTopic(t, t.topic, 4);
  const properties = { 名字: '消息队列', mixed: 'aß漢字🚀', spaces: ' a  b ', signs: '{"a":"b=c,d;e"}' };
  const m = new Message(t.topic, '标签', '正文：你好，世界 🚀');
  m.keys = [ '键一', '键二' ];
  m.flag = 7;
  Object.assign(m.properties, properties);
  await p.send(m);
  const [ read ] = await stored(t, t.topic, 1);
  for (const [ name, value ] of Object.entries(properties)) t.equal(read.properties[name], value, `property ${name}`);
  t.equal(read.body.toString(), '正文：你好，世界 🚀', 'body');
  t.equal(read.tags, '标签', 'tag');
  t.equal(read.keys, '键一 键二', 'keys');
  t.equal(read.flag, 7, 'flag');
};

// Created again with more queues, a topic has them and keeps its messages.
exports.createTopicAgain = async t => {
  const p = await producer(t);
  await createTopic(t, t.topic, 3);
  const bodies = numbered('m', 6);
  const used = new Set((await sendBodies(t, p, t.topic, bodies)).map(a => a.messageQueue.queueId));
  t.equal(used.size, 3, 'queues used');
  await createTopic(t, t.topic, 5);
  t.sameBodies((await stored(t, t.topic, 6)).map(m => m.body.toString()), bodies, 'messages kept');
};
