//! Users and what they may do, compared with Redis request by request.

use e2e::harness::{Client, Redis, Server};
use larder_resp::Value;

/// On both sides one after the other. Errors about rights are worded otherwise in the version that
/// Larder follows, so they are compared by their first word.
const REQUESTS: &[&str] = &[
    "ACL WHOAMI",
    "ACL USERS",
    "ACL CAT",
    "ACL CAT nosuch",
    "ACL CAT a b",
    "ACL FOO",
    "ACL GETUSER nobody",
    "ACL DELUSER nobody default",
    "ACL SETUSER a",
    "ACL LIST",
    "ACL SETUSER a on >pw ~x* %R~r* %W~w* &c* +@string +get|x|y",
    "ACL SETUSER a on >pw ~x* %R~r* %W~w* &c* +@string -get",
    "ACL GETUSER a",
    "ACL SETUSER a +@all -@dangerous +set -set|x",
    "ACL SETUSER a -@all +@read -get",
    "ACL SETUSER a >pw #0000000000000000000000000000000000000000000000000000000000000000",
    "ACL SETUSER a <pw",
    "ACL SETUSER a <pw",
    "ACL SETUSER a #AB",
    "ACL SETUSER a !ab",
    "ACL SETUSER a !0000000000000000000000000000000000000000000000000000000000000000",
    "ACL SETUSER a >pw",
    "ACL LIST",
    "ACL SETUSER a (+set ~s) (~t %W~u &d)",
    "ACL GETUSER a",
    "ACL SETUSER a (+set",
    "ACL SETUSER a (nonsense)",
    "ACL SETUSER a nonsense",
    "ACL SETUSER a %Q~x",
    "ACL SETUSER a %~x",
    "ACL SETUSER a +",
    "ACL SETUSER a +@",
    "ACL SETUSER a clearselectors allkeys ~x",
    "ACL SETUSER a allchannels &x",
    "ACL SETUSER a clearselectors nopass",
    "ACL LIST",
    "ACL SETUSER a off resetpass resetkeys resetchannels nocommands",
    "ACL LIST",
    "ACL SETUSER b on nopass ~both %R~read %W~write +@all -flushall -config|get",
    "ACL DRYRUN b GET read",
    "ACL DRYRUN b GET write",
    "ACL DRYRUN b SET write v",
    "ACL DRYRUN b SET write v GET",
    "ACL DRYRUN b SET read v",
    "ACL DRYRUN b APPEND write v",
    "ACL DRYRUN b INCR both",
    "ACL DRYRUN b INCR write",
    "ACL DRYRUN b MGET read both write",
    "ACL DRYRUN b MSET write 1 both 2",
    "ACL DRYRUN b DEL write",
    "ACL DRYRUN b DEL read",
    "ACL DRYRUN b EXISTS write read",
    "ACL DRYRUN b EXISTS other",
    "ACL DRYRUN b TTL write",
    "ACL DRYRUN b EXPIRE write 10",
    "ACL DRYRUN b GETDEL write",
    "ACL DRYRUN b SETBIT write 1 1",
    "ACL DRYRUN b BITFIELD write get u8 0",
    "ACL DRYRUN b BITOP and write read read",
    "ACL DRYRUN b BITOP and read write",
    "ACL DRYRUN b COPY read write",
    "ACL DRYRUN b COPY write read",
    "ACL DRYRUN b RENAME both write",
    "ACL DRYRUN b RENAME write both",
    "ACL DRYRUN b OBJECT ENCODING write",
    "ACL DRYRUN b DUMP write",
    "ACL DRYRUN b FLUSHALL",
    "ACL DRYRUN b FLUSHDB",
    "ACL DRYRUN b CONFIG GET x",
    "ACL DRYRUN b PING",
    "ACL DRYRUN b GET",
    "ACL DRYRUN b nosuch",
    "ACL DRYRUN nobody GET a",
    "ACL GENPASS 0",
    "ACL GENPASS 5000",
    "ACL GENPASS x",
    "ACL LOG",
    "ACL LOG x",
    "ACL LOG RESET",
    "AUTH one",
    "AUTH a b c",
    "AUTH default any",
    "AUTH a no",
    "HELLO 3 AUTH b any SETNAME me",
    "ACL WHOAMI",
    "GET write",
    "FLUSHALL",
    "HELLO 2 AUTH default any",
    "ACL DELUSER a b b",
    "ACL USERS",
];

#[test]
fn users_are_those_of_redis() {
    let Some(redis) = Redis::start("users and rules of redis-server") else {
        return;
    };
    let larder = Server::start(&[]);
    let (mut redis, mut larder) = (redis.client(), larder.client());
    let mut mismatches = Vec::new();
    for line in REQUESTS {
        let words: Vec<&str> = line.split(' ').collect();
        let (expected, reply) = (ask(&mut redis, &words), ask(&mut larder, &words));
        if reply != expected {
            mismatches.push(format!(
                "{line}\n  redis:  {expected:?}\n  larder: {reply:?}"
            ));
        }
    }
    assert!(mismatches.is_empty(), "{}", mismatches.join("\n"));
}

fn ask(client: &mut Client, words: &[&str]) -> Value {
    match client.call(words) {
        Value::Error(text) if text.starts_with("NOPERM") => Value::Error("NOPERM".into()),
        // DRYRUN: with the version that Larder follows it begins with the user.
        Value::Bulk(Some(text)) if words[1] == "DRYRUN" => {
            let text = String::from_utf8_lossy(&text);
            let named = text
                .rsplit_once(" the '")
                .map(|(_, named)| named.to_owned());
            Value::Bulk(named.map(String::into_bytes))
        }
        // HELLO tells each server's own name and number.
        Value::Map(_) => Value::Simple("greeted".into()),
        Value::Array(parts) if words[0] == "HELLO" => {
            Value::Array(vec![Value::Integer(parts.len() as i64)])
        }
        reply => reply,
    }
}
