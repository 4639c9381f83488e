//! What Redis does in one step. Each script works on one key, so a cluster can carry it out where the key is.

use std::sync::OnceLock;

use redis::{Cmd, cmd};

/// A script, and what it is known by.
pub(super) struct Script {
    code: &'static str,
    digest: OnceLock<String>,
}

impl Script {
    const fn new(code: &'static str) -> Self {
        Self {
            code,
            digest: OnceLock::new(),
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
/// waited briefly is newer than all that is there, whatever the clock says, which may have been set back. Whatever became of it, the
/// message is published behind it, unless the channel is empty.
pub(super) static KEEP: Script = Script::new(
    r"
local BRIEFLY, DAY = 10000, 86400000000
local function tell()
  if ARGV[4] ~= '' then redis.call('PUBLISH', ARGV[4], ARGV[5]) end
end
local time = redis.call('TIME')
local age = tonumber(ARGV[2])
local version = time[1] * 1000000 + time[2] - age
local held = redis.pcall('GETRANGE', KEYS[1], 0, 7)
if type(held) == 'string' and #held == 8 then
  local before = struct.unpack('>I8', held)
  if before < version + DAY then
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

/// `raise, field, generation, field, generation…`: brings a tenant's generations (a number for `*`, all databases, and one
/// for each database that was cleared by itself) to what the host knows, where that is more, and raises the one of `raise`
/// above all that rule for it, unless `raise` is empty. Answers fields and numbers.
///
/// Numbers are milliseconds of the time of Redis, so that the first of a tenant, or the first after they were lost, is above
/// all that were before.
pub(super) static GENERATIONS: Script = Script::new(
    r"
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local held, changed = {}, {}
local flat = redis.call('HGETALL', KEYS[1])
for at = 1, #flat, 2 do held[flat[at]] = tonumber(flat[at + 1]) end
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

/// A script to be carried out on a key.
pub(super) struct Call {
    pub(super) script: &'static Script,
    pub(super) name: Vec<u8>,
    pub(super) args: Vec<Vec<u8>>,
}

impl Call {
    /// The command for it: by its digest, or with the whole script for a server that does not know it.
    pub(super) fn command(&self, is_whole: bool) -> Cmd {
        let (name, script) = match is_whole {
            true => ("EVAL", self.script.code),
            false => ("EVALSHA", self.script.digest()),
        };
        let mut command = cmd(name);
        command.arg(script).arg(1).arg(&self.name);
        for arg in &self.args {
            command.arg(arg);
        }
        command
    }

    /// Bytes that it takes to send.
    pub(super) fn bytes(&self) -> usize {
        self.name.len() + self.args.iter().map(Vec::len).sum::<usize>()
    }
}
