//! What connections see and do of each other, over several threads.

use std::collections::BTreeSet;

use e2e::harness::{Client, Server, eventually};
use larder_resp::Value;

use crate::values::{bulk, ok};

/// More than one thread accepts.
fn clients(server: &Server) -> Vec<Client> {
    (0..16).map(|_| server.client()).collect()
}

fn text(reply: Value) -> String {
    match reply {
        Value::Bulk(Some(text)) => String::from_utf8(text).unwrap(),
        other => panic!("no text: {other:?}"),
    }
}

fn id(client: &mut Client) -> i64 {
    match client.call(&["CLIENT", "ID"]) {
        Value::Integer(id) => id,
        other => panic!("no number: {other:?}"),
    }
}

fn is_alone(client: &mut Client) -> Option<()> {
    let list = text(client.call(&["CLIENT", "LIST"]));
    (list.lines().count() == 1).then_some(())
}

#[test]
fn clients_of_all_threads_are_listed_and_ended() {
    let server = Server::start(&["--threads", "2"]);
    let mut all = clients(&server);
    let ids: BTreeSet<i64> = all.iter_mut().map(id).collect();
    all[3].call(&["CLIENT", "SETNAME", "third"]);
    all[3].call(&["SELECT", "5"]);
    let list = text(all[0].call(&["CLIENT", "LIST"]));
    let listed: BTreeSet<i64> = list
        .lines()
        .map(|line| {
            let field = line
                .split(' ')
                .next()
                .and_then(|field| field.strip_prefix("id="));
            field.expect("a number").parse().unwrap()
        })
        .collect();
    assert_eq!(listed, ids);
    let third = list.lines().find(|line| line.contains(" name=third "));
    let third = third.expect("it has a name");
    assert!(
        third.contains(" db=5 ") && third.contains(" cmd=select "),
        "{third}"
    );

    let killed: Vec<String> = all
        .iter_mut()
        .skip(1)
        .map(|client| id(client).to_string())
        .collect();
    for id in &killed {
        assert_eq!(
            all[0].call(&["CLIENT", "KILL", "ID", id]),
            Value::Integer(1)
        );
    }
    for client in &mut all[1..] {
        assert_eq!(client.receive(), None);
    }
    eventually("their places are free", || is_alone(&mut all[0]));
    assert_eq!(
        all[0].call(&["CLIENT", "KILL", "SKIPME", "no"]),
        Value::Integer(1)
    );
    assert_eq!(all[0].receive(), None);
}

#[test]
fn one_that_does_not_take_what_it_is_shown_is_cut_off() {
    let server = Server::start(&["--threads", "2"]);
    let (mut watcher, mut client) = (server.client(), server.client());
    assert_eq!(watcher.call(&["MONITOR"]), ok());
    let value = "x".repeat(1 << 20);
    eventually("it is closed", || {
        assert_eq!(client.call(&["ECHO", &value]), bulk(&value));
        is_alone(&mut client)
    });
}
