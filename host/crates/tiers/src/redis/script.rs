//! What Redis does in one step. Each script works on one key, or on some of one slot, so a cluster can carry it out where the
//! key is.

use std::sync::OnceLock;

use redis::{Cmd, cmd};

/// A script, and what it is known by.
pub(super) struct Script {
    code: &'static str,
    digest: OnceLock<String>,
    /// Whether it may be carried out a second time where nobody knows of the first.
    pub(super) is_repeatable: bool,
}

impl Script {
    const fn new(code: &'static str) -> Self {
        Self {
            code,
            digest: OnceLock::new(),
            is_repeatable: true,
        }
    }

    const fn once(code: &'static str) -> Self {
        Self {
            code,
            digest: OnceLock::new(),
            is_repeatable: false,
        }
    }

    fn digest(&self) -> &str {
        let digest = || redis::Script::new(self.code).get_hash().to_owned();
        self.digest.get_or_init(digest)
    }
}

/// `body, age, px, channel, message`: puts `version ‖ body` under the key for `px` milliseconds, unless what is there is newer. A body of
/// nothing is a deletion, of which the version stays. Answers 1, or 0 where it came too late.
///
/// The version is the time of Redis in microseconds, `age` of them ago: so long the change has waited at its host. What
/// waited briefly is newer than all that is there. What the clock has not reached yet, as it was set back, is newer than nothing.
/// Whatever became of it, the message is published behind it, unless the channel is empty.
pub(super) static KEEP: Script = Script::new(
    r"
local BRIEFLY = 10000
local function tell()
  if ARGV[4] ~= '' then redis.call('PUBLISH', ARGV[4], ARGV[5]) end
end
local time = redis.call('TIME')
local age = tonumber(ARGV[2])
local now = time[1] * 1000000 + time[2]
local version = now - age
local held = redis.pcall('GETRANGE', KEYS[1], 0, 7)
if type(held) == 'string' and #held == 8 then
  local before = struct.unpack('>I8', held)
  if before <= now + BRIEFLY then
    if age > BRIEFLY and before >= version then
      tell()
      return 0
    end
    if before >= version then version = before + 1 end
  end
end
local value = struct.pack('>I8', version) .. ARGV[1]
if #ARGV[1] == 0 then redis.call('UNLINK', KEYS[1]) end
local kept = redis.pcall('SET', KEYS[1], value, 'PX', ARGV[3])
if kept.err then
  redis.call('UNLINK', KEYS[1])
  tell()
  return kept
end
tell()
return 1
",
);

/// `head, bytes`: removes what is under the key, if it is that long and begins so, or is no string at all.
pub(super) static FORGET: Script = Script::new(
    r"
if redis.call('TYPE', KEYS[1]).ok == 'string'
  and (redis.call('STRLEN', KEYS[1]) ~= tonumber(ARGV[2])
    or redis.call('GETRANGE', KEYS[1], 0, #ARGV[1] - 1) ~= ARGV[1]) then
  return 0
end
return redis.call('UNLINK', KEYS[1])
",
);

/// `bytes`: answers the time of Redis in microseconds, which no two looks share, and of each key what is under it, and how long
/// it stays. Where all of them together have more than so many bytes it answers how many alone.
pub(super) static LOOK: Script = Script::new(
    r"
local total = 0
for _, key in ipairs(KEYS) do
  local length = redis.pcall('STRLEN', key)
  if type(length) == 'number' then total = total + length end
end
if total > tonumber(ARGV[1]) then return total end
local time = redis.call('TIME')
local answer = { string.format('%.0f', time[1] * 1000000 + time[2]) }
for at, key in ipairs(KEYS) do
  local held = redis.pcall('GET', key)
  if type(held) == 'table' then held = '' end
  answer[2 * at], answer[2 * at + 1] = held, redis.call('PTTL', key)
end
return answer
",
);

/// `channel, version` and for each key `state, mode, body, message`: where all keys begin as `state` says, puts `version ‖ body`
/// under each: for `mode` milliseconds, or `k` for as long as what is there; `-` is a deletion, `=` leaves the key as it is.
/// Answers 1, or 0 where a key is another: 1 as well where all that was to be done is. A deletion begins with removing, which a
/// server without room lets pass, and then what comes behind it.
///
/// Whatever became of it, what was to be changed is told: a message that is missed has others doubt all that they have.
pub(super) static SWAP: Script = Script::once(
    r"
local channel, version = ARGV[1], struct.pack('>I8', tonumber(ARGV[2]))
local function tell(answer)
  for at = 1, #KEYS do
    if ARGV[4 * at] ~= '=' and channel ~= '' then
      redis.pcall('PUBLISH', channel, ARGV[4 * at + 2])
    end
  end
  return answer
end
local same, done = true, true
for at, key in ipairs(KEYS) do
  local held = redis.pcall('GETRANGE', key, 0, 7)
  if type(held) ~= 'string' then held = '' end
  if held ~= ARGV[4 * at - 1] then same = false end
  if ARGV[4 * at] ~= '=' and held ~= version then done = false end
end
if not same then return tell(done and 1 or 0) end
for at, key in ipairs(KEYS) do
  local mode, value = ARGV[4 * at], version .. ARGV[4 * at + 1]
  local kept = {}
  if mode == 'k' then
    kept = redis.pcall('SET', key, value, 'KEEPTTL')
  elseif mode == '-' then
    redis.pcall('UNLINK', key)
    kept = redis.pcall('SET', key, version, 'PX', 60000)
  elseif mode ~= '=' then
    kept = redis.pcall('SET', key, value, 'PX', mode)
  end
  if kept.err then return tell(kept) end
end
return tell(1)
",
);

/// `raise, field, generation, field, generation…`: brings a tenant's generations (a number for `*`, all databases, and one
/// for each database that was cleared by itself) to what the host knows, where that is more, and raises the one of `raise`
/// above all that rule for it, unless `raise` is empty. Answers fields and numbers.
///
/// Numbers are milliseconds of the time of Redis, so that the first of a tenant, or the first after they were lost, is above
/// all that were before. What is no such number goes, and counts as lost.
pub(super) static GENERATIONS: Script = Script::new(
    r"
local NUMBER_MAX = 9007199254740992
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local held, changed = {}, {}
if redis.call('TYPE', KEYS[1]).ok ~= 'hash' then redis.call('UNLINK', KEYS[1]) end
local flat = redis.call('HGETALL', KEYS[1])
for at = 1, #flat, 2 do
  local field, text = flat[at], flat[at + 1]
  local number = string.find(text, '^%d+$') and tonumber(text)
  if number and number <= NUMBER_MAX and (field == '*' or string.find(field, '^%d+$')) then
    held[field] = number
  else
    redis.call('HDEL', KEYS[1], field)
  end
end
local function raise(field, number)
  if not held[field] or held[field] < number then
    held[field], changed[field] = number, true
  end
end
for at = 2, #ARGV, 2 do raise(ARGV[at], tonumber(ARGV[at + 1])) end
if not held['*'] then raise('*', now) end
local field = ARGV[1]
if field ~= '' then
  local newest = math.max(held['*'], held[field] or 0)
  if field == '*' then
    for _, number in pairs(held) do newest = math.max(newest, number) end
  end
  raise(field, math.max(now, newest + 1))
end
local answer = {}
for name, number in pairs(held) do
  local text = string.format('%.0f', number)
  if changed[name] then redis.call('HSET', KEYS[1], name, text) end
  answer[#answer + 1], answer[#answer + 2] = name, text
end
return answer
",
);

/// `known, counted, since, channel, message, all, tag, tag…`: counts an invalidation of these tags, or of all there are (`all`
/// is 1), if there is more than a message. The message is published behind it, with the tick in eight bytes, unless the channel is
/// empty. Answers the last tick, the floor, and of what was invalidated after the tick `since` the first 1,024, each with its
/// tick, in their order; nothing where `since` is empty.
///
/// A tick is above all before it, and the milliseconds of the time of Redis where that is more. The host has given stamps up to
/// the tick `known`, and was told that `counted` was counted: where it was not, Redis has lost something, and all that has tags
/// and is older is void.
pub(super) static TAGS: Script = Script::new(
    r"
local KEPT, FORGOTTEN, PAGE, TICKS_MAX = 65536, 8192, 1024, 8796093022208
local key, call = KEYS[1], redis.call
local time = call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local known, counted = tonumber(ARGV[1]), tonumber(ARGV[2])
if call('TYPE', key).ok ~= 'zset' then call('UNLINK', key) end
local last = tonumber(call('ZSCORE', key, 'n') or -1)
local floor = tonumber(call('ZSCORE', key, 'f') or -1)
local function mark(tick, below)
  if tick ~= last then call('ZADD', key, tick, 'n') end
  if below ~= floor then call('ZADD', key, below, 'f') end
  last, floor = tick, below
end
local function begin(tick)
  call('UNLINK', key)
  last, floor = -1, -1
  mark(tick, tick)
end
if floor < 0 or last < counted or last < floor or last >= TICKS_MAX then
  begin(math.max(now, known, counted))
elseif last < known then
  mark(known, floor)
end
if ARGV[6] then
  local tick = math.max(last + 1, now)
  if ARGV[6] == '1' then
    begin(tick)
  else
    mark(tick, floor)
    for at = 7, #ARGV do call('ZADD', key, tick, 't' .. ARGV[at]) end
    local over = call('ZCARD', key) - 2 - KEPT
    if over > 0 then
      local forgotten = over + FORGOTTEN
      local eldest = call('ZRANGE', key, forgotten, forgotten, 'WITHSCORES')
      call('ZREMRANGEBYRANK', key, 1, forgotten)
      mark(tick, tonumber(eldest[2]))
    end
  end
  if ARGV[4] ~= '' then call('PUBLISH', ARGV[4], ARGV[5] .. struct.pack('<I8', tick)) end
end
local page = {}
if ARGV[3] ~= '' then
  page = call('ZRANGEBYSCORE', key, '(' .. ARGV[3], '+inf', 'WITHSCORES', 'LIMIT', 0, PAGE)
end
return {last, floor, page}
",
);

/// A script to be carried out on a key, or some.
pub(super) struct Call {
    pub(super) script: &'static Script,
    pub(super) name: Vec<u8>,
    /// The names behind the first.
    pub(super) more: Vec<Vec<u8>>,
    pub(super) args: Vec<Vec<u8>>,
}

impl Call {
    /// One on several keys.
    pub(super) fn of_keys(
        script: &'static Script,
        names: Vec<Vec<u8>>,
        args: Vec<Vec<u8>>,
    ) -> Self {
        let mut names = names.into_iter();
        Self {
            script,
            name: names.next().unwrap_or_default(),
            more: names.collect(),
            args,
        }
    }

    /// The command for it: by its digest, or with the whole script for a server that does not know it.
    pub(super) fn command(&self, is_whole: bool) -> Cmd {
        let (name, script) = match is_whole {
            true => ("EVAL", self.script.code),
            false => ("EVALSHA", self.script.digest()),
        };
        let mut command = cmd(name);
        command.arg(script).arg(1 + self.more.len()).arg(&self.name);
        for arg in self.more.iter().chain(&self.args) {
            command.arg(arg);
        }
        command
    }

    /// Bytes that it takes to send.
    pub(super) fn bytes(&self) -> usize {
        let rest = self.more.iter().chain(&self.args);
        self.name.len() + rest.map(Vec::len).sum::<usize>()
    }
}
