'use strict';

// How does a case run, wait and say what it saw?

const { execFile } = require('child_process');
const { promisify, inspect } = require('util');

// Bounds every wait. It covers two rounds of the client's slowest timer, the heartbeat of 30 s.
const PATIENCE_MS = 70000;
// How often a condition is looked at while waiting for it.
const LOOK_EVERY_MS = 20;

// How many cases run side by side: they wait far more than they work.
const AT_ONCE = 6;

const RUN = process.env.COMPAT_RUN || Date.now().toString(36);

// What a case may use: names of its own, checks, and a list of what to close when it ends.
class Case {
  constructor(name) {
    this.name = name;
    this.endings = [];
  }

  get topic() { return `compat-node-${RUN}-${this.name}`; }
  get group() { return `compat-node-${RUN}-g-${this.name}`; }

  check(holds, what) {
    if (!holds) throw new Error(what);
  }

  equal(got, expected, what) {
    this.check(got === expected, `${what}: got ${inspect(got)}, expected ${inspect(expected)}`);
  }

  sameOrder(got, expected, what) {
    this.check(got.join('\n') === expected.join('\n'), `${what}: got ${brief(got)}, expected ${brief(expected)}`);
  }

  sameBodies(got, expected, what) {
    this.sameOrder([ ...got ].sort(), [ ...expected ].sort(), what);
  }

  // Waits for a condition; seen is asked for what there was instead when patience ends.
  async until(holds, what, seen) {
    const deadline = Date.now() + PATIENCE_MS;
    while (!await holds()) {
      this.check(Date.now() < deadline, `not seen within ${PATIENCE_MS} ms: ${what}; seen: ${seen()}`);
      await new Promise(done => setTimeout(done, LOOK_EVERY_MS));
    }
  }

  // Comes back when the broker serves again.
  async restartBroker() {
    await this.control('restart-broker');
  }

  // What the control program says when it is done.
  async control(...words) {
    const program = process.env.COMPAT_CONTROL;
    this.check(program, `COMPAT_CONTROL is not set: no ${words[0]}`);
    return (await promisify(execFile)(program, words)).stdout;
  }
}

async function outcome(name, body) {
  const t = new Case(name);
  try {
    await body(t);
    return null;
  } catch (err) {
    return err.message.replace(/\s*\n\s*/g, ' / ');
  } finally {
    for (const ending of t.endings.reverse()) await ending().catch(() => {});
  }
}

async function runSuite(sideBySide, alone, patterns) {
  let passed = 0;
  let failed = 0;
  const one = async ([ name, body ]) => {
    const began = Date.now();
    const why = await outcome(name, body);
    if (why === null) {
      passed++;
      console.log(`PASS ${name} (${((Date.now() - began) / 1000).toFixed(1)} s)`);
    } else {
      failed++;
      console.log(`FAIL ${name}: ${why}`);
    }
  };
  const queue = wanted(sideBySide, patterns);
  const next = async () => {
    for (let each = queue.shift(); each; each = queue.shift()) await one(each);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, next));
  for (const each of wanted(alone, patterns)) await one(each);
  console.log(`${passed} passed, ${failed} failed`);
  process.exit(failed || !passed ? 1 : 0);
}

// Keeps the cases named on the command line, where * stands for anything; all of them without names.
function wanted(cases, names) {
  const patterns = names.map(name => new RegExp(`^${name.replace(/\*/g, '.*')}$`));
  return Object.entries(cases).filter(([ name ]) => !patterns.length || patterns.some(p => p.test(name)));
}

function brief(texts) {
  const shown = texts.length > 12 ? [ ...texts.slice(0, 6), '...', ...texts.slice(-6) ] : texts;
  return `${texts.length}: ${shown.join(' ')}`;
}

module.exports = { RUN, brief, runSuite };
