"""What Django and Flask make of a running server, in both versions of the protocol: HOST PORT."""

import sys
import threading
import time

HOST, PORT = sys.argv[1], sys.argv[2]


def url(database, protocol):
    return f"redis://{HOST}:{PORT}/{database}?protocol={protocol}"


def check(name, body, *args):
    body(*args)
    print("ok", name)


def eventually(probe):
    deadline = time.monotonic() + 60
    while not probe():
        assert time.monotonic() < deadline, "it does not come"
        time.sleep(0.005)


def values(cache):
    """What Django promises of every cache."""
    cache.clear()
    assert cache.get("none") is None and cache.get("none", 7) == 7
    cache.set("user", {"name": "grüße", "tags": [1, 2]}, 100)
    assert cache.get("user") == {"name": "grüße", "tags": [1, 2]}
    assert cache.add("user", "other") is False and cache.add("new", 1, 100) is True
    assert cache.get_or_set("made", lambda: 3) == 3 and cache.get("made") == 3
    cache.set("number", 40)
    assert cache.incr("number", 2) == 42 and cache.decr("number") == 41
    try:
        cache.incr("none")
        raise AssertionError("a number was made of nothing")
    except ValueError:
        pass
    assert not cache.set_many({"a": 1, "b": "two"}, 100)
    assert cache.get_many(["a", "none", "b"]) == {"a": 1, "b": "two"}
    assert cache.touch("a", 200) is True and cache.touch("none") is False
    assert cache.has_key("a") and "none" not in cache
    assert cache.delete("a") and not cache.delete("a")
    cache.delete_many(["b", "made"])
    assert cache.get_many(["b", "made"]) == {}
    cache.set("old", 1, version=1)
    assert cache.get("old", version=2) is None
    assert cache.incr_version("old") == 2 and cache.get("old", version=2) == 1
    cache.set("gone", 1, 0)
    assert cache.get("gone") is None
    cache.clear()
    assert cache.get("user") is None


def django_redis_more(cache):
    """What django-redis has besides."""
    cache.set("kept", 1, timeout=None)
    cache.set("user:1", 1, timeout=100)
    cache.set("user:2", 2, timeout=100)
    assert cache.ttl("kept") is None and 90 < cache.ttl("user:1") <= 100 and cache.ttl("none") == 0
    assert 90_000 < cache.pttl("user:1") <= 100_000
    assert cache.persist("user:1") and cache.ttl("user:1") is None
    assert cache.expire("user:1", 50) and cache.pexpire("user:2", 50_000)
    assert sorted(cache.keys("user:*")) == ["user:1", "user:2"]
    assert sorted(cache.iter_keys("user:*")) == ["user:1", "user:2"]
    assert cache.set("kept", 2, nx=True) is False
    assert cache.delete_pattern("user:*") == 2


def django_redis_locks(cache):
    held = []

    def work():
        for _ in range(20):
            with cache.lock("lock", timeout=60, blocking_timeout=60, sleep=0.001):
                held.append(1)
                assert len(held) == 1
                held.pop()
        done.append(1)

    done = []
    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(done) == 4
    lock = cache.lock("extended", timeout=60)
    assert lock.acquire(blocking=False) and lock.extend(60) and lock.owned()
    assert cache.lock("extended", timeout=60).acquire(blocking=False) is False
    lock.release()


def sessions():
    from django.contrib.sessions.backends.cache import SessionStore

    session = SessionStore()
    session["user"] = "grüße"
    session.save()
    again = SessionStore(session_key=session.session_key)
    assert again["user"] == "grüße" and again.exists(session.session_key)
    again.cycle_key()
    assert again.session_key != session.session_key and again["user"] == "grüße"
    assert not again.exists(session.session_key)
    again.flush()


def django():
    import django
    from django.conf import settings

    own, other = "django.core.cache.backends.redis.RedisCache", "django_redis.cache.RedisCache"
    backends = {"default": {"BACKEND": own, "LOCATION": url(6, 3), "KEY_PREFIX": "sessions"}}
    for protocol in (2, 3):
        backends[f"own{protocol}"] = {"BACKEND": own, "LOCATION": url(6 + protocol, protocol)}
        backends[f"django_redis{protocol}"] = {"BACKEND": other, "LOCATION": url(8 + protocol, protocol)}
    settings.configure(CACHES=backends, SECRET_KEY="tests", SESSION_CACHE_ALIAS="default")
    django.setup()
    from django.core.cache import caches

    for protocol in (2, 3):
        check(f"Django's own RESP{protocol} values", values, caches[f"own{protocol}"])
        cache = caches[f"django_redis{protocol}"]
        check(f"django-redis RESP{protocol} values", values, cache)
        check(f"django-redis RESP{protocol} more", django_redis_more, cache)
        check(f"django-redis RESP{protocol} locks", django_redis_locks, cache)
    check("Django sessions", sessions)


def flask(protocol):
    from flask import Flask
    from flask_caching import Cache

    app = Flask("tests")
    location = url(12, protocol)
    cache = Cache(app, config={"CACHE_TYPE": "RedisCache", "CACHE_REDIS_URL": location, "CACHE_KEY_PREFIX": "app:"})
    made = []

    @app.route("/page")
    @cache.cached(timeout=100)
    def page():
        made.append("page")
        return "grüße"

    @cache.memoize(timeout=100)
    def square(number):
        made.append(number)
        return number * number

    with app.app_context():
        cache.clear()
        client = app.test_client()
        assert [client.get("/page").text for _ in range(2)] == ["grüße"] * 2
        assert [square(7), square(7), square(8)] == [49, 49, 64]
        assert made == ["page", 7, 8]
        cache.delete_memoized(square, 7)
        assert square(7) == 49 and made == ["page", 7, 8, 7]
        assert cache.set("a", {"b": [1]}) and cache.get("a") == {"b": [1]}
        assert cache.add("a", 1) is False and cache.get("none") is None
        assert cache.set_many({"x": 1, "y": 2}) and cache.get_many("x", "none", "y") == [1, None, 2]
        assert cache.has("x") and cache.delete("x") and not cache.has("x")
        cache.set("brief", 1, timeout=1)
        eventually(lambda: cache.get("brief") is None)
        cache.clear()
        assert cache.get("a") is None


django()
for protocol in (2, 3):
    check(f"Flask-Caching RESP{protocol}", flask, protocol)
