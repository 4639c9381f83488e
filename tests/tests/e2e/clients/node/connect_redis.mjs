// Sessions of Express, kept by connect-redis through node-redis.

import { RedisStore } from 'connect-redis';
import session from 'express-session';
import { createClient } from 'redis';
import { assert, check, host, port } from './check.mjs';

const call = (store, method, ...args) =>
  new Promise((resolve, reject) =>
    store[method](...args, (error, found) => (error ? reject(error) : resolve(found))),
  );

for (const RESP of [2, 3]) {
  const client = await createClient({ socket: { host, port }, RESP }).connect();
  await client.flushAll();
  const store = new RedisStore({ client, prefix: 'session:', ttl: 600 });
  assert.ok(store instanceof session.Store);
  await check(`connect-redis RESP${RESP} sessions`, async () => {
    await call(store, 'set', 'one', { cookie: { maxAge: 60000 }, user: 'grüße' });
    await call(store, 'set', 'two', { cookie: {}, user: 'b' });
    assert.equal((await call(store, 'get', 'one')).user, 'grüße');
    assert.equal(await call(store, 'get', 'none'), null);
    const ttl = await client.ttl('session:two');
    assert.ok(ttl > 590 && ttl <= 600, ttl);
    await call(store, 'touch', 'two', { cookie: { expires: new Date(Date.now() + 5000000) } });
    assert.ok((await client.ttl('session:two')) > 4900);
    assert.equal(await call(store, 'length'), 2);
    assert.deepEqual((await call(store, 'ids')).sort(), ['one', 'two']);
    assert.equal((await call(store, 'all')).length, 2);
    await call(store, 'destroy', 'one');
    assert.equal(await call(store, 'get', 'one'), null);
    await call(store, 'clear');
    assert.equal(await call(store, 'length'), 0);
  });
  await client.close();
}
