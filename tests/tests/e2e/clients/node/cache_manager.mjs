// cache-manager over Keyv, whose store is @keyv/redis.

import KeyvRedis from '@keyv/redis';
import { createCache } from 'cache-manager';
import Keyv from 'keyv';
import { assert, check, eventually, host, port } from './check.mjs';

for (const RESP of [2, 3]) {
  const store = new KeyvRedis({ socket: { host, port }, RESP });
  const keyv = new Keyv({ store, namespace: `app${RESP}`, useKeyPrefix: false });
  const cache = createCache({ stores: [keyv], ttl: 60000 });
  await check(`cache-manager RESP${RESP} values`, async () => {
    await cache.clear();
    await cache.set('user', { name: 'grüße', tags: [1, 2] });
    assert.deepEqual(await cache.get('user'), { name: 'grüße', tags: [1, 2] });
    assert.equal(await cache.get('none'), undefined);
    await cache.mset([{ key: 'a', value: 1 }, { key: 'b', value: 2 }]);
    assert.deepEqual(await cache.mget(['a', 'none', 'b']), [1, undefined, 2]);
    await cache.del('a');
    assert.equal(await cache.get('a'), undefined);
    let made = 0;
    const make = async () => ++made;
    assert.deepEqual([await cache.wrap('made', make), await cache.wrap('made', make)], [1, 1]);
    await cache.set('short', 1, 20);
    await eventually(async () => (await cache.get('short')) === undefined);
    assert.ok((await (await store.getClient()).dbSize()) >= 3);
    await cache.clear();
    assert.equal(await cache.get('user'), undefined);
  });
  await cache.disconnect();
}
