use std::io::ErrorKind;
use std::net::SocketAddr;
use std::sync::Barrier;
use std::thread;

use super::{BACKLOG, claim, tcp, tcp_socket};

fn any_port() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 0))
}

#[test]
fn all_listeners_share_the_port_that_the_first_got() {
    let listeners = tcp(any_port(), 4).expect("a port is free");
    let addrs = listeners
        .iter()
        .map(|listener| listener.local_addr().expect("bound"));
    let ports: Vec<u16> = addrs.map(|addr| addr.port()).collect();
    assert_eq!(ports, [ports[0]; 4]);
    assert_ne!(ports[0], 0);
}

#[test]
fn somebody_who_would_share_is_somebody_who_listens() {
    for foreign in ["127.0.0.1:0", "0.0.0.0:0"] {
        let foreign: SocketAddr = foreign.parse().expect("an address");
        let socket = tcp_socket(foreign).expect("a socket can be made");
        socket.set_reuse_port(true).expect("supported");
        socket.bind(&foreign.into()).expect("a port is free");
        socket.listen(BACKLOG).expect("bound");
        let port = socket
            .local_addr()
            .expect("bound")
            .as_socket()
            .expect("TCP")
            .port();
        for count in [1, 2] {
            let refused = tcp(SocketAddr::from(([127, 0, 0, 1], port)), count);
            assert_eq!(
                refused.expect_err("the port is taken").kind(),
                ErrorKind::AddrInUse
            );
        }
    }
}

#[test]
fn an_address_is_claimed_before_it_is_shared() {
    let socket = claim(any_port()).expect("a port is free");
    assert!(socket.is_listener().expect("supported"));
    assert!(!socket.reuse_port().expect("supported"));
}

#[test]
fn of_two_servers_that_start_at_once_one_wins() {
    let mut won = 0;
    for _ in 0..300 {
        let reserved = tcp(any_port(), 1).expect("a port is free");
        let addr = reserved[0].local_addr().expect("bound");
        drop(reserved);
        let barrier = Barrier::new(2);
        let start = || {
            barrier.wait();
            let listeners = tcp(addr, 3);
            // Nobody lets go of the port before both have tried.
            barrier.wait();
            listeners.is_ok()
        };
        let winners = thread::scope(|scope| {
            let both = [scope.spawn(start), scope.spawn(start)];
            both.map(|one| one.join().expect("it does not panic"))
                .iter()
                .filter(|won| **won)
                .count()
        });
        assert!(winners <= 1);
        won += winners;
    }
    // Somebody else may take a port between its reservation and the two.
    assert!(won > 200, "{won}");
}
