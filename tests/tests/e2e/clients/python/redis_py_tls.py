"""What programs do with redis-py over TLS, against a running server: PORT CA CERT KEY."""

import sys

import redis

PORT, CA, CERT, KEY = int(sys.argv[1]), *sys.argv[2:5]


def connect(**options):
    return redis.Redis(
        host="localhost", port=PORT, ssl=True, ssl_ca_certs=CA, socket_timeout=60, **options
    )


for protocol in (2, 3):
    r = connect(protocol=protocol, ssl_certfile=CERT, ssl_keyfile=KEY)
    value = bytes(range(256)) * 10_000
    assert r.set("big", value) is True
    assert r.get("big") == value
    with r.pipeline(transaction=False) as pipe:
        for number in range(5_000):
            pipe.set(f"k{number}", number)
            pipe.get(f"k{number}")
        replies = pipe.execute()
    assert replies[1::2] == [str(number).encode() for number in range(5_000)]
    listener = r.pubsub()
    listener.subscribe("news")
    assert listener.get_message(timeout=60)["type"] == "subscribe"
    assert r.publish("news", value) == 1
    assert listener.get_message(timeout=60)["data"] == value
    listener.close()
    try:
        connect(protocol=protocol).ping()
    except redis.ConnectionError:
        pass
    else:
        raise AssertionError("a client without a certificate was let in")
    print(f"ok redis-py over TLS, RESP{protocol}")
