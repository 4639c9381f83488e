//! Scripts that both servers run: what they return, raise and leave behind has to be the same.

use e2e::harness::{Redis, Server};

use super::{Pair, request};

/// A line is a script. It gets the keys `k1` and `k2` and the arguments `10`, `x` and an empty one.
const SCRIPTS: &str = r#"
return 1
return -1
return 3.99
return -3.99
return 1/0
return 2^53
return 'text'
return ''
return nil
return true
return false
return {}
return {1, 2, 3}
return {1, nil, 3}
return {1, {2, {3, 'x'}}, false, true}
return {'a', 1.5, 'b'}
return {a = 1}
return {ok = 'fine'}
return {ok = 'two words'}
return {err = 'MY word'}
return {err = 'word'}
return {ok = 1}
return {err = 1}
return {ok = 'x', err = 'y z'}
return {double = 3.5}
return {map = {a = 1}}
return {set = {a = true}}
return {big_number = '123'}
return {verbatim_string = {format = 'txt', string = 'abc'}}
redis.setresp(3) return {double = 3.5}
redis.setresp(3) return {map = {a = 1}}
redis.setresp(3) return true
redis.setresp(3) return {true, false}
return function() end
return cjson.null
return {cjson.null}
return {KEYS[1], KEYS[2], KEYS[3]}
return {ARGV[1], ARGV[2], ARGV[3], #ARGV}
return #KEYS
return redis.status_reply('fine')
return redis.status_reply('')
return redis.status_reply()
return redis.error_reply('word')
return redis.error_reply('MY word')
return redis.error_reply('-MY word')
return redis.error_reply('-word')
return redis.error_reply()
return redis.sha1hex('')
return redis.sha1hex('abc')
return redis.sha1hex()
return redis.replicate_commands()
return redis.set_repl(redis.REPL_ALL)
return redis.log(redis.LOG_DEBUG, 'from a script')
return redis.log(1)
return redis.log('a', 'b')
return redis.log(9, 'b')
return redis.setresp(4)
return redis.setresp('a')
return redis.setresp(2)
return {redis.LOG_DEBUG, redis.LOG_VERBOSE, redis.LOG_NOTICE, redis.LOG_WARNING}
return redis.acl_check_cmd('get', 'a')
return redis.acl_check_cmd('nosuch')
return redis.acl_check_cmd()
return redis.call('SET', KEYS[1], ARGV[1])
return redis.call('GET', KEYS[1])
return redis.call('get', 'k1')
return redis.call('INCRBY', KEYS[1], 5)
return redis.call('INCRBY', KEYS[1], 2.0)
return redis.call('SET', KEYS[2], 1.5)
return redis.call('GET', KEYS[2])
return redis.call('SET', KEYS[2], 1e20) and redis.call('GET', KEYS[2])
return redis.call('SET', KEYS[2], 0.1) and redis.call('GET', KEYS[2])
return redis.call('SET', KEYS[2], 2^53) and redis.call('GET', KEYS[2])
return redis.call('SET', KEYS[2], -7) and redis.call('GET', KEYS[2])
return redis.call('GET', 'none')
return type(redis.call('GET', 'none'))
redis.setresp(3) return type(redis.call('GET', 'none'))
return redis.call('MGET', KEYS[1], 'none', KEYS[2])
return #redis.call('MGET', KEYS[1], 'none', KEYS[2])
redis.setresp(3) return #redis.call('MGET', KEYS[1], 'none')
return redis.call('SET', KEYS[1], 'v', 'EX', 100)
return redis.call('TTL', KEYS[1])
return redis.call('EXISTS', KEYS[1], KEYS[2], 'none')
return redis.call('SETNX', KEYS[1], 'w')
return redis.call('APPEND', KEYS[1], 'w')
return redis.call('STRLEN', KEYS[1])
return redis.call('DEL', KEYS[1], 'none')
return redis.call('MSET', 'a', 1, 'b', 2)
return redis.call('MGET', 'a', 'b')
return redis.call('PING')
return redis.call('PING', 'x').ok
return redis.call('PING').ok
return redis.call('ECHO', 'x')
return redis.call('SELECT', 1).ok
redis.call('SELECT', 1) return redis.call('SET', 'other', 1)
return redis.call('EXISTS', 'other')
redis.call('SELECT', 1) return redis.call('GET', 'other')
return redis.call('SELECT', 99)
return redis.call('DBSIZE')
return redis.call('TYPE', 'a')
return redis.call('OBJECT', 'ENCODING', 'a')
return redis.call('BITCOUNT', 'a')
return redis.call('RENAME', 'none', 'b')
return redis.call('RENAME', 'a', 'c')
return redis.call('INCR', 'b')
return redis.call('INCRBYFLOAT', 'b', '1.5')
return redis.call('INCR', 'b')
return redis.pcall('INCR', 'b')
return redis.pcall('INCR', 'b').err
return {redis.pcall('INCR', 'b').err}
return redis.call('NOSUCH')
return redis.call('GET')
return redis.call()
return redis.pcall()
return redis.call('GET', {})
return redis.call('GET', nil)
return redis.call('GET', true)
return redis.call('OBJECT')
return redis.call('OBJECT', 'NOSUCH', 'a')
return redis.call('SETEX', 'a', 'x', 'y')
return redis.call('MULTI')
return redis.call('EXEC')
return redis.call('WATCH', 'a')
return redis.call('EVAL', 'return 1', 0)
return redis.call('SCRIPT', 'LOAD', 'return 1')
return redis.call('CLIENT', 'SETNAME', 'x')
return redis.call('CONFIG', 'GET', 'x')
return redis.call('HELLO')
return redis.call('QUIT')
local r = {} for i = 1, 10 do r[i] = redis.call('INCR', 'counter') end return r
local ok, e = pcall(redis.call, 'NOSUCH') return {tostring(ok), e}
local ok, e = pcall(redis.call, 'GET') return {tostring(ok), type(e)}
local ok, e = pcall(error, 'x') return e
local ok, e = pcall(error, {err = 'x'}) return e
local ok, e = pcall(function() error('x') end) return e
local ok, e = pcall(function() return no_such end) return e
local ok, e = pcall(function() return nil + 1 end) return e
local ok, e = xpcall(function() error('x') end, function(m) return m .. '!' end) return e
return {pcall(function(...) return ... end, 1, 2)}
return no_such
x = 1
KEYS = {}
string.x = 1
redis.x = 1
_G.x = 1
local function f() x = 1 end f()
error('boom')
error('boom', 0)
error('boom', 2)
error({err = 'MY boom'})
error(12)
error(true)
local a = nil .. 'x'
local a = {} .. 'x'
local a = 1 < 'x'
local a = nil; a.b = 1
local a = nil; a()
local function f() return f() + 1 end return f()
if
return 1 +
return 'unfinished
goto x
return redis.error_reply('a') .. 'b'
return tostring(nil) .. tostring(1e15) .. tostring(2^53) .. tostring(0.1) .. tostring(-0.5)
return {tonumber('10'), tonumber('0x10'), tonumber('x') or 'nil', tonumber('10', 2)}
return {type(1), type('x'), type({}), type(nil), type(type), type(redis)}
return {select('#', 1, nil, 3), select(2, 'a', 'b', 'c')}
return {unpack({1, 2, 3}, 2)}
return _VERSION
return {next({}) == nil and 'empty' or 'full'}
local t = {3, 1, 2} table.sort(t) return t
local t = {3, 1, 2} table.sort(t, function(a, b) return a > b end) return t
local t = {'b', 'a'} table.sort(t) return table.concat(t, ',')
local t = {1, 2} table.insert(t, 3) table.insert(t, 1, 0) return t
local t = {1, 2, 3} return {table.remove(t), table.remove(t, 1), #t}
return {table.getn({1, 2}), table.maxn({1, 2, [10] = 3})}
return table.concat({1, 2, 'x'}, '-', 2)
return table.concat({1, {}, 3})
return {math.floor(1.5), math.ceil(1.5), math.max(1, 5, 3), math.min(4, 2), math.abs(-3), math.fmod(7, 3)}
return tostring(math.pi)
math.randomseed(5) return {math.random(1000), math.random(1000), math.random(5, 6)}
math.randomseed(5) return tostring(math.random())
return math.random(0)
return math.random(1, 2, 3)
return {string.byte('abc', 1, -1)}
return string.char(97, 98)
return string.format('%5.2f|%d|%s|%q|%x|%5s|%-5s|', 3.14159, 42, 'x', 'a"b', 255, 'a', 'b')
return string.format('%d', 'x')
return {('abc'):len(), ('abc'):upper(), ('ABC'):lower(), ('abc'):reverse(), ('abc'):sub(2), ('abc'):sub(-2, -2)}
return ('ab'):rep(3)
return {('hello world'):find('o w'), ('hello'):find('l'), ('hello'):find('z') or 'nil'}
return {('hello'):find('')}
return {('hello'):find('', 10)}
return {('a.b'):find('.', 1, true)}
return {('a.b'):find('%.')}
return {('key = value'):match('^(%w+)%s*=%s*(%w+)$')}
return {('  trim  '):match('^%s*(.-)%s*$')}
return {('f(a(b)c)d'):match('%b()')}
return {('THE (quick) fox'):find('%((%a+)%)')}
return {('abc'):match('()b()')}
return {('2024-01-02'):match('(%d+)-(%d+)-(%d+)')}
return {('hello'):gsub('l', 'L')}
return {('hello'):gsub('l', 'L', 1)}
return {('abc'):gsub('', '-')}
return {('abc'):gsub('%w', '%0%0')}
return {('hello world'):gsub('(%w+) (%w+)', '%2 %1')}
return {('$a $b'):gsub('%$(%w+)', {a = '1'})}
return {('abc'):gsub('%w', function(c) if c == 'b' then return 'X' end end)}
return {('abc'):gsub('^a', 'x')}
return {('THE (quick) fox'):gsub('%f[%a]%a+', 'w')}
return {('x-y_z'):match('[%w-]+')}
return {(']x'):match('[]x]+')}
return {('a^b'):match('[%^]')}
return {('abc123'):match('[^%d]+')}
return {('aXbX'):match('(.-)X(.-)X')}
return {('aa'):match('(a)%1')}
return {('\0a'):find('%z')}
return ('x'):find('[a')
return ('x'):find('%')
return ('x'):find('(')
return ('x'):find('x)')
return ('x'):gsub('x', '%2')
return ('x'):gsub('x')
return ('x'):gsub('x', true)
return ('x'):gsub('x', function() return {} end)
return string.rep()
return string.rep('x', 'y')
return ('x'):bad()
local t = {} for k, v in ('a=1,b=2'):gmatch('(%w)=(%w)') do t[#t + 1] = k .. v end return t
local t = {} for w in ('one two'):gmatch('%a+') do t[#t + 1] = w end return t
return {bit.band(255, 15), bit.bor(1, 2), bit.bxor(5, 1), bit.bnot(0), bit.lshift(1, 31), bit.rshift(-1, 28)}
return {bit.arshift(-8, 1), bit.rol(0x12345678, 8), bit.ror(0x12345678, 8), bit.bswap(0x12345678), bit.tobit(4294967295)}
return {bit.tohex(255), bit.tohex(255, 4), bit.tohex(255, -4), bit.tohex(-1)}
return bit.band('x')
return bit.band()
return cjson.encode({})
return cjson.encode({1, 2, {a = 'b'}})
return cjson.encode({[1] = 1, [3] = 3})
return cjson.encode({[1] = 1, [30] = 3})
return cjson.encode({[1.5] = 1})
return cjson.encode({[0] = 1})
return cjson.encode({[true] = 1})
return cjson.encode('a"b\\c/d\n\t\1')
return cjson.encode(1/0)
return cjson.encode({1.5, 1e20, 0.1, 123456789012345678, 1e15, 100000000000000})
return cjson.encode(nil)
return cjson.encode({cjson.null, false, true})
return cjson.encode(function() end)
return cjson.encode()
return cjson.encode(1, 2)
local t = {} t.a = t return cjson.encode(t)
return cjson.decode('[1,[2,"x"],true,false,null,{"a":"b"}]')
return cjson.decode('{"a":[1,2]}').a
return type(cjson.decode('null'))
return cjson.decode('"\\u00e9\\ud83d\\ude00\\n\\/"')
return cjson.decode('')
return cjson.decode('[1,2')
return cjson.decode('{')
return cjson.decode('{a:1}')
return cjson.decode('{"a" 1}')
return cjson.decode('{"a":1 "b"}')
return cjson.decode('[1 2]')
return cjson.decode('"abc')
return cjson.decode('"\\x"')
return cjson.decode('"\\u12"')
return cjson.decode('nul')
return cjson.decode('1 2')
return cjson.decode('[1,]')
return cjson.decode('{"a":}')
return cjson.decode('1e5')
return cjson.decode('-')
return cjson.decode({})
return cjson.decode()
return cjson.encode(cjson.decode('{"a":[]}'))
return {cjson.encode_sparse_array(true, 1, 2)}
cjson.encode_sparse_array(true) return cjson.encode({[1] = 1, [300] = 3})
cjson.encode_sparse_array(false, 2, 10) return 1
return {cjson.encode_max_depth(5), cjson.encode_max_depth(1000)}
cjson.encode_number_precision(3) return cjson.encode(3.14159)
return {cjson.encode_number_precision(14)}
return cmsgpack.pack({1, 2, 3, 'abc', true, false, 1.5, -1, -33, 200, 70000, 5000000000, {a = 1}})
return cmsgpack.pack({-129, -40000, -3000000000, 65536, 0.1, ('x'):rep(40), ('y'):rep(300)})
return cmsgpack.pack({[1] = 1, [3] = 3})
return cmsgpack.pack(nil, {}, function() end)
return cmsgpack.pack()
local t = {} t.a = t return #cmsgpack.pack(t)
local t = {} for i = 1, 20 do t[i] = i end return cmsgpack.pack(t)
return {cmsgpack.unpack(cmsgpack.pack(1, -2, 'x', {1, {2, 3}}, 70000, -70000, 5000000000, true))}
return cmsgpack.unpack(cmsgpack.pack({a = {1, 'x'}})).a
return {cmsgpack.unpack_one(cmsgpack.pack(1, 2, 'x'), 1)}
return {cmsgpack.unpack_one(cmsgpack.pack(1, 2, 'x'), 2)}
return {cmsgpack.unpack_limit(cmsgpack.pack(1, 2, 'x'), 2)}
return {cmsgpack.unpack_limit(cmsgpack.pack(1, 2, 'x'), 0)}
return {cmsgpack.unpack_one('x', 5)}
return cmsgpack.unpack('\147\1')
return cmsgpack.unpack('\193')
return cmsgpack.unpack('')
return struct.pack('bBhHlLiI', 1, 2, 3, 4, 5, 6, 7, 8)
return {struct.pack('>i4', 1), struct.pack('<i2', -2), struct.pack('s', 'ab'), struct.pack('c3', 'abcd'), struct.pack('c0', 'abcd')}
return {struct.pack('fd', 1.5, 2.5), struct.pack('bxb', 1, 2), struct.pack('!4bi', 1, 2), struct.pack('T', 5), struct.pack('>i3', -3)}
return struct.pack('z', 1)
return struct.pack('i33', 1)
return struct.pack('c5', 'abc')
return {struct.unpack('>i4', '\0\0\1\0')}
return {struct.unpack('<H', '\1\2\3')}
return {struct.unpack('sb', 'ab\0c')}
return {struct.unpack('bc0', '\3abcd')}
return {struct.unpack('bB', '\255\255')}
return {struct.unpack('bb', 'abc', 2)}
return {struct.unpack('!4bi', '\1\0\0\0\2\0\0\0')}
return {struct.unpack('d', struct.pack('d', 2)), struct.unpack('f', struct.pack('f', 3))}
return struct.unpack('i', 'a')
return struct.unpack('s', 'abc')
return struct.unpack('c0', 'abc')
return struct.unpack('b', 'a', 0)
return {struct.size('bhi'), struct.size('!4bi'), struct.size('>i8')}
return struct.size('s')
return struct.size('c0')
return struct.size('!3b')
"#;

/// Where both refuse, each with reasons of its own.
const BOTH_REFUSE: &str = r"
rawset(_G, 'x', 1) return x
setmetatable(_G, {})
setmetatable(string, {})
return os.time()
return io.open('/etc/passwd')
return require('os')
return newproxy()
return dofile('/etc/passwd')
return loadfile('/etc/passwd')
return print('x')
";

#[test]
fn scripts_do_what_they_do_in_redis() {
    let Some(redis) = Redis::start("scripts as in redis-server") else {
        return;
    };
    let larder = Server::start(&[]);
    let mut pair = Pair::new(&redis, &larder, 0);
    let scripts: Vec<&str> = lines(SCRIPTS).collect();
    assert!(scripts.len() >= 150);
    for script in scripts {
        pair.exchange(&[request(&["EVAL", script, "2", "k1", "k2", "10", "x", ""])]);
    }
    for line in [
        "EVAL return",
        "EVAL return x",
        "EVAL return 1 -1",
        "EVAL return 1 2 k",
        "EVALSHA e0e1f9fabfc9d4800c877a703b823ac0578ff8db 0",
        "SCRIPT LOAD return(1)",
        "SCRIPT EXISTS 23c0bcdb9e5c9c0b5f2c8c7c6c3f2d8f7cd7c2c1 x",
        "SCRIPT LOAD if",
        "SCRIPT LOAD",
        "SCRIPT KILL",
        "SCRIPT NOSUCH",
        "SCRIPT FLUSH NOW",
        "SCRIPT FLUSH SYNC",
        "SCRIPT FLUSH",
        "EVAL #!lua 0",
        "EVAL_RO return(redis.call('set','k1',1)) 1 k1",
        "EVAL_RO return(redis.call('get','k1')) 1 k1",
        "EVALSHA_RO ffffffffffffffffffffffffffffffffffffffff 0",
        "MULTI",
        "EVAL return(redis.call('incr','in')) 0",
        "EVAL error('x') 0",
        "GET in",
        "EXEC",
    ] {
        let words: Vec<&str> = line.split(' ').collect();
        pair.exchange(&[request(&words)]);
    }
    for script in [
        "#!lua flags=no-writes\nreturn redis.call('set', 'k1', 1)",
        "#!lua flags=no-writes\nreturn redis.call('exists', 'k1')",
        "#!lua flags=allow-oom,allow-stale\nreturn 1",
        "#!lua\nerror('second line')",
        "#!lua flags=nosuch\nreturn 1",
        "#!lua name=x\nreturn 1",
        "#!js\nreturn 1",
        "\n\nerror('third line')",
    ] {
        pair.exchange(&[
            request(&["EVAL", script, "1", "k1"]),
            request(&["EVAL_RO", script, "1", "k1"]),
        ]);
    }
    pair.compare_stores();
    pair.expect_no_mismatch();
    for script in lines(BOTH_REFUSE) {
        for client in [&mut pair.redis, &mut pair.larder] {
            let reply = client.call(&["EVAL", script, "0"]);
            let is_refused = matches!(reply, larder_resp::Value::Error(_));
            assert!(is_refused, "{script}: {reply:?}");
        }
    }
}

fn lines(text: &'static str) -> impl Iterator<Item = &'static str> {
    text.lines().filter(|line| !line.is_empty())
}
