//! SUBSCRIBE and its kin, PUBLISH and PUBSUB.

use larder_resp::Version;

use super::{Bed, config};
use crate::pubsub::{EFFORT_MAX, TEXT_BYTES_MAX};

fn mail(bed: &Bed) -> String {
    let mut out = Vec::new();
    bed.session.mailbox().expect("it listens").take(&mut out);
    String::from_utf8_lossy(&out).into_owned()
}

#[test]
fn who_listens_is_told_and_counted() {
    for (version, kind) in [(Version::V2, '*'), (Version::V3, '>')] {
        let mut bed = Bed::new(version);
        let one = |word: &str, name: &str, count| {
            let (a, b) = (word.len(), name.len());
            format!("{kind}3\r\n${a}\r\n{word}\r\n${b}\r\n{name}\r\n:{count}\r\n")
        };
        bed.check("PUBLISH a 1", ":0\r\n");
        let both = one("subscribe", "a", 1) + &one("subscribe", "b", 2);
        bed.check("SUBSCRIBE a b", &both);
        bed.check("SUBSCRIBE a", &one("subscribe", "a", 2));
        bed.check("PSUBSCRIBE a*", &one("psubscribe", "a*", 3));
        bed.check("SSUBSCRIBE a", &one("ssubscribe", "a", 1));
        let hub = bed.shared.hub(&bed.session).clone();
        assert_eq!(hub.publish(crate::pubsub::Kind::Channel, b"a", b"m"), 2);
        assert_eq!(hub.publish(crate::pubsub::Kind::Shard, b"a", b"s"), 1);
        let expected = format!(
            "{kind}3\r\n$7\r\nmessage\r\n$1\r\na\r\n$1\r\nm\r\n\
             {kind}4\r\n$8\r\npmessage\r\n$2\r\na*\r\n$1\r\na\r\n$1\r\nm\r\n\
             {kind}3\r\n$8\r\nsmessage\r\n$1\r\na\r\n$1\r\ns\r\n"
        );
        assert_eq!(mail(&bed), expected);
        // What came before is sent before the end is confirmed.
        hub.publish(crate::pubsub::Kind::Channel, b"b", b"m");
        let message = format!("{kind}3\r\n$7\r\nmessage\r\n$1\r\nb\r\n$1\r\nm\r\n");
        bed.check("UNSUBSCRIBE b", &(message + &one("unsubscribe", "b", 2)));
        bed.check("UNSUBSCRIBE", &one("unsubscribe", "a", 1));
        bed.check("PUNSUBSCRIBE", &one("punsubscribe", "a*", 0));
        bed.check("SUNSUBSCRIBE", &one("sunsubscribe", "a", 0));
        let nil = if kind == '*' { "$-1" } else { "_" };
        let none = format!("{kind}3\r\n$11\r\nunsubscribe\r\n{nil}\r\n:0\r\n");
        bed.check("UNSUBSCRIBE", &none);
        assert_eq!(bed.session.held_bytes(), 0);
        bed.check("PUBLISH a 1", ":0\r\n");
    }
}

#[test]
fn one_that_listens_in_resp2_may_do_nothing_else() {
    let mut bed = Bed::new(Version::V2);
    bed.line("SUBSCRIBE a");
    let (reply, _) = bed.line("GET k");
    assert!(reply.starts_with("-ERR Can't execute 'get': only (P|S)SUBSCRIBE"));
    bed.check("PING", "*2\r\n$4\r\npong\r\n$0\r\n\r\n");
    bed.check("PING x", "*2\r\n$4\r\npong\r\n$1\r\nx\r\n");
    // What came before is sent before.
    let hub = bed.shared.hub(&bed.session).clone();
    hub.publish(crate::pubsub::Kind::Channel, b"a", b"m");
    let message = "*3\r\n$7\r\nmessage\r\n$1\r\na\r\n$1\r\nm\r\n";
    bed.check("RESET", &format!("{message}+RESET\r\n"));
    bed.check("PUBSUB CHANNELS", "*0\r\n");
    bed.check("PING", "+PONG\r\n");
    bed.line("HELLO 3");
    bed.line("SUBSCRIBE a");
    bed.check("GET k", "_\r\n");
    bed.check("PING", "+PONG\r\n");
}

#[test]
fn channels_are_listed_and_counted() {
    let mut bed = Bed::new(Version::V3);
    bed.line("SUBSCRIBE b a2 a1");
    bed.line("SSUBSCRIBE s");
    bed.line("PSUBSCRIBE x* y*");
    bed.check("PUBSUB CHANNELS a*", "*2\r\n$2\r\na1\r\n$2\r\na2\r\n");
    bed.check("PUBSUB SHARDCHANNELS", "*1\r\n$1\r\ns\r\n");
    bed.check(
        "PUBSUB NUMSUB b s",
        "*4\r\n$1\r\nb\r\n:1\r\n$1\r\ns\r\n:0\r\n",
    );
    bed.check("PUBSUB SHARDNUMSUB s", "*2\r\n$1\r\ns\r\n:1\r\n");
    bed.check("PUBSUB NUMPAT", ":2\r\n");
    let hub = bed.shared.hub(&bed.session).clone();
    bed.session.subscriptions = None;
    assert_eq!(hub.counts()[1], 0);
}

#[test]
fn subscriptions_are_bounded_and_paid_for() {
    let mut bed = Bed::new(Version::V3);
    let names: Vec<String> = (0..131_000).map(|n| n.to_string()).collect();
    let all = names.iter().map(String::as_bytes);
    let args: Vec<&[u8]> = [&b"SUBSCRIBE"[..]].into_iter().chain(all).collect();
    bed.execute_args(&args);
    assert!(bed.session.held_bytes() > 131_000 * 256);
    let (reply, _) = bed.execute_args(&args[..200]);
    assert!(reply.starts_with(b"-ERR too many subscriptions"));
}

#[test]
fn what_patterns_take_to_be_searched_for_is_bounded() {
    let mut bed = Bed::new(Version::V2);
    let refused = "-ERR too many patterns are subscribed to";
    // Nothing is searched for of those that begin or end with their text.
    for n in 0..3000 {
        let (reply, _) = bed.line(&format!("PSUBSCRIBE user:{n}:* *:{n}"));
        assert!(reply.starts_with("*3\r\n$10\r\npsubscribe"), "{reply}");
    }
    for n in 0..EFFORT_MAX {
        let (reply, _) = bed.line(&format!("PSUBSCRIBE *:{n}:*"));
        assert!(reply.starts_with("*3\r\n$10\r\npsubscribe"), "{reply}");
    }
    let (reply, _) = bed.line("PSUBSCRIBE *:more:*");
    assert!(reply.starts_with(refused), "{reply}");
    // What somebody listens to takes no more, and what nobody does any more nothing.
    let (reply, _) = bed.line("PSUBSCRIBE *:0:*");
    assert!(reply.starts_with("*3\r\n"), "{reply}");
    bed.line("PUNSUBSCRIBE *:0:*");
    let (reply, _) = bed.line("PSUBSCRIBE *?*");
    assert!(reply.starts_with(refused), "{reply}");
    let (reply, _) = bed.line("PSUBSCRIBE *:more:*");
    assert!(reply.starts_with("*3\r\n"), "{reply}");
    bed.line("PUNSUBSCRIBE");
    let long = format!("*{}*", "?".repeat(1022));
    let eight = format!(
        "PSUBSCRIBE{}",
        (0..8).fold(String::new(), |all, n| format!("{all} {n}{}", &long[1..]))
    );
    assert!(bed.line(&eight).0.starts_with("*3\r\n"));
}

#[test]
fn all_patterns_are_looked_at_for_a_message_so_that_their_text_is_bounded() {
    let mut bed = Bed::new(Version::V3);
    let text = "t".repeat(992);
    let patterns: Vec<String> = (0..TEXT_BYTES_MAX >> 10)
        .map(|n| format!("{n:05}{}*", &text[6..]))
        .collect();
    let all = patterns.iter().map(String::as_bytes);
    let args: Vec<&[u8]> = [&b"PSUBSCRIBE"[..]].into_iter().chain(all).collect();
    let (reply, _) = bed.execute_args(&args);
    assert!(reply.starts_with(b">3\r\n"), "{}", reply.escape_ascii());
    assert!(bed.session.held_bytes() > TEXT_BYTES_MAX);
    assert_eq!(bed.shared.hub(&bed.session).work(0), TEXT_BYTES_MAX);
    let (reply, _) = bed.line("PSUBSCRIBE one:more:*");
    assert!(reply.starts_with("-ERR too many patterns"), "{reply}");
    bed.line(&format!("PUNSUBSCRIBE {}", patterns[0]));
    let (reply, _) = bed.line("PSUBSCRIBE one:more:*");
    assert!(reply.starts_with(">3\r\n"), "{reply}");
}

#[test]
fn a_list_of_channels_is_bounded_in_length_and_in_what_finding_them_takes() {
    let mut config = config();
    config.output_bytes_max = 64 << 10;
    let mut bed = Bed::with(config, Version::V3);
    for n in 0..25 {
        let name = format!("{n:02}{}", "c".repeat(64_998));
        bed.execute_args(&[b"SUBSCRIBE", name.as_bytes()]);
    }
    let (reply, _) = bed.line("PUBSUB CHANNELS");
    assert!(reply.starts_with("-ERR too many channels"), "{reply}");
    let (reply, _) = bed.line("PUBSUB CHANNELS 1[3]*");
    assert!(reply.starts_with("*1\r\n$65000\r\n13c"), "{}", &reply[..80]);
    // Six words are compared for each byte of each name.
    let costly = format!("PUBSUB CHANNELS *{}x*", "[c]".repeat(330));
    let (reply, _) = bed.line(&costly);
    assert!(reply.starts_with("-ERR too many channels"), "{reply}");
    bed.check("PUBSUB CHANNELS *x*", "*0\r\n");
}
