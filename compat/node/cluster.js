'use strict';

// Two NameServers and two brokers: do producers and push consumers go on when one of each is lost, and take it back when it returns?

const { brief } = require('./harness');
const { Message, consumer, createTopicAt, numbered, placeOf, producer, sendBodies } = require('./clients');

const STAYS = 'broker-a';
const GOES = 'broker-b';

// One producer and one consumer live through all of it.
exports.serversLost = async t => {
  const addresses = await addressesOf(t, [ STAYS, GOES ]);
  const maker = await producer(t, { producerGroup: `${t.group}-maker` });
  for (const address of addresses) await createTopicAt(maker, address, t.topic, 2);
  await untilRouteOf(t, maker, STAYS, GOES);
  // The client itself turns to another broker, so not one send may fail.
  const p = await producer(t, { retryTimesWhenSendFailed: 2 });
  const { inbox } = await consumer(t, t.topic);
  await untilAmong(t, inbox, await sendUntilStoredAt(t, p, 'before', addresses), 'messages with all servers');

  await t.control('kill-nameserver', 'nameserver-1');
  await untilAmong(t, inbox, await sendMany(t, p, 'one-nameserver'), 'messages with one NameServer');

  await t.control('kill-broker', GOES);
  await untilAmong(t, inbox, await sendMany(t, p, 'one-broker'), 'messages with one broker');
  await untilRouteOf(t, maker, STAYS);

  await t.control('start-broker', GOES);
  await t.control('start-nameserver', 'nameserver-1');
  await untilRouteOf(t, maker, STAYS, GOES);
  await untilAmong(t, inbox, await sendUntilStoredAt(t, p, 'after', addresses), 'messages with all servers again');
};

// Addresses of brokers, as the control's status tells them.
async function addressesOf(t, brokers) {
  const lines = (await t.control('status')).split('\n').map(line => line.split(' '));
  return brokers.map(broker => {
    const line = lines.find(([ name ]) => name === broker);
    t.check(line, `the status names no ${broker}`);
    return line[1];
  });
}

// Waits until the NameServer that the client asks next names these brokers for the case's topic, and no others.
async function untilRouteOf(t, p, ...brokers) {
  let seen;
  await t.until(async () => {
    seen = await p._mqClient.getTopicRouteInfoFromNameServer(t.topic, 3000).catch(err => err.message);
    return seen.queueDatas && seen.queueDatas.map(queues => queues.brokerName).sort().join() === brokers.join();
  }, `${brokers.join(' and ')} in the route`, () => JSON.stringify(seen));
}

async function sendMany(t, p, prefix) {
  const bodies = numbered(prefix, 40);
  await sendBodies(t, p, t.topic, bodies);
  return bodies;
}

// Sends, without one failure, until each of the brokers got a message, and gives all the bodies.
async function sendUntilStoredAt(t, p, prefix, addresses) {
  const bodies = [];
  const used = new Set();
  await t.until(async () => {
    bodies.push(`${prefix}-${bodies.length}`);
    const result = await p.send(new Message(t.topic, bodies[bodies.length - 1]));
    t.equal(result.sendStatus, 'SEND_OK', 'send status');
    used.add(placeOf(t, result.msgId).address);
    return addresses.every(address => used.has(address));
  }, `a message at each of ${addresses.join(' ')}`, () => [ ...used ].join(' '));
  return bodies;
}

// Waits until the bodies are there; a broker that is killed forgets offsets, so some may be there twice.
function untilAmong(t, inbox, expected, what) {
  const missing = () => {
    const seen = new Set(inbox.bodies());
    return expected.filter(body => !seen.has(body));
  };
  return t.until(() => missing().length === 0, what, () => `missing ${brief(missing())}`);
}
