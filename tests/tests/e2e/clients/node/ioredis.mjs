// What programs do with ioredis, in both versions of the protocol.

import { Redis } from 'ioredis';
import { assert, check, host, next, port } from './check.mjs';

const RELEASE = "if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('del', KEYS[1]) end return 0";

async function strings(r) {
  assert.equal(await r.set('a', 'grüße', 'EX', 100), 'OK');
  assert.equal(await r.get('a'), 'grüße');
  assert.deepEqual(await r.getBuffer('a'), Buffer.from('grüße'));
  assert.equal(await r.get('none'), null);
  const ttl = await r.ttl('a');
  assert.ok(ttl > 90 && ttl <= 100, ttl);
  assert.equal(await r.set('a', 'x', 'NX'), null);
  assert.equal(await r.mset({ m1: 1, m2: 'two' }), 'OK');
  assert.deepEqual(await r.mget('m1', 'none', 'm2'), ['1', null, 'two']);
  assert.deepEqual([await r.incr('n'), await r.incrby('n', 9), await r.decr('n')], [1, 10, 9]);
  assert.equal(await r.incrbyfloat('n', 0.5), '9.5');
  assert.equal(await r.type('a'), 'string');
  await assert.rejects(r.incr('a'), /not an integer/);
  await assert.rejects(r.call('NOSUCH'), /unknown command/);
  assert.match(await r.info('server'), /redis_version:7\./);
  assert.equal(await r.del('a', 'm1', 'm2', 'n', 'none'), 4);
}

async function pipelines(r) {
  const pipeline = r.pipeline();
  for (let number = 0; number < 1000; number++) pipeline.set(`p:${number}`, number).get(`p:${number}`);
  const replies = await pipeline.exec();
  assert.equal(replies.length, 2000);
  replies.forEach(([error, reply], at) => {
    assert.equal(error, null);
    assert.equal(reply, at % 2 ? String((at - 1) / 2) : 'OK');
  });
  const found = new Set();
  for await (const keys of r.scanStream({ match: 'p:*', count: 100 })) keys.forEach((key) => found.add(key));
  assert.equal(found.size, 1000);
}

async function transactions(r) {
  await r.set('t', 'text');
  assert.deepEqual(await r.multi().set('a', 1).incr('a').exec(), [[null, 'OK'], [null, 2]]);
  const mixed = await r.multi().get('t').incr('t').get('a').exec();
  assert.deepEqual([mixed[0][1], mixed[2][1]], ['text', '2']);
  assert.match(mixed[1][0].message, /not an integer/);
  const other = r.duplicate();
  await r.watch('a');
  await other.set('a', 'changed');
  assert.equal(await r.multi().set('a', 'lost').exec(), null);
  assert.equal(await r.get('a'), 'changed');
  await other.quit();
}

async function subscriptions(r, options) {
  const subscriber = new Redis(options);
  assert.equal(await subscriber.subscribe('news'), 1);
  assert.equal(await subscriber.psubscribe('n?w*'), 2);
  const [message, matched] = [next(subscriber, 'message'), next(subscriber, 'pmessage')];
  assert.equal(await r.publish('news', 'grüße'), 2);
  assert.deepEqual(await message, ['news', 'grüße']);
  assert.deepEqual(await matched, ['n?w*', 'news', 'grüße']);
  assert.deepEqual(await r.pubsub('NUMSUB', 'news'), ['news', 1]);
  await subscriber.unsubscribe('news');
  await subscriber.punsubscribe('n?w*');
  assert.equal(await r.publish('news', 'x'), 0);
  assert.equal(await subscriber.get('none'), null);
  await subscriber.quit();
}

async function locks(r) {
  assert.equal(await r.set('lock', 'mine', 'PX', 60000, 'NX'), 'OK');
  assert.equal(await r.set('lock', 'theirs', 'PX', 60000, 'NX'), null);
  r.defineCommand('release', { numberOfKeys: 1, lua: RELEASE });
  assert.equal(await r.release('lock', 'theirs'), 0);
  assert.equal(await r.release('lock', 'mine'), 1);
  assert.equal(await r.exists('lock'), 0);
  const sha = await r.script('LOAD', 'return {KEYS[1], ARGV[1], 7}');
  assert.deepEqual(await r.evalsha(sha, 1, 'k', 'v'), ['k', 'v', 7]);
  await assert.rejects(r.evalsha('0'.repeat(40), 0), /NOSCRIPT/);
}

// In RESP2 another connection is told which keys have changed.
async function tracking(r, options) {
  const told = new Redis(options);
  await told.subscribe('__redis__:invalidate');
  const id = await told.client('ID').catch(() => undefined);
  assert.equal(id, undefined, 'one that listens may not ask');
  await told.unsubscribe('__redis__:invalidate');
  assert.equal(await r.client('TRACKING', 'ON', 'REDIRECT', await told.client('ID')), 'OK');
  await told.subscribe('__redis__:invalidate');
  for (const change of [() => r.set('tracked', 1), () => r.del('tracked')]) {
    await r.get('tracked');
    const message = next(told, 'message');
    await change();
    assert.deepEqual((await message).map(String), ['__redis__:invalidate', 'tracked']);
  }
  assert.equal(await r.client('TRACKING', 'OFF'), 'OK');
  await told.quit();
}

for (const protocol of [2, 3]) {
  const options = { host, port, protocol, db: protocol };
  const r = new Redis(options);
  await r.flushall();
  const run = (name, body) => check(`ioredis RESP${protocol} ${name}`, () => body(r, options));
  await run('strings', strings);
  await run('pipelines', pipelines);
  await run('transactions', transactions);
  await run('subscriptions', subscriptions);
  await run('locks', locks);
  if (protocol === 2) await run('tracking', tracking);
  await r.quit();
}
