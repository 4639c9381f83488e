// rate-limiter-flexible, over ioredis and over node-redis: scripts and transactions.

import { Redis } from 'ioredis';
import { RateLimiterRedis } from 'rate-limiter-flexible';
import { createClient } from 'redis';
import { assert, check, eventually, host, port } from './check.mjs';

async function limits(storeClient, useRedisPackage) {
  const limiter = new RateLimiterRedis({ storeClient, useRedisPackage, points: 3, duration: 60, keyPrefix: 'limit' });
  await limiter.delete('user');
  const first = await limiter.consume('user');
  assert.deepEqual([first.remainingPoints, first.isFirstInDuration], [2, true]);
  assert.ok(first.msBeforeNext > 50000 && first.msBeforeNext <= 60000, first);
  assert.equal((await limiter.consume('user', 2)).remainingPoints, 0);
  await assert.rejects(limiter.consume('user'), (refused) => refused.consumedPoints === 4);
  assert.equal((await limiter.get('user')).consumedPoints, 4);
  await limiter.penalty('user', 2);
  await limiter.reward('user', 1);
  assert.equal((await limiter.get('user')).consumedPoints, 5);
  await limiter.block('user', 100);
  assert.ok((await limiter.get('user')).msBeforeNext > 90000);
  await limiter.delete('user');
  assert.equal(await limiter.get('user'), null);
  // All at once: exactly as many pass as there are points.
  const many = await Promise.allSettled(Array.from({ length: 50 }, () => limiter.consume('crowd')));
  assert.equal(many.filter(({ status }) => status === 'fulfilled').length, 3);
  const brief = new RateLimiterRedis({ storeClient, useRedisPackage, points: 1, duration: 1, keyPrefix: 'brief' });
  await brief.consume('user');
  await eventually(() => brief.consume('user').then(() => true, () => false));
}

for (const protocol of [2, 3]) {
  const redis = new Redis({ host, port, protocol });
  await redis.flushall();
  await check(`rate-limiter-flexible over ioredis RESP${protocol}`, () => limits(redis, false));
  await redis.quit();
  const client = await createClient({ socket: { host, port }, RESP: protocol }).connect();
  await client.flushAll();
  await check(`rate-limiter-flexible over node-redis RESP${protocol}`, () => limits(client, true));
  await client.close();
}
