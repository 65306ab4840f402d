'use strict';

// How does a case get clients, messages and the address of the broker?

const net = require('net');
const { Consumer, Producer, Message } = require('ali-ons');
const RemotingCommand = require('ali-ons/lib/protocol/command/remoting_command');
const { RUN, brief } = require('./harness');

const silent = { info() {}, warn() {}, error() {}, debug() {} };
const spoken = process.env.COMPAT_DEBUG ? { info: console.log, warn: console.log, error: console.log, debug() {} } : silent;

// A broker that has just started may be slow to answer first, and no case is about that.
const ANSWER_WITHIN_MS = 15000;

let instances = 0;

// Every client has an instance name, so a client id and connections, of its own. The HTTP client would look up name servers
// at Alibaba's cloud; with nameSrv set it is demanded but never asked.
function options(more) {
  return {
    nameSrv: process.env.NAMESRV_ADDR.split(';'),
    httpclient: { request() { throw new Error('no address server is to be asked'); } },
    instanceName: `${RUN}-${++instances}`,
    logger: spoken,
    ...more,
  };
}

// The client shares one inner producer among all its clients and hangs it on the first one; this first one stays open.
const keeper = (async () => {
  const first = new Producer(options({ producerGroup: `compat-node-${RUN}-keeper` }));
  first.on('error', () => {});
  await first.ready();
})();

async function producer(t, more) {
  await keeper;
  const p = new Producer(options({ producerGroup: `${t.group}-p`, retryTimesWhenSendFailed: 0, sendMsgTimeout: ANSWER_WITHIN_MS, ...more }));
  p.on('error', () => {});
  await p.ready();
  t.endings.push(() => p.close());
  return p;
}

async function sendBodies(t, p, topic, bodies) {
  const results = [];
  for (const body of bodies) {
    const result = await p.send(new Message(topic, body));
    t.equal(result.sendStatus, 'SEND_OK', 'send status');
    results.push(result);
  }
  return results;
}

function numbered(prefix, count) {
  return Array.from({ length: count }, (_, i) => `${prefix}-${String(i).padStart(4, '0')}`);
}

// What an offset message id says: where the message is stored.
function placeOf(t, offsetMsgId) {
  t.check(/^[0-9A-F]{32}$/.test(offsetMsgId), `offset message id ${offsetMsgId}`);
  const bytes = Buffer.from(offsetMsgId, 'hex');
  return { address: `${[ ...bytes.subarray(0, 4) ].join('.')}:${bytes.readUInt32BE(4)}`, offset: bytes.readBigUInt64BE(8) };
}

// Makes a topic with so many queues and waits until the name server routes to it. The client has this call (17, with
// numbers and a boolean among its fields) behind its producer, not as an option of it.
async function createTopic(t, topic, queues) {
  const p = await producer(t, { producerGroup: `${t.group}-maker` });
  const template = await p._mqClient.getTopicRouteInfoFromNameServer('TBW102', ANSWER_WITHIN_MS);
  const address = template.brokerDatas[0].brokerAddrs[0];
  await createTopicAt(p, address, topic, queues);
  await untilRoutes(t, p, topic, queues);
}

function createTopicAt(p, address, topic, queues) {
  return p._mqClient.createTopic(address, 'TBW102', {
    topicName: topic, readQueueNums: queues, writeQueueNums: queues, perm: 6, topicFilterType: 'SINGLE_TAG', topicSysFlag: 0, order: false,
  }, ANSWER_WITHIN_MS);
}

// Deletes a topic at its broker; the client has no call for it. The broker's address.
async function deleteTopic(p, topic) {
  const template = await p._mqClient.getTopicRouteInfoFromNameServer('TBW102', ANSWER_WITHIN_MS);
  const address = template.brokerDatas[0].brokerAddrs[0];
  const answer = await p._mqClient.invoke(address, RemotingCommand.createRequestCommand(215, { topic }), ANSWER_WITHIN_MS);
  if (answer.code !== 0) throw new Error(`the broker answers ${answer.code} to a deletion: ${answer.remark}`);
  return address;
}

async function untilRoutes(t, p, topic, queues) {
  let seen;
  await t.until(async () => {
    seen = await p._mqClient.getTopicRouteInfoFromNameServer(topic, ANSWER_WITHIN_MS).catch(err => err.message);
    return seen.queueDatas && seen.queueDatas.length === 1 && seen.queueDatas[0].writeQueueNums === queues;
  }, `${queues} queues of ${topic}`, () => JSON.stringify(seen));
  return seen;
}

// A consumer and, in the order they came, the messages it was given; the listener may fail them.
async function consumer(t, topic, more, expression = '*', listener = async () => {}) {
  await keeper;
  const c = new Consumer(options({ consumerGroup: t.group, consumeFromWhere: 'CONSUME_FROM_FIRST_OFFSET', ...more }));
  c.on('error', () => {});
  await c.ready();
  const inbox = { messages: [], bodies: () => inbox.messages.map(m => m.body.toString()) };
  c.subscribe(topic, expression, async m => {
    inbox.messages.push(m);
    return listener(m);
  });
  let open = true;
  const close = async () => {
    if (open) await c.close();
    open = false;
  };
  t.endings.push(close);
  return { inbox, close, client: c, settled: () => untilSettled(t, c) };
}

// The offsets that the consumer will commit are behind all it was given: the client moves them after the listener returned.
function untilSettled(t, c) {
  const left = () => [ ...c.processQueueTable.values() ].reduce((sum, { processQueue }) => sum + processQueue.msgCount, 0);
  return t.until(() => left() === 0, 'nothing left to consume', () => `${left()} left`);
}

async function untilBodies(t, inbox, expected, what) {
  await t.until(() => inbox.messages.length >= expected.length, what, () => brief(inbox.bodies()));
  t.sameBodies(inbox.bodies(), expected, what);
}

// Waits until the topic holds so many messages and gives them, read by a group of its own.
async function stored(t, topic, count) {
  const { inbox } = await consumer(t, topic, { consumerGroup: `${t.group}-reader` });
  await t.until(() => inbox.messages.length >= count, `${count} messages in ${topic}`, () => brief(inbox.bodies()));
  return inbox.messages;
}

// One message to queue 0 from ::1, by hand: this client does not speak IPv6.
async function sendByIPv6(t, topic, body) {
  const port = Number(process.env.COMPAT_BROKER_ADDR.split(':').pop());
  const extFields = { a: t.group, b: topic, c: 'TBW102', d: '4', e: '0', f: '0', g: '0', h: '0', i: '', j: '0', k: 'false', m: 'false' };
  const header = Buffer.from(JSON.stringify({ code: 310, flag: 0, language: 'OTHER', opaque: 1, version: 401, extFields }));
  const lengths = Buffer.alloc(8);
  lengths.writeInt32BE(4 + header.length + body.length, 0);
  lengths.writeInt32BE(header.length, 4);
  const socket = net.connect(port, '::1');
  socket.write(Buffer.concat([ lengths, header, Buffer.from(body) ]));
  // Short as it is, the answer comes in one piece.
  const answer = await new Promise((done, failed) => socket.once('data', done).once('error', failed).once('close', () => failed(new Error('closed'))));
  socket.destroy();
  t.equal(JSON.parse(answer.subarray(8, 8 + answer.readInt32BE(4))).code, 0, 'answer to a send by IPv6');
}

module.exports = { Message, producer, consumer, sendBodies, sendByIPv6, numbered, placeOf, createTopic, createTopicAt, deleteTopic, untilRoutes, untilBodies, stored };
