// What programs do with node-redis, in both versions of the protocol.

import { BasicClientSideCache, createClient, WatchError } from 'redis';
import { assert, check, eventually, host, port } from './check.mjs';

const connect = (options) => createClient({ socket: { host, port }, ...options }).connect();

async function strings(r) {
  assert.equal(await r.set('a', 'grüße', { expiration: { type: 'EX', value: 100 } }), 'OK');
  assert.equal(await r.get('a'), 'grüße');
  assert.equal(await r.get('none'), null);
  const ttl = await r.ttl('a');
  assert.ok(ttl > 90 && ttl <= 100, ttl);
  assert.equal(await r.set('a', 'x', { condition: 'NX' }), null);
  assert.equal(await r.mSet({ m1: '1', m2: 'two' }), 'OK');
  assert.deepEqual(await r.mGet(['m1', 'none', 'm2']), ['1', null, 'two']);
  assert.deepEqual([await r.incr('n'), await r.incrBy('n', 9), await r.decr('n')], [1, 10, 9]);
  assert.equal(await r.incrByFloat('n', 0.5), '9.5');
  await assert.rejects(r.incr('a'), /not an integer/);
  assert.equal((await r.configGet('maxmemory-policy'))['maxmemory-policy'].length > 0, true);
  assert.equal(await r.del(['a', 'm1', 'm2', 'n', 'none']), 4);
}

async function pipelines(r) {
  // What is asked for in one turn of the loop goes out as one pipeline.
  const numbers = Array.from({ length: 1000 }, (_, number) => number);
  await Promise.all(numbers.map((number) => r.set(`p:${number}`, String(number))));
  const replies = await Promise.all(numbers.map((number) => r.get(`p:${number}`)));
  assert.deepEqual(replies, numbers.map(String));
  const found = new Set();
  for await (const keys of r.scanIterator({ MATCH: 'p:*', COUNT: 100 })) keys.forEach((key) => found.add(key));
  assert.equal(found.size, 1000);
}

async function transactions(r) {
  assert.deepEqual(await r.multi().set('a', '1').incr('a').get('a').exec(), ['OK', 2, '2']);
  const other = await r.duplicate().connect();
  await r.watch('a');
  await other.set('a', 'changed');
  await assert.rejects(r.multi().set('a', 'lost').exec(), WatchError);
  assert.equal(await r.get('a'), 'changed');
  await other.close();
}

async function subscriptions(r) {
  const subscriber = await r.duplicate().connect();
  const told = [];
  await subscriber.subscribe('news', (message, channel) => told.push([channel, message]));
  await subscriber.pSubscribe('n?w*', (message, channel) => told.push(['pattern', channel, message]));
  assert.equal(await r.publish('news', 'grüße'), 2);
  await eventually(() => told.length === 2);
  assert.deepEqual(told.sort((a, b) => a.length - b.length), [['news', 'grüße'], ['pattern', 'news', 'grüße']]);
  await subscriber.unsubscribe('news');
  await subscriber.pUnsubscribe('n?w*');
  assert.equal(await r.publish('news', 'x'), 0);
  await subscriber.close();
}

async function scripts(r) {
  const script = "if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('del', KEYS[1]) end return 0";
  await r.set('lock', 'mine', { condition: 'NX', expiration: { type: 'PX', value: 60000 } });
  assert.equal(await r.eval(script, { keys: ['lock'], arguments: ['theirs'] }), 0);
  const sha = await r.scriptLoad(script);
  assert.equal(await r.evalSha(sha, { keys: ['lock'], arguments: ['mine'] }), 1);
  await assert.rejects(r.evalSha('0'.repeat(40)), /NOSCRIPT/);
}

// Values are kept by the client until the server tells that they have changed.
async function caching(r) {
  const cache = new BasicClientSideCache({ ttl: 0, maxEntries: 100 });
  const cached = await connect({ RESP: 3, database: r.options.database, clientSideCache: cache });
  await r.set('cached', 'before');
  for (let read = 0; read < 10; read++) assert.equal(await cached.get('cached'), 'before');
  assert.equal(cache.stats().hitCount, 9);
  await r.set('cached', 'after');
  await eventually(async () => (await cached.get('cached')) === 'after');
  await r.flushDb();
  await eventually(async () => (await cached.get('cached')) === null);
  await cached.close();
}

for (const RESP of [2, 3]) {
  const r = await connect({ RESP, database: 4 + RESP });
  await r.flushAll();
  const run = (name, body) => check(`node-redis RESP${RESP} ${name}`, () => body(r));
  await run('strings', strings);
  await run('pipelines', pipelines);
  await run('transactions', transactions);
  await run('subscriptions', subscriptions);
  await run('scripts', scripts);
  if (RESP === 3) await run('caching', caching);
  await r.close();
}
