//! What connections see and do of each other, over several threads.

use std::collections::BTreeSet;

use e2e::harness::{Client, Server, Signal, eventually};
use larder_resp::Value;

use crate::values::{NIL, bulk, ok};

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

fn flags(client: &mut Client, id: i64) -> String {
    let list = text(client.call(&["CLIENT", "LIST", "ID", &id.to_string()]));
    let mut fields = list
        .split(' ')
        .filter_map(|field| field.strip_prefix("flags="));
    fields.next().expect("it has flags").to_owned()
}

#[test]
fn a_pause_holds_writes_of_all_threads_until_it_is_ended_and_reads_go_on() {
    let server = Server::start(&["--threads", "2"]);
    let mut all = clients(&server);
    let ids: Vec<i64> = all.iter_mut().map(id).collect();
    let pause = ["CLIENT", "PAUSE", "3600000", "WRITE"];
    assert_eq!(all[0].call(&pause), ok());
    for client in &mut all[1..] {
        client
            .send(b"GET n\r\nMULTI\r\nPING\r\nEXEC\r\nINCR n\r\nGET n\r\n")
            .unwrap();
        assert_eq!(client.receive(), Some(NIL));
        assert_eq!(client.receive(), Some(ok()));
        assert_eq!(client.receive(), Some(Value::Simple("QUEUED".into())));
        let pong = vec![Value::Simple("PONG".into())];
        assert_eq!(client.receive(), Some(Value::Array(pong)));
    }
    for id in &ids[1..] {
        eventually("it waits", || {
            (flags(&mut all[0], *id) == "b").then_some(())
        });
    }
    assert_eq!(all[0].call(&["GET", "n"]), NIL);
    assert_eq!(server.info()["blocked_clients"], "15");
    // One that waits can be ended.
    assert_eq!(
        all[0].call(&["CLIENT", "KILL", "ID", &ids[15].to_string()]),
        Value::Integer(1)
    );
    assert_eq!(all[15].receive(), None);
    all.pop();
    assert_eq!(all[0].call(&["CLIENT", "UNPAUSE"]), ok());
    let mut counted: Vec<Option<Value>> = all[1..].iter_mut().map(Client::receive).collect();
    counted.sort_by_key(|reply| match reply {
        Some(Value::Integer(n)) => *n,
        other => panic!("no number: {other:?}"),
    });
    assert_eq!(
        counted,
        (1..=14)
            .map(|n| Some(Value::Integer(n)))
            .collect::<Vec<_>>()
    );
    for client in &mut all[1..] {
        assert!(matches!(client.receive(), Some(Value::Bulk(Some(_)))));
    }
    assert_eq!(flags(&mut all[0], ids[1]), "N");
}

#[test]
fn a_server_that_drains_waits_for_no_pause() {
    let server = Server::start(&["--threads", "2"]);
    let (mut client, mut other) = (server.client(), server.client());
    let number = id(&mut client);
    assert_eq!(other.call(&["CLIENT", "PAUSE", "3600000"]), ok());
    client.send(b"ECHO x\r\n").unwrap();
    eventually("it waits", || {
        (flags(&mut other, number) == "b").then_some(())
    });
    server.process().signal(Signal::TERM);
    assert_eq!(client.receive(), Some(bulk("x")));
    drop((client, other));
    assert_eq!(server.wait().status.code(), Some(0));
}
