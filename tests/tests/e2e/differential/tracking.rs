//! Client-side caching: the same requests of several connections have both servers tell the same.

use e2e::harness::{Client, Redis, Server};
use larder_resp::Value;

/// Lines are requests of connection 0, 1 or 2; the first and the last speak RESP3. `ID1` stands for the
/// number of connection 1.
const LINES: &str = r#"
0 CLIENT TRACKINGINFO
0 CLIENT GETREDIR
0 CLIENT CACHING YES
0 CLIENT TRACKING
0 CLIENT TRACKING x
0 CLIENT TRACKING ON x
0 CLIENT TRACKING ON PREFIX
0 CLIENT TRACKING ON PREFIX a
0 CLIENT TRACKING ON REDIRECT
0 CLIENT TRACKING ON REDIRECT x
0 CLIENT TRACKING ON REDIRECT 999999
0 CLIENT TRACKING ON BCAST OPTIN
0 CLIENT TRACKING ON OPTIN OPTOUT
0 CLIENT TRACKING ON BCAST PREFIX a PREFIX ab
0 CLIENT TRACKING ON BCAST PREFIX b PREFIX b
0 CLIENT TRACKING OFF
0 CLIENT TRACKING ON
0 CLIENT TRACKINGINFO
0 CLIENT GETREDIR
0 CLIENT CACHING YES
0 CLIENT CACHING NO
0 CLIENT TRACKING ON BCAST
0 GET k
2 SET k 1
2 SET k 2
0 GET k
0 SET k 3
0 MGET a b k
2 MSET a 1 b 2 c 3
2 DEL a b
0 GET k
2 EXPIRE k 100
0 TTL k
2 PERSIST k
0 EXISTS k
2 RENAME k l
0 GETRANGE l 0 1
2 APPEND l x
0 GET l
2 SET l 1 NX
2 SET l 9 XX GET
0 STRLEN l
2 GETEX l EX 100
0 GET l
2 GETDEL l
0 SET l 1
0 GET l
2 COPY l m
2 SETRANGE l 1 x
0 GETSET l 1
2 SET l 2
0 SETNX l 1
2 SET l 2
0 EVAL return{redis.call('get',KEYS[1])} 1 l
2 SET l 3
0 EVAL redis.call('get',KEYS[1])return(redis.call('set',KEYS[1],'x')) 1 l
0 MULTI
0 GET l
0 SET l 4
0 GET m
0 EXEC
2 SET m 1
2 SET l 1
0 GET l
2 MULTI
2 SET l 5
2 SET l 6
2 SET l 7
2 EXEC
0 GET l
2 SWAPDB 0 1
0 GET l
2 SWAPDB 1 0
0 GET l
2 FLUSHALL
0 GET l
2 SELECT 3
2 SET l 1
2 SELECT 0
0 CLIENT TRACKING ON NOLOOP
0 CLIENT TRACKINGINFO
0 GET l
0 SET l 1
0 GET l
2 SET l 2
0 CLIENT TRACKING OFF
0 CLIENT TRACKINGINFO
0 CLIENT TRACKING ON BCAST PREFIX a: PREFIX b
0 CLIENT TRACKINGINFO
0 CLIENT TRACKING ON BCAST PREFIX a
0 CLIENT TRACKING ON
2 SET a:1 1
2 SET a 1
2 SET b 1
0 SET b 2
0 GET x
2 SET x 1
2 FLUSHALL
0 CLIENT TRACKING OFF
0 CLIENT TRACKING ON OPTIN
0 CLIENT TRACKING ON OPTOUT
0 GET a
0 CLIENT CACHING NO
0 CLIENT CACHING x
0 CLIENT CACHING YES
0 CLIENT TRACKINGINFO
0 GET b
0 GET c
2 MSET a 1 b 1 c 1
0 CLIENT CACHING YES
0 MULTI
0 GET a
0 GET b
0 EXEC
0 GET c
2 MSET a 1 b 1 c 1
0 CLIENT CACHING YES
0 NOSUCH
0 GET a
2 SET a 1
0 CLIENT TRACKING OFF
0 CLIENT TRACKING ON OPTOUT
0 GET a
0 CLIENT CACHING NO
0 CLIENT TRACKINGINFO
0 GET b
0 GET c
2 MSET a 1 b 1 c 1
0 CLIENT TRACKING OFF
0 GET a
2 SET a 1
1 CLIENT TRACKING ON
1 GET a
2 SET a 1
1 SUBSCRIBE __redis__:invalidate
0 CLIENT TRACKING ON REDIRECT ID1
0 GET a
2 SET a 1
0 CLIENT TRACKING ON REDIRECT ID1 REDIRECT ID1
0 CLIENT TRACKING ON REDIRECT ID1 BCAST
0 CLIENT TRACKING OFF
0 CLIENT TRACKING ON REDIRECT ID1 BCAST
2 SET a 2
2 DEL a
1 UNSUBSCRIBE
2 SET a 3
"#;

/// Three connections to one server.
struct Party {
    clients: [Client; 3],
    second: String,
    /// PING would be queued, too.
    is_queuing: [bool; 3],
}

impl Party {
    fn new(mut clients: [Client; 3]) -> Self {
        let second = match clients[1].call(&["CLIENT", "ID"]) {
            Value::Integer(id) => id.to_string(),
            other => panic!("no number: {other:?}"),
        };
        for at in [0, 2] {
            clients[at].call(&["HELLO", "3"]);
        }
        Self {
            clients,
            second,
            is_queuing: [false; 3],
        }
    }

    /// The reply, and what each connection is told until then.
    fn request(&mut self, line: &str) -> Vec<Value> {
        let line = line.replace("ID1", &self.second);
        let mut words = line.split(' ');
        let number: usize = words
            .next()
            .and_then(|word| word.parse().ok())
            .expect("a number");
        let words: Vec<&str> = words.collect();
        let mut all = vec![self.clients[number].call(&words)];
        match words[0] {
            "MULTI" => self.is_queuing[number] = true,
            "EXEC" => self.is_queuing[number] = false,
            _ => {}
        }
        for (client, is_queuing) in self.clients.iter_mut().zip(self.is_queuing) {
            if !is_queuing {
                all.extend(heard(client));
            }
        }
        all
    }
}

/// What comes until PING is answered. What a request of a connection itself changes is told behind its reply.
fn heard(client: &mut Client) -> Vec<Value> {
    let mut all = vec![client.call(&["PING", "end"])];
    // Both spell it, in RESP2 while subscribed, as an array.
    let is_end = |value: &Value| match value {
        Value::Bulk(Some(text)) => text == b"end",
        Value::Array(parts) => parts.last() == Some(&Value::Bulk(Some(b"end".to_vec()))),
        _ => false,
    };
    while !all.last().is_some_and(is_end) {
        all.push(client.receive().expect("PING is answered"));
    }
    all
}

#[test]
fn client_side_caching_is_that_of_redis() {
    let Some(redis) = Redis::start("client-side caching as in redis-server") else {
        return;
    };
    let larder = Server::start(&["--threads", "2"]);
    let mut redis = Party::new([(); 3].map(|()| redis.client()));
    let mut larder = Party::new([(); 3].map(|()| larder.client()));
    for line in LINES.lines().filter(|line| !line.is_empty()) {
        let (redis, larder) = (redis.request(line), larder.request(line));
        assert_eq!(larder, redis, "{line}");
    }
}
