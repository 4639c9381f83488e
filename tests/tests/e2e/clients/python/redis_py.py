"""What programs do with redis-py, against a running server: HOST PORT SOCKET hiredis|python."""

import sys
import threading
import time

HOST, PORT, SOCKET, PARSER = sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4]
if PARSER == "python":
    # As if it were not installed.
    sys.modules["hiredis"] = None

import redis
from redis.connection import UnixDomainSocketConnection
from redis.utils import HIREDIS_AVAILABLE

assert HIREDIS_AVAILABLE == (PARSER == "hiredis")


def connect(**options):
    return redis.Redis(host=HOST, port=PORT, socket_timeout=30, **options)


def raises(kind, text, call):
    try:
        call()
    except kind as error:
        assert text in str(error), error
    else:
        raise AssertionError(f"nothing was raised, expected {text}")


def strings(r):
    assert r.set("a", b"\x00\xff\r\n") is True
    assert r.get("a") == b"\x00\xff\r\n"
    assert r.get("none") is None
    assert r.set("a", 1, nx=True) is None
    assert r.set("a", 2, xx=True, get=True) == b"\x00\xff\r\n"
    assert r.setnx("b", 1) is True
    assert r.mset({"m1": 1, "m2": "two"}) is True
    assert r.mget("m1", "none", "m2") == [b"1", None, b"two"]
    assert (r.incr("n"), r.incr("n", 9), r.decr("n", 4)) == (1, 10, 6)
    assert r.incrbyfloat("n", 0.5) == 6.5
    assert r.append("m2", "!") == 4 and r.strlen("m2") == 4
    assert r.getset("m1", "new") == b"1"
    assert r.getdel("m1") == b"new" and r.exists("m1") == 0
    assert r.type("a") == b"string" and r.type("none") == b"none"
    assert r.delete("a", "b", "none") == 2 and r.unlink("n") == 1
    raises(redis.ResponseError, "not an integer", lambda: r.incr("m2"))


def expiry(r):
    r.set("e", "v", ex=100)
    assert 98 <= r.ttl("e") <= 100 and 98_000 < r.pttl("e") <= 100_000
    assert r.persist("e") is True and r.ttl("e") == -1 and r.ttl("none") == -2
    assert r.expire("e", 50, nx=True) and not r.expire("e", 60, nx=True)
    assert r.expire("e", 70, gt=True) and not r.expire("e", 60, gt=True)
    at = int(time.time()) + 500
    assert r.expireat("e", at) and r.expiretime("e") == at
    assert r.getex("e", px=20) == b"v"
    deadline = time.monotonic() + 10
    while r.exists("e") and time.monotonic() < deadline:
        pass
    assert r.get("e") is None
    r.psetex("e", 1, "v")
    r.setex("e", 60, "v")
    assert r.ttl("e") > 50


def pipelines(r):
    pipe = r.pipeline(transaction=False)
    for number in range(1000):
        pipe.set(f"p:{number}", number)
        pipe.get(f"p:{number}")
    replies = pipe.execute()
    assert replies[0::2] == [True] * 1000
    assert replies[1::2] == [str(number).encode() for number in range(1000)]
    pipe.get("p:1").incr("m2").get("p:2")
    one, wrong, two = pipe.execute(raise_on_error=False)
    assert (one, two) == (b"1", b"2") and isinstance(wrong, redis.ResponseError)
    found = set(r.scan_iter(match="p:*", count=100))
    assert found == {f"p:{number}".encode() for number in range(1000)}
    assert len(list(r.scan_iter(match="p:99?"))) == 10
    assert r.dbsize() >= 1000


def text(r):
    r.set("greeting", "grüße")
    assert r.get("greeting") == "grüße"
    assert r.mget(["greeting", "none"]) == ["grüße", None]
    assert r.config_get("maxmemory") == {"maxmemory": "67108864"}
    info = r.info()
    assert info["role"] == "master" and info["db5"]["keys"] == r.dbsize()
    assert info["redis_version"].startswith("7.2")
    seconds, microseconds = r.time()
    assert abs(seconds - time.time()) < 60 and 0 <= microseconds < 1_000_000
    assert r.client_setname("tester") and r.client_getname() == "tester"
    assert r.client_id() > 0 and r.echo("x") == "x" and r.ping() is True
    assert r.execute_command("CLIENT SETINFO", "LIB-NAME", "test") in (True, "OK")
    assert r.command_count() > 40 and "get" in r.command()
    assert r.flushdb() is True and r.dbsize() == 0


def pools(protocol):
    pool = redis.ConnectionPool(host=HOST, port=PORT, protocol=protocol, max_connections=8, db=7)
    failures = []

    def work(thread):
        try:
            r = redis.Redis(connection_pool=pool)
            for number in range(200):
                r.incr("shared")
                r.set(f"{thread}:{number}", number)
                assert r.get(f"{thread}:{number}") == str(number).encode()
        except Exception as failure:  # Told by the main thread: others would only print it.
            failures.append(failure)

    threads = [threading.Thread(target=work, args=(thread,)) for thread in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures, failures
    r = redis.Redis(connection_pool=pool)
    assert r.get("shared") == b"1600" and r.flushdb()
    pool.disconnect()


def unix_socket(protocol):
    pool = redis.ConnectionPool(
        connection_class=UnixDomainSocketConnection, path=SOCKET, protocol=protocol
    )
    r = redis.Redis(connection_pool=pool)
    r.set("over", "unix")
    assert connect().get("over") == b"unix"
    pool.disconnect()


for protocol in (2, 3):
    r = connect(protocol=protocol, db=4)
    r.flushall()
    strings(r)
    expiry(r)
    pipelines(r)
    text(connect(protocol=protocol, db=5, decode_responses=True))
    pools(protocol)
    unix_socket(protocol)
    raises(redis.ResponseError, "DB index", lambda: connect(protocol=protocol, db=99).ping())
    print(f"ok redis-py {redis.__version__}, RESP{protocol}, parser {PARSER}")
